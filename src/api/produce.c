// SPDX-License-Identifier: BSD-2-Clause
/*
 * Produce: check every batch here, on the connection's loop; append the good ones at their homes;
 * join; answer per partition. The batch stays in the request's frame all the way to the disk.
 *
 * acks=0 is never answered, but an error closes the connection, so that the producer notices.
 * acks=1 is answered when the batch is readable, acks=all when it is on the medium.
 */
#include "api/fanout.h"
#include "api/lookup.h"
#include "api/nodes.h"
#include "base/canary.h"
#include "base/log.h"
#include "broker/topics/image.h"
#include "broker/topics/replicas.h"
#include "broker/config/settings.h"
#include "net/request.h"
#include "store/batch/batch_check.h"
#include "wire/errors.gen.h"
#include "wire/produce.gen.h"

#include <inttypes.h>

#define VERSION_TOPICS_BY_ID 13 /* names before it */

struct produce {
    struct request *req;
    struct broker *broker;
    bool quiet, durable; /* acks=0; acks=all */
    struct slice transactional_id;
    int64_t now_ms; /* real: the append time where the topic wants it */
    struct fanout *fanout;
    struct produce_response *response;
};

enum { PRODUCE_ABORTABLE_SINCE = 11, PRODUCE_TXN_ADDS_SINCE = 12 };

struct produce_item {
    struct fanout_item item;
    struct part_id id;
    struct partition_append append;
    struct produce_response_partition *response;
};

static void produce_item_end(struct produce_item *item, enum partition_error error)
{
    struct produce_response_partition *response = item->response;
    const struct partition_append *append = &item->append;
    response->error_code = lookup_partition_error(error);
    const struct produce *produce = fanout_context(item->item.fanout);
    if (error == PARTITION_NOT_IN_TXN && produce->req->version >= PRODUCE_ABORTABLE_SINCE)
        response->error_code = KAFKA_ERROR_TRANSACTION_ABORTABLE;
    response->log_start_offset = append->log_start;
    if (error == PARTITION_OK) {
        response->base_offset = append->base_offset + (canary(WRONG_OFFSET) ? 1 : 0);
        if (append->duplicate_timestamp >= 0)
            response->log_append_time_ms = append->duplicate_timestamp;
        else if ((append->header.attributes & BATCH_LOG_APPEND_TIME) != 0)
            response->log_append_time_ms = append->header.max_timestamp;
    }
    fanout_item_done(&item->item);
}

static void produce_on_appended(struct partition_append *append, enum partition_error error)
{
    produce_item_end(container_of(append, struct produce_item, append), error);
}

static void produce_run(struct fanout_item *fanout_item)
{
    struct produce_item *item = container_of(fanout_item, struct produce_item, item);
    const struct produce *produce = fanout_context(fanout_item->fanout);
    struct partition *partition = broker_partition(produce->broker, &item->id);
    if (partition == NULL) { /* deleted meanwhile */
        item->response->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        fanout_item_done(fanout_item);
        return;
    }
    enum partition_error error = partition_append(partition, &item->append);
    if (error != PARTITION_PENDING)
        produce_item_end(item, error);
}

static bool produce_has_error(const struct produce_response *response)
{
    for (int32_t t = 0; t < response->responses_count; t++) {
        const struct produce_response_topic *topic = &response->responses[t];
        for (int32_t p = 0; p < topic->partition_responses_count; p++) {
            if (topic->partition_responses[p].error_code != KAFKA_ERROR_NONE)
                return true;
        }
    }
    return false;
}

static void produce_on_joined(struct fanout *fanout)
{
    struct produce *produce = fanout_context(fanout);
    struct request *req = produce->req;
    if (produce->quiet) {
        req->no_reply = true;
        if (produce_has_error(produce->response)) {
            log_info("produce.unacknowledged.failed", "conn=%" PRIu64 " client=%s action=close",
                req->conn->id, log_quote(req->client_id).str);
            req->close = true;
        }
    }
    request_complete(req);
}

