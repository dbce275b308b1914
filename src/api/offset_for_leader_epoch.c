// SPDX-License-Identifier: BSD-2-Clause
/* OffsetForLeaderEpoch: where a leader epoch ended, by which clients notice that the log was cut.
 */
#include "api/fanout.h"
#include "api/lookup.h"
#include "net/request.h"
#include "wire/errors.gen.h"
#include "wire/offset_for_leader_epoch.gen.h"

struct epoch_end {
    struct request *req;
    struct broker *broker;
    struct fanout *fanout;
};

struct epoch_end_item {
    struct fanout_item item;
    struct part_id id;
    const struct offset_for_leader_epoch_request_partition *request;
    struct offset_for_leader_epoch_response_partition *response;
    struct partition *partition;
    struct partition_ready ready;
    struct engine_call call;
};

static void epoch_end_item_end(struct epoch_end_item *item, int16_t error_code)
{
    item->response->error_code = error_code;
    fanout_item_done(&item->item);
}

static void epoch_end_on_found(struct engine_call *call, enum engine_status status)
{
    struct epoch_end_item *item = container_of(call, struct epoch_end_item, call);
    if (status == ENGINE_OK && call->epoch >= 0) {
        item->response->leader_epoch = call->epoch;
        item->response->end_offset = call->offset;
    }
    epoch_end_item_end(item, lookup_engine_error(status));
}

static void epoch_end_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct epoch_end_item *item = container_of(ready, struct epoch_end_item, ready);
    if (error != PARTITION_OK) {
        epoch_end_item_end(item, lookup_partition_error(error));
        return;
    }
    struct part_state state;
    partition_get_state(item->partition, &state);
    int16_t code = lookup_epoch_error(item->request->current_leader_epoch, state.leader_epoch);
    /* An epoch that never was has no end: the answer stays -1, -1. */
    if (code != KAFKA_ERROR_NONE || item->request->leader_epoch > state.leader_epoch ||
        item->request->leader_epoch < 0) {
        epoch_end_item_end(item, code);
        return;
    }
    item->call =
        (struct engine_call){.done = epoch_end_on_found, .epoch = item->request->leader_epoch};
    partition_engine(item->partition)
        ->ops->part_epoch_end(partition_part(item->partition), &item->call);
}

static void epoch_end_run(struct fanout_item *fanout_item)
{
    struct epoch_end_item *item = container_of(fanout_item, struct epoch_end_item, item);
    const struct epoch_end *end = fanout_context(fanout_item->fanout);
    item->partition = broker_partition(end->broker, &item->id);
    if (item->partition == NULL) {
        epoch_end_item_end(item, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    item->ready.fn = epoch_end_on_ready;
    enum partition_error error = partition_when_ready(item->partition, &item->ready);
    if (error != PARTITION_PENDING)
        epoch_end_on_ready(&item->ready, error);
}

static void epoch_end_on_joined(struct fanout *fanout)
{
    struct epoch_end *end = fanout_context(fanout);
    request_complete(end->req);
}

static void epoch_end_partition(struct epoch_end *end, const struct topic *topic,
    const struct offset_for_leader_epoch_request_partition *request,
    struct offset_for_leader_epoch_response_partition *response)
{
    offset_for_leader_epoch_response_partition_init(response);
    response->partition = request->partition;
    response->leader_epoch = -1;
    response->end_offset = -1;
    struct part_id id;
    response->error_code = lookup_partition(end->req, topic, UUID_ZERO, request->partition, &id);
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    struct epoch_end_item *item = arena_new(&end->req->arena, struct epoch_end_item);
    item->id = id;
    item->request = request;
    item->response = response;
    fanout_add(end->fanout, &item->item, broker_topic_home(end->broker, topic, request->partition));
}

static size_t epoch_end_count(const struct offset_for_leader_epoch_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    return count;
}

enum handle_result offset_for_leader_epoch_handle(struct request *req,
    const struct offset_for_leader_epoch_request *request,
    struct offset_for_leader_epoch_response *response)
{
    if (lookup_too_many(req, epoch_end_count(request)))
        return HANDLE_CLOSE;
    struct epoch_end *end = arena_new(&req->arena, struct epoch_end);
    end->req = req;
    end->broker = req->conn->context;
    end->fanout = fanout_new(&req->arena, end->broker, epoch_end_run, epoch_end_on_joined, end);
    response->topics = arena_new_n(
        &req->arena, struct offset_for_leader_epoch_response_topic, (size_t)request->topics_count);
    response->topics_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct offset_for_leader_epoch_request_topic *asked = &request->topics[t];
        struct offset_for_leader_epoch_response_topic *answer = &response->topics[t];
        const struct topic *topic = lookup_topic(end->broker, asked->topic, UUID_ZERO);
        offset_for_leader_epoch_response_topic_init(answer);
        answer->topic = asked->topic;
        answer->partitions = arena_new_n(&req->arena,
            struct offset_for_leader_epoch_response_partition, (size_t)asked->partitions_count);
        answer->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++)
            epoch_end_partition(end, topic, &asked->partitions[p], &answer->partitions[p]);
    }
    fanout_start(end->fanout);
    return HANDLE_PARKED;
}
