// SPDX-License-Identifier: BSD-2-Clause
/* DeleteRecords: moves the start of partitions' logs, durably; nothing below it is readable any
 * more. */
#include "api/fanout.h"
#include "api/lookup.h"
#include "net/request.h"
#include "wire/delete_records.gen.h"
#include "wire/errors.gen.h"

#define DELETE_RECORDS_HIGH_WATERMARK ((int64_t)-1) /* as an offset: everything readable */

struct delete_records {
    struct request *req;
    struct broker *broker;
    struct fanout *fanout;
};

struct delete_records_item {
    struct fanout_item item;
    struct part_id id;
    int64_t offset;
    struct partition *partition;
    struct partition_ready ready;
    struct engine_call call;
    struct delete_records_response_partition *response;
};

static void delete_records_end(struct delete_records_item *item, int16_t error_code)
{
    item->response->error_code = error_code;
    fanout_item_done(&item->item);
}

static void delete_records_on_moved(struct engine_call *call, enum engine_status status)
{
    struct delete_records_item *item = container_of(call, struct delete_records_item, call);
    if (status == ENGINE_OK) {
        struct part_state state;
        partition_get_state(item->partition, &state);
        item->response->low_watermark = state.log_start;
    }
    delete_records_end(item, lookup_engine_error(status));
}

static void delete_records_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct delete_records_item *item = container_of(ready, struct delete_records_item, ready);
    if (error != PARTITION_OK) {
        delete_records_end(item, lookup_partition_error(error));
        return;
    }
    struct part_state state;
    partition_get_state(item->partition, &state);
    int64_t offset =
        item->offset == DELETE_RECORDS_HIGH_WATERMARK ? state.high_watermark : item->offset;
    if (offset < 0 || offset > state.high_watermark) {
        delete_records_end(item, KAFKA_ERROR_OFFSET_OUT_OF_RANGE);
        return;
    }
    item->call = (struct engine_call){.done = delete_records_on_moved, .offset = offset};
    partition_engine(item->partition)
        ->ops->part_set_log_start(partition_part(item->partition), &item->call);
}

static void delete_records_run(struct fanout_item *fanout_item)
{
    struct delete_records_item *item = container_of(fanout_item, struct delete_records_item, item);
    const struct delete_records *delete = fanout_context(fanout_item->fanout);
    item->partition = broker_partition(delete->broker, &item->id);
    if (item->partition == NULL) {
        delete_records_end(item, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    item->ready.fn = delete_records_on_ready;
    enum partition_error error = partition_when_ready(item->partition, &item->ready);
    if (error != PARTITION_PENDING)
        delete_records_on_ready(&item->ready, error);
}

static void delete_records_on_joined(struct fanout *fanout)
{
    struct delete_records *delete = fanout_context(fanout);
    request_complete(delete->req);
}

static void delete_records_partition(struct delete_records *delete, const struct topic *topic,
    const struct delete_records_request_partition *request,
    struct delete_records_response_partition *response)
{
    delete_records_response_partition_init(response);
    response->partition_index = request->partition_index;
    response->low_watermark = -1;
    struct part_id id;
    response->error_code =
        lookup_partition(delete->req, topic, UUID_ZERO, request->partition_index, &id);
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    if (topic->internal) {
        response->error_code = KAFKA_ERROR_INVALID_TOPIC_EXCEPTION;
        return;
    }
    if (!topic->config.delete) { /* a log that is only compacted has no start to be moved */
        response->error_code = KAFKA_ERROR_POLICY_VIOLATION;
        return;
    }
    struct delete_records_item *item = arena_new(&delete->req->arena, struct delete_records_item);
    item->id = id;
    item->offset = request->offset;
    item->response = response;
    fanout_add(delete->fanout, &item->item,
        broker_topic_home(delete->broker, topic, request->partition_index));
}

static size_t delete_records_count(const struct delete_records_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    return count;
}

enum handle_result delete_records_handle(struct request *req,
    const struct delete_records_request *request, struct delete_records_response *response)
{
    if (lookup_too_many(req, delete_records_count(request)))
        return HANDLE_CLOSE;
    struct delete_records *delete = arena_new(&req->arena, struct delete_records);
    delete->req = req;
    delete->broker = req->conn->context;
    delete->fanout = fanout_new(
        &req->arena, delete->broker, delete_records_run, delete_records_on_joined, delete);
    response->topics = arena_new_n(
        &req->arena, struct delete_records_response_topic, (size_t)request->topics_count);
    response->topics_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct delete_records_request_topic *asked = &request->topics[t];
        struct delete_records_response_topic *answer = &response->topics[t];
        const struct topic *topic = lookup_topic(delete->broker, asked->name, UUID_ZERO);
        delete_records_response_topic_init(answer);
        answer->name = asked->name;
        answer->partitions = arena_new_n(
            &req->arena, struct delete_records_response_partition, (size_t)asked->partitions_count);
        answer->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++)
            delete_records_partition(delete, topic, &asked->partitions[p], &answer->partitions[p]);
    }
    fanout_start(delete->fanout);
    return HANDLE_PARKED;
}
