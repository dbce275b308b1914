// SPDX-License-Identifier: BSD-2-Clause
// CreateTopics v2, Metadata v1 and ListOffsets v1: old enough for every broker, new enough for
// Kafka 4.
#include "topic.h"

#include "clock.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define TOPIC_READY_TIMEOUT_NS 120000000000u
#define TOPIC_ALREADY_EXISTS   36

static struct frame_reader topic_call(struct net_conn *conn, struct frame_buffer *request)
{
    const uint8_t *data;
    size_t size;
    struct frame_reader reader;

    frame_end(request);
    net_send_all(conn->fd, request->data, request->size);
    net_await_frame(conn, &data, &size);
    reader = frame_reader_of(data, size);
    frame_skip(&reader, 4); // correlation id
    return reader;
}

static void topic_create(
    struct net_conn *conn, struct frame_buffer *request, const struct options *options)
{
    struct frame_reader reader;
    int16_t error;

    frame_begin(request, FRAME_API_CREATE_TOPICS, 2, false, 1);
    frame_put_i32(request, 1);
    frame_put_string(request, options->topic, false);
    frame_put_i32(request, (int32_t)options->partitions);
    frame_put_i16(request, 1);     // replication factor
    frame_put_i32(request, 0);     // assignments
    frame_put_i32(request, 0);     // configs
    frame_put_i32(request, 30000); // timeout
    frame_put_i8(request, 0);      // validate only
    reader = topic_call(conn, request);
    frame_skip(&reader, 8); // throttle time, count
    frame_skip_string(&reader, false);
    error = frame_get_i16(&reader);
    if (!reader.ok || (error != 0 && error != TOPIC_ALREADY_EXISTS)) {
        fprintf(stderr, "bench: CreateTopics answered error %d\n", error);
        net_die("create topic", options->topic);
    }
}

// The number of partitions that have a leader, -1 when the topic is not there.
static int64_t topic_leader_count(
    struct net_conn *conn, struct frame_buffer *request, const struct options *options)
{
    struct frame_reader reader;
    int64_t leaders = 0;

    frame_begin(request, FRAME_API_METADATA, 1, false, 2);
    frame_put_i32(request, 1);
    frame_put_string(request, options->topic, false);
    reader = topic_call(conn, request);
    for (uint32_t count = frame_get_count(&reader, false); count > 0 && reader.ok; count--) {
        frame_skip(&reader, 4); // node id
        frame_skip_string(&reader, false);
        frame_skip(&reader, 4); // port
        frame_skip_string(&reader, false);
    }
    frame_skip(&reader, 8); // controller id, topic count
    if (frame_get_i16(&reader) != 0)
        return -1;
    frame_skip_string(&reader, false);
    frame_skip(&reader, 1); // internal
    for (uint32_t count = frame_get_count(&reader, false); count > 0 && reader.ok; count--) {
        int16_t error = frame_get_i16(&reader);
        frame_skip(&reader, 4); // index
        if (frame_get_i32(&reader) >= 0 && error == 0)
            leaders++;
        frame_skip(&reader, 4u * frame_get_count(&reader, false)); // replicas
        frame_skip(&reader, 4u * frame_get_count(&reader, false)); // in sync
    }
    return reader.ok ? leaders : -1;
}

// Asks for all offsets. Returns 0, or the first partition's error code.
static int16_t topic_list_offsets(struct net_conn *conn, struct frame_buffer *request,
    const struct options *options, bool tail, int64_t *ret_offsets)
{
    struct frame_reader reader;
    int16_t first_error = 0;

    frame_begin(request, FRAME_API_LIST_OFFSETS, 1, false, 3);
    frame_put_i32(request, -1); // replica id
    frame_put_i32(request, 1);
    frame_put_string(request, options->topic, false);
    frame_put_i32(request, (int32_t)options->partitions);
    for (uint32_t i = 0; i < options->partitions; i++) {
        frame_put_i32(request, (int32_t)i);
        frame_put_i64(request, tail ? -1 : -2);
    }
    reader = topic_call(conn, request);
    frame_skip(&reader, 4); // topic count
    frame_skip_string(&reader, false);
    for (uint32_t count = frame_get_count(&reader, false); count > 0 && reader.ok; count--) {
        uint32_t index = (uint32_t)frame_get_i32(&reader);
        int16_t error = frame_get_i16(&reader);
        frame_skip(&reader, 8); // timestamp
        if (index >= options->partitions)
            net_die("list offsets", "no such partition asked for");
        ret_offsets[index] = frame_get_i64(&reader);
        first_error = first_error == 0 ? error : first_error;
    }
    if (!reader.ok)
        net_die("list offsets", "short answer");
    return first_error;
}

static void topic_pause(uint64_t deadline_ns, const struct options *options)
{
    if (clock_now_ns() > deadline_ns)
        net_die("partitions without leader", options->topic);
    clock_sleep_until_ns(clock_now_ns() + 20000000u);
}

void topic_prepare(const struct options *options)
{
    struct frame_buffer request = {0};
    struct net_conn conn;
    uint64_t deadline_ns = clock_now_ns() + TOPIC_READY_TIMEOUT_NS;
    int64_t *offsets = calloc(options->partitions, sizeof(*offsets));

    assert(offsets != NULL);
    net_conn_init(&conn, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
    if (options->create)
        topic_create(&conn, &request, options);
    while (topic_leader_count(&conn, &request, options) < (int64_t)options->partitions)
        topic_pause(deadline_ns, options);
    // A leader may be named before it knows of it.
    while (topic_list_offsets(&conn, &request, options, true, offsets) != 0)
        topic_pause(deadline_ns, options);
    net_conn_deinit(&conn);
    frame_buffer_deinit(&request);
    free(offsets);
}

void topic_offsets(const struct options *options, bool tail, int64_t *ret_offsets)
{
    struct frame_buffer request = {0};
    struct net_conn conn;

    net_conn_init(&conn, net_must(net_connect(options->host, (uint16_t)options->port), "connect"));
    if (topic_list_offsets(&conn, &request, options, tail, ret_offsets) != 0)
        net_die("list offsets", options->topic);
    net_conn_deinit(&conn);
    frame_buffer_deinit(&request);
}