static int16_t produce_fault_code(enum batch_fault fault)
{
    switch (fault) {
    case BATCH_GOOD: return KAFKA_ERROR_NONE;
    case BATCH_NOT_ONE:
    case BATCH_INVALID: return KAFKA_ERROR_INVALID_RECORD;
    case BATCH_CODEC_UNKNOWN: return KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE;
    case BATCH_TOO_LARGE: return KAFKA_ERROR_MESSAGE_TOO_LARGE;
    case BATCH_CORRUPT: return KAFKA_ERROR_CORRUPT_MESSAGE;
    case BATCH_TIMESTAMP: return KAFKA_ERROR_INVALID_TIMESTAMP;
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

static int16_t produce_refuse(
    struct produce_response_partition *response, int16_t error_code, const char *message)
{
    response->error_code = error_code;
    response->error_message = slice_from_str(message);
    return error_code;
}

static void produce_name_records(struct produce *produce, const struct batch_verdict *verdict,
    struct produce_response_partition *response)
{
    if (verdict->record_faults_count == 0)
        return;
    response->record_errors = arena_new_n(&produce->req->arena,
        struct produce_response_record_error, (size_t)verdict->record_faults_count);
    response->record_errors_count = verdict->record_faults_count;
    for (int32_t i = 0; i < verdict->record_faults_count; i++) {
        struct produce_response_record_error *error = &response->record_errors[i];
        error->batch_index = verdict->record_faults[i].index;
        error->batch_index_error_message = slice_from_str(verdict->record_faults[i].message);
    }
}

/* The batch against the topic's rules. */
static int16_t produce_check_batch(struct produce *produce, const struct topic *topic,
    struct slice records, struct batch_verdict *verdict,
    struct produce_response_partition *response)
{
    const struct topic_config *config = &topic->config;
    struct batch_rules rules = {
        .size_max = config->message_size_max,
        .compression = config->compression,
        .levels = &config->levels,
        .zstd_allowed = produce->req->version >= 7,
        .compact = config->compact,
        .log_append_time = config->log_append_time,
        .now_ms = produce->now_ms,
        .timestamp_before_ms_max = config->timestamp_before_ms_max,
        .timestamp_after_ms_max = config->timestamp_after_ms_max,
    };
    /* The frame is the request's own: patching is what it is for. */
    batch_check(
        (uint8_t *)(uintptr_t)records.data, records.size, &rules, &produce->req->arena, verdict);
    if (verdict->fault != BATCH_GOOD) {
        produce_name_records(produce, verdict, response);
        return produce_refuse(response, produce_fault_code(verdict->fault), verdict->message);
    }
    if (verdict->size > config->part.segment_size_max)
        return produce_refuse(response, KAFKA_ERROR_RECORD_LIST_TOO_LARGE,
            "The record batch is larger than segment.bytes");
    if (verdict->size > ENGINE_APPEND_SIZE_MAX)
        return produce_refuse(response, KAFKA_ERROR_RECORD_LIST_TOO_LARGE,
            "The record batch is larger than a segment can be");
    if ((verdict->header.attributes & BATCH_TRANSACTIONAL) == 0)
        return KAFKA_ERROR_NONE;
    if (verdict->header.producer_id < 0)
        return produce_refuse(
            response, KAFKA_ERROR_INVALID_RECORD, "A transactional batch needs a producer id");
    if (slice_is_null(produce->transactional_id))
        return produce_refuse(response, KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            "A transactional batch needs a transactional id");
    return KAFKA_ERROR_NONE;
}

/* What can be said before the records are looked at. */
static int16_t produce_check_topic(struct produce *produce, const struct topic *topic,
    struct slice asked_name, struct uuid asked_id, int32_t index, struct part_id *ret_id)
{
    if (topic_name_internal(topic == NULL ? asked_name : slice_from_str(topic->name)) &&
        !slice_equal_str(produce->req->client_id, "__admin_client"))
        return KAFKA_ERROR_INVALID_TOPIC_EXCEPTION; /* whether or not it exists */
    int16_t error = lookup_partition(produce->req, topic, asked_id, index, ret_id);
    if (topic == NULL && produce->req->version >= VERSION_TOPICS_BY_ID)
        return KAFKA_ERROR_UNKNOWN_TOPIC_ID; /* also for the id that is zero */
    if (error != KAFKA_ERROR_NONE)
        return error;
    /* All replicas are in sync, but there may be fewer than the topic wants; the lenient mode that
     * accepts a replication factor above the number of brokers accepts what goes with it. */
    if (produce->durable &&
        topic->config.min_insync_replicas >
            (topic->replicas == NULL ? 1 : topic->replicas[index].count) &&
        !broker_settings(produce->broker)->replication_lenient)
        return KAFKA_ERROR_NOT_ENOUGH_REPLICAS;
    return KAFKA_ERROR_NONE;
}

/* Where to ask instead, so that the client need not look for it. */
static void produce_tell_leader(struct produce *produce, const struct topic *topic, int32_t index,
    struct produce_response_partition *response)
{
    struct produce_response *answer = produce->response;
    int32_t leader = broker_leader(produce->broker, topic, index);
    response->current_leader =
        (struct produce_response_current_leader){leader, topic_leader_epoch(topic, index)};
    for (int32_t i = 0; i < answer->node_endpoints_count; i++) {
        if (answer->node_endpoints[i].node_id == leader)
            return;
    }
    if (answer->node_endpoints == NULL)
        answer->node_endpoints = arena_new_n(&produce->req->arena,
            struct produce_response_node_endpoint, (size_t)broker_nodes_count(produce->broker));
    struct node_endpoint at = node_endpoint(produce->req, leader);
    answer->node_endpoints[answer->node_endpoints_count++] =
        (struct produce_response_node_endpoint){at.node, at.host, at.port, at.rack};
}

static void produce_partition(struct produce *produce, const struct topic *topic,
    const struct produce_request_topic *asked, const struct produce_request_partition *request,
    struct produce_response_partition *response)
{
    produce_response_partition_init(response);
    response->index = request->index;
    response->base_offset = -1;
    struct part_id id;
    response->error_code =
        produce_check_topic(produce, topic, asked->name, asked->topic_id, request->index, &id);
    if (response->error_code == KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER)
        produce_tell_leader(produce, topic, request->index, response);
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    struct batch_verdict verdict;
    if (produce_check_batch(produce, topic, request->records.bytes, &verdict, response) !=
        KAFKA_ERROR_NONE)
        return;
    struct produce_item *item = arena_new(&produce->req->arena, struct produce_item);
    item->id = id;
    item->response = response;
    item->append.data = verdict.data;
    item->append.size = verdict.size;
    item->append.header = verdict.header;
    item->append.durable = produce->durable;
    item->append.transactional_id = produce->transactional_id;
    item->append.txn_add = produce->req->version >= PRODUCE_TXN_ADDS_SINCE;
    item->append.origin = loop_current();
    item->append.done = produce_on_appended;
    fanout_add(
        produce->fanout, &item->item, broker_topic_home(produce->broker, topic, request->index));
}

static void produce_topic(struct produce *produce, const struct produce_request_topic *request,
    bool acks_valid, struct produce_response_topic *response)
{
    produce_response_topic_init(response);
    response->name = request->name;
    response->topic_id = request->topic_id;
    response->partition_responses = arena_new_n(&produce->req->arena,
        struct produce_response_partition, (size_t)request->partition_data_count);
    response->partition_responses_count = request->partition_data_count;
    const struct topic *topic = lookup_topic(produce->broker, request->name, request->topic_id);
    for (int32_t p = 0; p < request->partition_data_count; p++) {
        struct produce_response_partition *partition = &response->partition_responses[p];
        if (acks_valid) {
            produce_partition(produce, topic, request, &request->partition_data[p], partition);
        } else {
            produce_response_partition_init(partition);
            partition->index = request->partition_data[p].index;
            partition->base_offset = -1;
            partition->error_code = KAFKA_ERROR_INVALID_REQUIRED_ACKS;
        }
    }
}

static size_t produce_count(const struct produce_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topic_data_count; t++)
        count += (size_t)request->topic_data[t].partition_data_count;
    return count;
}

enum handle_result produce_handle(
    struct request *req, const struct produce_request *request, struct produce_response *response)
{
    if (lookup_too_many(req, produce_count(request)))
        return HANDLE_CLOSE;
    struct broker *broker = req->conn->context;
    struct produce *produce = arena_new(&req->arena, struct produce);
    produce->req = req;
    produce->broker = broker;
    produce->quiet = request->acks == 0;
    produce->durable = request->acks == -1;
    produce->transactional_id = request->transactional_id;
    produce->now_ms = env_real_ms(broker_env(broker));
    produce->response = response;
    produce->fanout = fanout_new(&req->arena, broker, produce_run, produce_on_joined, produce);
    bool acks_valid = request->acks >= -1 && request->acks <= 1;
    response->responses =
        arena_new_n(&req->arena, struct produce_response_topic, (size_t)request->topic_data_count);
    response->responses_count = request->topic_data_count;
    for (int32_t t = 0; t < request->topic_data_count; t++)
        produce_topic(produce, &request->topic_data[t], acks_valid, &response->responses[t]);
    fanout_start(produce->fanout);
    return HANDLE_PARKED;
}
