// SPDX-License-Identifier: BSD-2-Clause
#include "api/fetch_internal.h"
#include "api/lookup.h"
#include "broker/txn_index.h"
#include "wire/errors.gen.h"

#define VERSION_TOPICS_BY_ID 13 /* names before it */

/* What a partition answers before anything is known of it, and with every error. */
static void fetch_partition_init(struct fetch *fetch, struct fetch_response_partition *response)
{
    fetch_response_partition_init(response);
    response->high_watermark = -1;
    response->last_stable_offset = -1;
    response->log_start_offset = -1;
    response->preferred_read_replica = -1;
    response->records = RECORDS_EMPTY;
    /* Null says: not asked for. An empty list: no aborted transaction in this range. */
    response->aborted_transactions = NULL;
    response->aborted_transactions_count = fetch->read_committed ? 0 : -1;
}

static int16_t fetch_check(struct fetch *fetch, const struct topic *topic, struct uuid asked_id,
    int32_t index, struct part_id *ret_id)
{
    int16_t error = lookup_partition(topic, asked_id, index, ret_id);
    if (topic == NULL && fetch->req->version >= VERSION_TOPICS_BY_ID)
        return KAFKA_ERROR_UNKNOWN_TOPIC_ID; /* also for the id that is zero */
    if (error != KAFKA_ERROR_NONE)
        return error;
    /* Clients of that age cannot decompress it. */
    if (topic->config.compression == BATCH_ZSTD && fetch->req->version < 10)
        return KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE;
    return KAFKA_ERROR_NONE;
}

static void fetch_prepare_partition(struct fetch *fetch, const struct topic *topic,
    struct uuid asked_id, const struct fetch_request_partition *request,
    struct fetch_response_partition *response)
{
    fetch_partition_init(fetch, response);
    response->partition_index = request->partition;
    struct part_id id;
    response->error_code = fetch_check(fetch, topic, asked_id, request->partition, &id);
    if (response->error_code != KAFKA_ERROR_NONE) {
        fetch->failed = true;
        return;
    }
    struct fetch_item *item = &fetch->items[fetch->items_count++];
    item->id = id;
    item->home = broker_topic_home(fetch->broker, topic, request->partition);
    item->leg = &fetch->legs[loop_index(item->home)];
    item->size_max = request->partition_max_bytes < 0 ? 0 : (uint32_t)request->partition_max_bytes;
    item->read.offset = request->fetch_offset;
    item->read.leader_epoch = request->current_leader_epoch;
    item->read.read_committed = fetch->read_committed;
    item->response = response;
}

void fetch_prepare(struct fetch *fetch, const struct fetch_request *request)
{
    struct arena *arena = &fetch->req->arena;
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    fetch->items = arena_new_n(arena, struct fetch_item, count);
    unsigned loops_count = broker_loops_count(fetch->broker);
    fetch->legs = arena_new_n(arena, struct fetch_leg, loops_count);
    for (unsigned i = 0; i < loops_count; i++)
        fetch->legs[i].fetch = fetch;
    fetch->response->responses =
        arena_new_n(arena, struct fetch_response_topic, (size_t)request->topics_count);
    fetch->response->responses_count = request->topics_count;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct fetch_request_topic *asked = &request->topics[t];
        struct fetch_response_topic *answer = &fetch->response->responses[t];
        const struct topic *topic = lookup_topic(fetch->broker, asked->topic, asked->topic_id);
        fetch_response_topic_init(answer);
        answer->topic = asked->topic;
        answer->topic_id = asked->topic_id;
        answer->partitions =
            arena_new_n(arena, struct fetch_response_partition, (size_t)asked->partitions_count);
        answer->partitions_count = asked->partitions_count;
        for (int32_t p = 0; p < asked->partitions_count; p++)
            fetch_prepare_partition(
                fetch, topic, asked->topic_id, &asked->partitions[p], &answer->partitions[p]);
    }
}

static void fetch_item_release(struct fetch_item *item)
{
    free(steal(&item->read.aborted));
    item->read.aborted_count = 0;
    for (unsigned i = 0; i < item->read.engine.n_chunks; i++)
        chunk_release(&item->read.engine.chunks[i]);
    item->read.engine.n_chunks = 0;
    item->read.engine.size = 0;
}

void fetch_release(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->items_count; i++)
        fetch_item_release(&fetch->items[i]);
}

bool fetch_trim(struct fetch *fetch)
{
    uint64_t size = 0;
    bool failed = fetch->failed, full = false;
    for (size_t i = 0; i < fetch->items_count; i++) {
        struct fetch_item *item = &fetch->items[i];
        uint64_t more = item->read.engine.size;
        failed = failed || item->error_code != KAFKA_ERROR_NONE;
        if (more == 0)
            continue;
        if (size > 0 && (more > item->size_max || size + more > fetch->size_max)) {
            fetch_item_release(item);
            full = true;
        } else {
            size += more;
        }
    }
    return failed || full || size >= fetch->size_min;
}

static void fetch_answer_aborted(struct fetch_item *item, struct arena *arena)
{
    struct fetch_response_partition *response = item->response;
    size_t count = item->read.aborted_count;
    response->aborted_transactions =
        arena_new_n(arena, struct fetch_response_aborted_transaction, count);
    for (size_t i = 0; i < count; i++)
        response->aborted_transactions[response->aborted_transactions_count++] =
            (struct fetch_response_aborted_transaction){
                item->read.aborted[i].producer_id, item->read.aborted[i].first_offset};
    free(steal(&item->read.aborted));
}

static void fetch_answer_item(struct fetch_item *item, struct arena *arena)
{
    struct fetch_response_partition *response = item->response;
    response->error_code = item->error_code;
    if (item->error_code != KAFKA_ERROR_NONE) {
        free(steal(&item->read.aborted));
        return;
    }
    if (item->read.aborted_count > 0)
        fetch_answer_aborted(item, arena);
    response->high_watermark = item->read.high_watermark;
    response->last_stable_offset = item->read.last_stable_offset;
    response->log_start_offset = item->read.log_start;
    if (item->read.engine.n_chunks > 0)
        response->records = (struct records){
            .chunks = item->read.engine.chunks,
            .chunks_count = (int32_t)item->read.engine.n_chunks,
        };
}

void fetch_answer(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->items_count; i++)
        fetch_answer_item(&fetch->items[i], &fetch->req->arena);
    request_complete(fetch->req);
}
