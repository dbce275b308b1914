// SPDX-License-Identifier: BSD-2-Clause
/*
 * describe_log_dirs: how large each partition is, asked at its home, and how much room the
 * directory has, asked in the pool. Kept in step: first the room, then the sizes, then the answer.
 */
#include <limits.h>
#include <stdlib.h>

#include "api/fanout.h"
#include "api/nodes.h"
#include "api/topics_join.h"
#include "broker/topics/image.h"
#include "broker/partition/partition.h"
#include "broker/config/settings.h"
#include "loop/offload.h"
#include "wire/describe_log_dirs.gen.h"
#include "wire/errors.gen.h"

struct describe {
    struct request *req;
    const struct describe_log_dirs_request *request;
    struct broker *broker;
    struct offload_work work;
    const char *dir;
    bool memory;
    char path[PATH_MAX]; /* the directory, absolute */
    uint64_t free, total;
    int disk_error;
    struct describe_log_dirs_response_result *result;
    struct fanout *fanout;
};

struct describe_item {
    struct fanout_item item;
    struct part_id id;
    struct broker *broker;
    struct describe_log_dirs_response_partition *answer;
};

static void describe_on_sizes(struct fanout *fanout)
{
    struct describe *describe = fanout_context(fanout);
    request_complete(describe->req);
}

static void describe_size(struct fanout_item *fanout_item)
{
    struct describe_item *item = container_of(fanout_item, struct describe_item, item);
    struct partition *partition = broker_partition(item->broker, &item->id);
    struct part_state state = {0};
    if (partition != NULL)
        partition_get_state(partition, &state);
    item->answer->partition_size = (int64_t)state.size;
    fanout_item_done(fanout_item);
}

static void describe_partition(struct describe *describe, const struct topic *topic, int32_t index,
    struct describe_log_dirs_response_topic *answer)
{
    struct replicas replicas = topic_replicas(broker_settings(describe->broker), topic, index);
    if (!replicas_have(&replicas, request_node(describe->req)))
        return;
    struct describe_item *item = arena_new(&describe->req->arena, struct describe_item);
    item->id = (struct part_id){topic->id, index};
    item->broker = describe->broker;
    item->answer = &answer->partitions[answer->partitions_count++];
    describe_log_dirs_response_partition_init(item->answer);
    item->answer->partition_index = index;
    fanout_add(describe->fanout, &item->item, broker_topic_home(describe->broker, topic, index));
}

static struct describe_log_dirs_response_topic *describe_topic(
    struct describe *describe, const struct topic *topic, size_t partitions_count)
{
    struct arena *arena = &describe->req->arena;
    struct describe_log_dirs_response_topic *answer =
        &describe->result->topics[describe->result->topics_count++];
    describe_log_dirs_response_topic_init(answer);
    answer->name = arena_copy_slice(arena, slice_from_str(topic->name));
    answer->partitions =
        arena_new_n(arena, struct describe_log_dirs_response_partition, partitions_count + 1);
    answer->partitions_count = 0;
    return answer;
}

static void describe_all(struct describe *describe, const struct image *image)
{
    for (size_t i = 0; i < image->topics_count; i++) {
        const struct topic *topic = image->topics[i];
        struct describe_log_dirs_response_topic *answer =
            describe_topic(describe, topic, (size_t)topic->partitions_count);
        for (int32_t k = 0; k < topic->partitions_count; k++)
            describe_partition(describe, topic, k, answer);
    }
}

/* Topics and partitions that do not exist are left out, as Kafka does. */
static void describe_asked(struct describe *describe, const struct image *image)
{
    for (int32_t i = 0; i < describe->request->topics_count; i++) {
        const struct describe_log_dirs_request_topic *asked = &describe->request->topics[i];
        const struct topic *topic = image_topic(image, asked->topic);
        if (topic == NULL)
            continue;
        struct describe_log_dirs_response_topic *answer =
            describe_topic(describe, topic, (size_t)asked->partitions_count);
        for (int32_t k = 0; k < asked->partitions_count; k++) {
            int32_t index = asked->partitions[k];
            if (index >= 0 && index < topic->partitions_count)
                describe_partition(describe, topic, index, answer);
        }
    }
}

static void describe_on_disk(struct offload_work *work)
{
    struct describe *describe = container_of(work, struct describe, work);
    const struct image *image = broker_image(describe->broker);
    bool all = describe->request->topics_count < 0;
    size_t count = all ? image->topics_count : (size_t)describe->request->topics_count;
    struct describe_log_dirs_response_result *result = describe->result;
    result->log_dir = slice_from_str(describe->memory ? describe->dir : describe->path);
    if (describe->disk_error == 0) {
        result->total_bytes = (int64_t)describe->total;
        result->usable_bytes = (int64_t)describe->free;
    }
    result->topics =
        arena_new_n(&describe->req->arena, struct describe_log_dirs_response_topic, count + 1);
    result->topics_count = 0;
    if (all)
        describe_all(describe, image);
    else
        describe_asked(describe, image);
    fanout_start(describe->fanout);
}

static void describe_disk(struct offload_work *work)
{
    struct describe *describe = container_of(work, struct describe, work);
    struct env *env = broker_env(describe->broker);
    if (describe->memory || realpath(describe->dir, describe->path) == NULL)
        memcpy(describe->path, describe->dir, strnlen(describe->dir, PATH_MAX - 1));
    describe->disk_error =
        env->ops->disk_free(env, describe->dir, &describe->free, &describe->total);
}

enum handle_result describe_log_dirs_handle(struct request *req,
    const struct describe_log_dirs_request *request, struct describe_log_dirs_response *response)
{
    struct describe *describe = arena_new(&req->arena, struct describe);
    describe->req = req;
    describe->request = request;
    describe->broker = request_broker(req);
    describe->dir = broker_data_dir(describe->broker);
    describe->memory = broker_settings(describe->broker)->ephemeral;
    describe->fanout =
        fanout_new(&req->arena, describe->broker, describe_size, describe_on_sizes, describe);
    response->results = arena_new(&req->arena, struct describe_log_dirs_response_result);
    response->results_count = 1;
    describe->result = response->results;
    describe_log_dirs_response_result_init(describe->result);
    offload_submit(broker_offload(describe->broker), &describe->work, req->loop, NULL,
        describe_disk, describe_on_disk);
    return HANDLE_PARKED;
}
