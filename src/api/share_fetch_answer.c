// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a ShareFetch is about: the partitions of its session, and those that it acknowledges
 * something of. What it is answered: the partitions with records, with an error, or with an
 * acknowledgement; the first of a session hears of all.
 */
#include "api/lookup.h"
#include "api/nodes.h"
#include "api/share_fetch_internal.h"
#include "wire/errors.gen.h"

/* --- items --- */

static const struct share_ack *share_fetch_acks(
    struct arena *arena, const struct share_fetch_request_partition *asked)
{
    size_t count = (size_t)asked->acknowledgement_batches_count;
    struct share_ack *acks = arena_new_n(arena, struct share_ack, count);
    for (size_t i = 0; i < count; i++) {
        const struct share_fetch_request_acknowledgement_batch *batch =
            &asked->acknowledgement_batches[i];
        acks[i] = (struct share_ack){batch->first_offset, batch->last_offset,
            batch->acknowledge_types, (size_t)batch->acknowledge_types_count};
    }
    return acks;
}

static struct slice share_item_key(const struct share_poll_item *item)
{
    return slice_make((const uint8_t *)&item->ack.id, sizeof(item->ack.id));
}

static struct share_poll_item *share_item_at(
    struct share_poll *poll, struct map *seen, const struct part_id *id)
{
    struct share_poll_item *item = &poll->items[poll->items_count];
    *item = (struct share_poll_item){.ack = {.broker = poll->broker,
                                         .id = *id,
                                         .group = poll->request->group_id,
                                         .op = {.member = poll->request->member_id}}};
    struct share_poll_item *before = map_get(seen, share_item_key(item));
    if (before != NULL)
        return before;
    map_put(seen, share_item_key(item), item);
    poll->items_count++;
    return item;
}

static void share_item_acks(struct share_poll *poll, struct share_poll_item *item,
    const struct share_fetch_request_partition *asked)
{
    item->named = true;
    if (asked->acknowledgement_batches_count == 0 || item->acks)
        return;
    item->acks = true;
    item->ack.op.acks = share_fetch_acks(&poll->req->arena, asked);
    item->ack.op.acks_count = (size_t)asked->acknowledgement_batches_count;
    item->ack_error_code = share_acks_check(item->ack.op.acks, item->ack.op.acks_count,
        poll->req->version >= 2 ? 4 : 3, poll->request->is_renew_ack);
}

/* Where it is, and whether it is there. */
static void share_item_place(struct share_poll *poll, struct share_poll_item *item)
{
    struct part_id id;
    const struct topic *topic =
        image_topic_by_id(broker_image(poll->broker), item->ack.id.topic_id);
    int16_t error =
        topic == NULL ? KAFKA_ERROR_UNKNOWN_TOPIC_ID
                      : lookup_partition(poll->req, topic, topic->id, item->ack.id.partition, &id);
    if (error == KAFKA_ERROR_NONE) {
        item->ack.home = broker_topic_home(poll->broker, topic, item->ack.id.partition);
        item->leg = &poll->legs[loop_index(item->ack.home)];
        item->leg->items_count += item->fetches;
        return;
    }
    if (item->acks && item->ack_error_code == KAFKA_ERROR_NONE)
        item->ack_error_code = error;
    if (item->fetches)
        item->error_code = error;
    poll->failed = poll->failed || item->fetches;
    item->fetches = false;
}

static size_t share_request_count(const struct share_fetch_request *request)
{
    size_t count = 0;
    for (int32_t t = 0; t < request->topics_count; t++)
        count += (size_t)request->topics[t].partitions_count;
    return count;
}

void share_poll_prepare(struct share_poll *poll, const struct share_session *session)
{
    const struct share_fetch_request *request = poll->request;
    size_t count =
        share_request_count(request) + (session == NULL ? 0 : share_session_count(session));
    poll->items = arena_new_n(&poll->req->arena, struct share_poll_item, count + 1);
    struct map seen = MAP_NULL;
    if (session != NULL) {
        struct share_session_part *part;
        list_for_each_entry (part, &session->parts, link)
            share_item_at(poll, &seen, &part->id)->fetches = true;
    }
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct share_fetch_request_topic *topic = &request->topics[t];
        for (int32_t p = 0; p < topic->partitions_count; p++) {
            struct part_id id = {topic->topic_id, topic->partitions[p].partition_index};
            share_item_acks(poll, share_item_at(poll, &seen, &id), &topic->partitions[p]);
        }
    }
    map_deinit(&seen);
    for (size_t i = 0; i < poll->items_count; i++)
        share_item_place(poll, &poll->items[i]);
}

