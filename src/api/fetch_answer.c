// SPDX-License-Identifier: BSD-2-Clause
#include "api/fetch_internal.h"
#include "api/lookup.h"
#include "api/nodes.h"
#include "broker/partition/txn_index.h"
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
    int16_t error = lookup_partition(fetch->req, topic, asked_id, index, ret_id);
    if (topic == NULL && fetch->req->version >= VERSION_TOPICS_BY_ID)
        return KAFKA_ERROR_UNKNOWN_TOPIC_ID; /* also for the id that is zero */
    if (error != KAFKA_ERROR_NONE)
        return error;
    /* Clients of that age cannot decompress it. */
    if (topic->config.compression == BATCH_ZSTD && fetch->req->version < 10)
        return KAFKA_ERROR_UNSUPPORTED_COMPRESSION_TYPE;
    return KAFKA_ERROR_NONE;
}

/* Where to ask instead, so that the client need not look for it. */
static void fetch_tell_leader(struct fetch *fetch, const struct topic *topic, int32_t index,
    struct fetch_response_partition *response)
{
    struct fetch_response *answer = fetch->response;
    int32_t leader = broker_leader(fetch->broker, topic, index);
    response->current_leader =
        (struct fetch_response_current_leader){leader, topic_leader_epoch(topic, index)};
    for (int32_t i = 0; i < answer->node_endpoints_count; i++) {
        if (answer->node_endpoints[i].node_id == leader)
            return;
    }
    if (answer->node_endpoints == NULL)
        answer->node_endpoints = arena_new_n(&fetch->req->arena,
            struct fetch_response_node_endpoint, (size_t)broker_nodes_count(fetch->broker));
    struct node_endpoint at = node_endpoint(fetch->req, leader);
    answer->node_endpoints[answer->node_endpoints_count++] =
        (struct fetch_response_node_endpoint){at.node, at.host, at.port, at.rack};
}

static void fetch_prepare_ask(struct fetch *fetch, size_t index, const struct topic *topic)
{
    const struct fetch_ask *ask = &fetch->asks[index];
    struct fetch_response_partition *response = &fetch->partitions[index];
    fetch_partition_init(fetch, response);
    response->partition_index = ask->name.partition;
    struct part_id id;
    response->error_code = fetch_check(fetch, topic, ask->name.topic_id, ask->name.partition, &id);
    if (response->error_code == KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER)
        fetch_tell_leader(fetch, topic, ask->name.partition, response);
    if (response->error_code != KAFKA_ERROR_NONE) {
        fetch->failed = true;
        return;
    }
    struct fetch_item *item = &fetch->items[fetch->items_count++];
    item->id = id;
    item->home = broker_topic_home(fetch->broker, topic, ask->name.partition);
    item->leg = &fetch->legs[loop_index(item->home)];
    item->size_max = ask->size_max < 0 ? 0 : (uint32_t)ask->size_max;
    item->read.offset = ask->offset;
    item->read.leader_epoch = ask->leader_epoch;
    item->read.read_committed = fetch->read_committed;
    item->response = response;
}

static bool fetch_same_topic(const struct fetch_ask *a, const struct fetch_ask *b)
{
    return uuid_equal(a->name.topic_id, b->name.topic_id) &&
           slice_equal(a->name.topic, b->name.topic);
}

