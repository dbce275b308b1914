// SPDX-License-Identifier: BSD-2-Clause
/*
 * ListOffsets: the ends of a partition, or the first record at or after a time. The engine knows
 * times per batch; the walk in list_offsets_search.c finds the record within.
 */
#include "api/list_offsets_internal.h"
#include "api/lookup.h"
#include "base/map.h"
#include "wire/errors.gen.h"

/* Timestamps that mean something else. */
enum {
    LIST_LATEST = -1,
    LIST_EARLIEST = -2,
    LIST_MAX_TIMESTAMP = -3,
    LIST_EARLIEST_LOCAL = -4,
    LIST_LATEST_TIERED = -5,
    LIST_EARLIEST_PENDING_UPLOAD = -6,
};

static bool list_offsets_supported(int64_t timestamp, int16_t version)
{
    switch (timestamp) {
    case LIST_LATEST:
    case LIST_EARLIEST: return true;
    case LIST_MAX_TIMESTAMP: return version >= 7;
    case LIST_EARLIEST_LOCAL: return version >= 8;
    case LIST_LATEST_TIERED: return version >= 9;
    case LIST_EARLIEST_PENDING_UPLOAD: return version >= 11;
    default: return timestamp >= 0;
    }
}

/* --- at the home --- */

void list_offsets_end(struct list_offsets_item *item, int16_t error_code)
{
    item->response->error_code = error_code;
    fanout_item_done(&item->item);
}

static void list_offsets_found(
    struct list_offsets_item *item, int64_t offset, int64_t timestamp, int32_t leader_epoch)
{
    struct list_offsets_response_partition *response = item->response;
    response->offset = offset;
    response->timestamp = timestamp;
    response->leader_epoch = leader_epoch;
    list_offsets_end(item, KAFKA_ERROR_NONE);
}

/* Version 0 has a list: the offset asked for and, when there is room, what lies below it. */
static void list_offsets_old_style(
    struct list_offsets_item *item, const struct part_state *state, int64_t offset)
{
    struct list_offsets_response_partition *response = item->response;
    int32_t room = item->request->max_num_offsets;
    if (room > 0)
        item->old_style[response->old_style_offsets_count++] = offset;
    if (room > 1 && offset > state->log_start)
        item->old_style[response->old_style_offsets_count++] = state->log_start;
    response->old_style_offsets = item->old_style;
    list_offsets_end(item, KAFKA_ERROR_NONE);
}

void list_offsets_answer(
    struct list_offsets_item *item, int64_t offset, int64_t timestamp, int32_t leader_epoch)
{
    struct part_state state;
    partition_get_state(item->partition, &state);
    /* Nothing that cannot be read yet. */
    bool none = offset < 0 || offset >= list_offsets_readable_end(item);
    if (item->version == 0)
        list_offsets_old_style(item, &state, none ? list_offsets_readable_end(item) : offset);
    else if (none)
        list_offsets_found(item, -1, -1, -1);
    else
        list_offsets_found(item, offset, timestamp, leader_epoch);
}

int64_t list_offsets_readable_end(const struct list_offsets_item *item)
{
    struct part_state state;
    partition_get_state(item->partition, &state);
    return item->read_committed ? partition_last_stable_offset(item->partition)
                                : state.high_watermark;
}

static void list_offsets_edge(
    struct list_offsets_item *item, const struct part_state *state, int64_t offset)
{
    if (item->version == 0) {
        list_offsets_old_style(item, state, offset);
        return;
    }
    /* The epoch of the first record is not at hand unless there has been only one epoch. */
    bool epoch_known = item->request->timestamp == LIST_LATEST || state->leader_epoch == 0;
    list_offsets_found(item, offset, -1, epoch_known ? state->leader_epoch : -1);
}

static void list_offsets_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct list_offsets_item *item = container_of(ready, struct list_offsets_item, ready);
    if (error != PARTITION_OK) {
        list_offsets_end(item, lookup_partition_error(error));
        return;
    }
    struct part_state state;
    partition_get_state(item->partition, &state);
    int16_t code = lookup_epoch_error(item->request->current_leader_epoch, state.leader_epoch);
    if (code != KAFKA_ERROR_NONE) {
        list_offsets_end(item, code);
        return;
    }
    switch (item->request->timestamp) {
    case LIST_LATEST: list_offsets_edge(item, &state, list_offsets_readable_end(item)); break;
    case LIST_EARLIEST:
    case LIST_EARLIEST_LOCAL: list_offsets_edge(item, &state, state.log_start); break;
    case LIST_LATEST_TIERED: /* nothing is, or will be, in another tier */
    case LIST_EARLIEST_PENDING_UPLOAD: list_offsets_found(item, -1, -1, -1); break;
    case LIST_MAX_TIMESTAMP: list_offsets_search_max(item); break;
    default: list_offsets_search_time(item); break;
    }
}