/* --- the answer --- */

static void share_tell_endpoints(struct share_poll *poll)
{
    struct share_fetch_response *response = poll->response;
    int32_t count = broker_nodes_count(poll->broker);
    if (response->node_endpoints_count > 0)
        return;
    response->node_endpoints =
        arena_new_n(&poll->req->arena, struct share_fetch_response_node_endpoint, (size_t)count);
    response->node_endpoints_count = count;
    for (int32_t i = 0; i < count; i++) {
        struct node_endpoint at = node_endpoint(poll->req, broker_node_id(poll->broker, i));
        response->node_endpoints[i] = (struct share_fetch_response_node_endpoint){
            .node_id = at.node, .host = at.host, .port = at.port, .rack = at.rack};
    }
}

static void share_tell_leader(struct share_poll *poll, const struct share_poll_item *item,
    struct share_fetch_response_partition *response)
{
    const struct topic *topic =
        image_topic_by_id(broker_image(poll->broker), item->ack.id.topic_id);
    if (topic == NULL || item->ack.id.partition >= topic->partitions_count)
        return;
    response->current_leader.leader_id = broker_leader(poll->broker, topic, item->ack.id.partition);
    response->current_leader.leader_epoch = topic_leader_epoch(topic, item->ack.id.partition);
    share_tell_endpoints(poll);
}

static void share_fill_records(struct share_poll *poll, struct share_poll_item *item,
    struct share_fetch_response_partition *response)
{
    const struct share_acquired *acquired =
        (const struct share_acquired *)item->fetch.acquired.data;
    size_t count = item->fetch.acquired.size / sizeof(*acquired);
    response->acquired_records =
        arena_new_n(&poll->req->arena, struct share_fetch_response_acquired_records, count);
    response->acquired_records_count = (int32_t)count;
    for (size_t i = 0; i < count; i++)
        response->acquired_records[i] = (struct share_fetch_response_acquired_records){
            acquired[i].first, acquired[i].last, acquired[i].count};
    buffer_deinit(&item->fetch.acquired);
    if (item->fetch.chunks_count > 0)
        response->records = (struct records){
            .chunks = item->fetch.chunks,
            .chunks_count = (int32_t)item->fetch.chunks_count,
        };
}

static bool share_item_tells(const struct share_poll *poll, const struct share_poll_item *item)
{
    return item->fetch.chunks_count > 0 || item->error_code != KAFKA_ERROR_NONE || item->acks ||
           (item->named && poll->request->share_session_epoch == SHARE_SESSION_EPOCH_INITIAL);
}

void share_poll_fill(struct share_poll *poll)
{
    struct share_fetch_response *response = poll->response;
    struct arena *arena = &poll->req->arena;
    struct share_fetch_response_partition *partitions =
        arena_new_n(arena, struct share_fetch_response_partition, poll->items_count);
    response->responses = arena_new_n(arena, struct share_fetch_response_topic, poll->items_count);
    response->acquisition_lock_timeout_ms = share_lock_ms(poll->req, poll->request->group_id);
    struct share_fetch_response_topic *topic = NULL;
    for (size_t i = 0; i < poll->items_count; i++) {
        struct share_poll_item *item = &poll->items[i];
        if (!share_item_tells(poll, item))
            continue;
        struct share_fetch_response_partition *partition = partitions++;
        share_fetch_response_partition_init(partition);
        partition->partition_index = item->ack.id.partition;
        partition->error_code = item->error_code;
        partition->acknowledge_error_code = item->ack_error_code;
        partition->records = RECORDS_EMPTY;
        share_fill_records(poll, item, partition);
        if (item->error_code == KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER ||
            item->ack_error_code == KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER)
            share_tell_leader(poll, item, partition);
        if (topic == NULL || !uuid_equal(topic->topic_id, item->ack.id.topic_id)) {
            topic = &response->responses[response->responses_count++];
            share_fetch_response_topic_init(topic);
            topic->topic_id = item->ack.id.topic_id;
            topic->partitions = partition;
        }
        topic->partitions_count++;
    }
}
