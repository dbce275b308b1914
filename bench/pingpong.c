// SPDX-License-Identifier: BSD-2-Clause
// Small requests that touch no log: ApiVersions v0, and Heartbeat v0 of an unknown group, which is
// answered by an error code and nothing else.
#include "mode.h"

#include "net.h"

#include <string.h>

void pingpong_mode(const struct options *options)
{
    struct frame_buffer body = {0};
    struct histogram latency = {0};
    struct measure_result result;
    struct pump_frame frame;
    struct iovec piece;
    bool heartbeat = strcmp(options->api, "heartbeat") == 0;

    if (!heartbeat && strcmp(options->api, "api-versions") != 0)
        net_die("no such api for pingpong", options->api);
    frame_put_string(&body, FRAME_CLIENT_ID, false);
    if (heartbeat) {
        frame_put_string(&body, "bench-group", false);
        frame_put_i32(&body, 1); // generation
        frame_put_string(&body, "bench-member", false);
    }
    piece = (struct iovec){body.data, body.size};
    frame = (struct pump_frame){
        .pieces = &piece,
        .piece_count = 1,
        .size = FRAME_HEAD_SIZE + body.size,
    };
    pump_run(
        &(struct pump){
            .options = options,
            .frames = &frame,
            .frame_count = 1,
            .api = heartbeat ? FRAME_API_HEARTBEAT : FRAME_API_API_VERSIONS,
            .version = 0,
        },
        &result, &latency);
    measure_print_json(&result, "pingpong", &latency, "latency_us");
    frame_buffer_deinit(&body);
}