static void list_offsets_run(struct fanout_item *fanout_item)
{
    struct list_offsets_item *item = container_of(fanout_item, struct list_offsets_item, item);
    const struct list_offsets *list = fanout_context(fanout_item->fanout);
    item->partition = broker_partition(list->broker, &item->id);
    if (item->partition == NULL) {
        list_offsets_end(item, KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    item->ready.fn = list_offsets_on_ready;
    enum partition_error error = partition_when_ready(item->partition, &item->ready);
    if (error != PARTITION_PENDING)
        list_offsets_on_ready(&item->ready, error);
}

/* --- on the connection's loop --- */

static void list_offsets_on_joined(struct fanout *fanout)
{
    struct list_offsets *list = fanout_context(fanout);
    request_complete(list->req);
}

static void list_offsets_partition(struct list_offsets *list, const struct topic *topic,
    const struct list_offsets_request_partition *request,
    struct list_offsets_response_partition *response, bool read_committed)
{
    struct part_id id;
    response->error_code =
        lookup_partition(list->req, topic, UUID_ZERO, request->partition_index, &id);
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    if (!list_offsets_supported(request->timestamp, list->req->version)) {
        response->error_code = KAFKA_ERROR_UNSUPPORTED_VERSION;
        return;
    }
    struct list_offsets_item *item = arena_new(&list->req->arena, struct list_offsets_item);
    item->id = id;
    item->request = request;
    item->response = response;
    item->version = list->req->version;
    item->read_committed = read_committed;
    fanout_add(list->fanout, &item->item,
        broker_topic_home(list->broker, topic, request->partition_index));
}

/* Topic and index of what the request names, to find what it names twice. */
struct list_offsets_seen {
    struct {
        const struct topic *topic;
        int64_t index;
    } key;
    bool twice, told;
};

static struct map list_offsets_see(
    const struct list_offsets *list, const struct list_offsets_request *request)
{
    struct map seen = MAP_NULL;
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct list_offsets_request_topic *asked = &request->topics[t];
        const struct topic *topic = lookup_topic(list->broker, asked->name, UUID_ZERO);
        for (int32_t p = 0; topic != NULL && p < asked->partitions_count; p++) {
            struct list_offsets_seen *entry =
                arena_new(&list->req->arena, struct list_offsets_seen);
            entry->key.topic = topic;
            entry->key.index = asked->partitions[p].partition_index;
            struct slice key = slice_make(&entry->key, sizeof(entry->key));
            struct list_offsets_seen *before = map_get(&seen, key);
            if (before != NULL)
                before->twice = true;
            else
                map_put(&seen, key, entry);
        }
    }
    return seen;
}

/* NULL: named once. */
static struct list_offsets_seen *list_offsets_twice(
    const struct map *seen, const struct topic *topic, int32_t index)
{
    struct list_offsets_seen probe = {.key = {topic, index}};
    struct list_offsets_seen *entry = map_get(seen, slice_make(&probe.key, sizeof(probe.key)));
    return entry != NULL && entry->twice ? entry : NULL;
}

static void list_offsets_topic(struct list_offsets *list,
    const struct list_offsets_request_topic *request, const struct map *seen, bool read_committed,
    struct list_offsets_response_topic *response)
{
    const struct topic *topic = lookup_topic(list->broker, request->name, UUID_ZERO);
    list_offsets_response_topic_init(response);
    response->name = request->name;
    response->partitions = arena_new_n(&list->req->arena, struct list_offsets_response_partition,
        (size_t)request->partitions_count);
    for (int32_t p = 0; p < request->partitions_count; p++) {
        const struct list_offsets_request_partition *asked = &request->partitions[p];
        struct list_offsets_seen *twice =
            list->req->version > 0 ? list_offsets_twice(seen, topic, asked->partition_index) : NULL;
        if (twice != NULL && twice->told)
            continue;
        struct list_offsets_response_partition *answer =
            &response->partitions[response->partitions_count++];
        list_offsets_response_partition_init(answer);
        answer->partition_index = asked->partition_index;
        answer->offset = answer->timestamp = -1;
        answer->leader_epoch = -1;
        if (twice != NULL) {
            answer->error_code = KAFKA_ERROR_INVALID_REQUEST;
            twice->told = true;
        } else {
            list_offsets_partition(list, topic, asked, answer, read_committed);
        }
    }
}

static size_t list_offsets_count(const struct list_offsets_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    return count;
}

enum handle_result list_offsets_handle(struct request *req,
    const struct list_offsets_request *request, struct list_offsets_response *response)
{
    if (lookup_too_many(req, list_offsets_count(request)))
        return HANDLE_CLOSE;
    struct list_offsets *list = arena_new(&req->arena, struct list_offsets);
    list->req = req;
    list->broker = req->conn->context;
    list->fanout =
        fanout_new(&req->arena, list->broker, list_offsets_run, list_offsets_on_joined, list);
    response->topics =
        arena_new_n(&req->arena, struct list_offsets_response_topic, (size_t)request->topics_count);
    _cleanup_(map_deinit) struct map seen = list_offsets_see(list, request);
    for (int32_t t = 0; t < request->topics_count; t++) {
        struct list_offsets_response_topic *answer = &response->topics[response->topics_count];
        list_offsets_topic(list, &request->topics[t], &seen, request->isolation_level == 1, answer);
        response->topics_count +=
            answer->partitions_count > 0; /* Kafka's answer has no empty one */
    }
    fanout_start(list->fanout);
    return HANDLE_PARKED;
}