void fetch_prepare(struct fetch *fetch)
{
    struct arena *arena = &fetch->req->arena;
    fetch->items = arena_new_n(arena, struct fetch_item, fetch->asks_count);
    fetch->partitions = arena_new_n(arena, struct fetch_response_partition, fetch->asks_count);
    unsigned loops_count = broker_loops_count(fetch->broker);
    fetch->legs = arena_new_n(arena, struct fetch_leg, loops_count);
    for (unsigned i = 0; i < loops_count; i++)
        fetch->legs[i].fetch = fetch;
    const struct topic *topic = NULL;
    for (size_t i = 0; i < fetch->asks_count; i++) {
        const struct fetch_ask *ask = &fetch->asks[i];
        if (i == 0 || !fetch_same_topic(ask, ask - 1))
            topic = lookup_topic(fetch->broker, ask->name.topic, ask->name.topic_id);
        fetch_prepare_ask(fetch, i, topic);
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

/* --- what the client is told --- */

/* One topic per run of partitions of the same topic; `told` (NULL: all) says which are answered. */
static void fetch_fill_topics(struct fetch *fetch, const bool *told)
{
    size_t count = 0, runs = 0;
    const struct fetch_ask *last = NULL;
    struct fetch_response_topic *topics =
        arena_new_n(&fetch->req->arena, struct fetch_response_topic, fetch->asks_count);
    for (size_t i = 0; i < fetch->asks_count; i++) {
        if (told != NULL && !told[i])
            continue;
        const struct fetch_ask *ask = &fetch->asks[i];
        fetch->partitions[count] = fetch->partitions[i];
        if (last == NULL || !fetch_same_topic(ask, last)) {
            struct fetch_response_topic *topic = &topics[runs++];
            fetch_response_topic_init(topic);
            /* A session's copy may go before the answer is encoded. */
            topic->topic = ask->part == NULL
                               ? ask->name.topic
                               : arena_copy_slice(&fetch->req->arena, ask->name.topic);
            topic->topic_id = ask->name.topic_id;
            topic->partitions = &fetch->partitions[count];
        }
        topics[runs - 1].partitions_count++;
        last = ask;
        count++;
    }
    fetch->response->responses = topics;
    fetch->response->responses_count = (int32_t)runs;
}

/* Remembers what is told; true when there is something to tell. */
static bool fetch_part_tell(
    struct fetch_session_part *part, const struct fetch_response_partition *response)
{
    bool news = response->error_code != KAFKA_ERROR_NONE || response->records.chunks_count > 0 ||
                response->high_watermark != part->high_watermark ||
                response->last_stable_offset != part->last_stable_offset ||
                response->log_start_offset != part->log_start;
    part->high_watermark = response->high_watermark; /* -1 after an error: told again */
    part->last_stable_offset = response->last_stable_offset;
    part->log_start = response->log_start_offset;
    return news;
}

static void fetch_fill_incremental(struct fetch *fetch)
{
    struct fetch_session *session = fetch->session;
    fetch->response->session_id = session->id;
    if (session->epoch != fetch->session_epoch) { /* the client did not wait */
        fetch_release(fetch);
        fetch->response->error_code = KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH;
        return;
    }
    bool *told = arena_new_n(&fetch->req->arena, bool, fetch->asks_count);
    for (size_t i = 0; i < fetch->asks_count; i++) {
        struct fetch_session_part *part = fetch->asks[i].part;
        told[i] = fetch_part_tell(part, &fetch->partitions[i]);
        if (fetch->partitions[i].records.chunks_count > 0)
            fetch_session_rotate(session, part);
    }
    fetch_fill_topics(fetch, told);
}

/* A full answer begins a session, when there is room. */
static void fetch_fill_full(struct fetch *fetch)
{
    fetch_fill_topics(fetch, NULL);
    if (!fetch->session_wanted || fetch->cancelled)
        return;
    struct fetch_session *session = fetch_sessions_open(broker_fetch_sessions(fetch->broker),
        fetch->asks_count, fetch->by_id, loop_now_ms(fetch->loop));
    if (session == NULL)
        return;
    for (size_t i = 0; i < fetch->asks_count; i++) {
        const struct fetch_ask *ask = &fetch->asks[i];
        struct fetch_session_part *part = fetch_session_put(session, &ask->name);
        part->offset = ask->offset;
        part->leader_epoch = ask->leader_epoch;
        part->size_max = ask->size_max;
        fetch_part_tell(part, &fetch->partitions[i]);
    }
    for (size_t i = 0; i < fetch->asks_count; i++) {
        if (fetch->partitions[i].records.chunks_count > 0)
            fetch_session_rotate(session, fetch_session_put(session, &fetch->asks[i].name));
    }
    if (fetch_session_touch(session, loop_now_ms(fetch->loop)))
        fetch->response->session_id = session->id;
}

void fetch_fill(struct fetch *fetch)
{
    for (size_t i = 0; i < fetch->items_count; i++)
        fetch_answer_item(&fetch->items[i], &fetch->req->arena);
    if (fetch->session == NULL) {
        fetch_fill_full(fetch);
        return;
    }
    fetch_fill_incremental(fetch);
    fetch_session_unref(steal(&fetch->session));
}
