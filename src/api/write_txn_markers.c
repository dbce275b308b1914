// SPDX-License-Identifier: BSD-2-Clause
/* WriteTxnMarkers: a tool ends a transaction in partitions by hand, past its coordinator (for one
 * that hangs there though the coordinator knows nothing of it). */
#include "wire/write_txn_markers.gen.h"

#include "api/fanout.h"
#include "api/lookup.h"
#include "broker/txn/txn_marker.h"
#include "net/request.h"
#include "wire/errors.gen.h"

struct write_markers_item {
    struct fanout_item item;
    struct txn_marker marker;
    struct write_txn_markers_response_partition *response;
};

static void write_markers_on_done(struct txn_marker *marker, enum partition_error error)
{
    struct write_markers_item *item = container_of(marker, struct write_markers_item, marker);
    item->response->error_code = lookup_partition_error(error);
    fanout_item_done(&item->item);
}

static void write_markers_run(struct fanout_item *fanout_item)
{
    struct write_markers_item *item = container_of(fanout_item, struct write_markers_item, item);
    txn_marker_write(&item->marker);
}

static void write_markers_on_joined(struct fanout *fanout)
{
    request_complete(fanout_context(fanout));
}

static void write_markers_partition(struct request *req, struct fanout *fanout,
    const struct write_txn_markers_request_marker *asked, struct slice name,
    struct write_txn_markers_response_partition *response)
{
    struct broker *broker = req->conn->context;
    const struct topic *topic = lookup_topic(broker, name, UUID_ZERO);
    struct part_id id;
    response->error_code = lookup_partition(req, topic, UUID_ZERO, response->partition_index, &id);
    if (response->error_code == KAFKA_ERROR_NONE && asked->producer_id < 0)
        response->error_code = KAFKA_ERROR_INVALID_REQUEST;
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    struct write_markers_item *item = arena_new(&req->arena, struct write_markers_item);
    item->response = response;
    item->marker = (struct txn_marker){.broker = broker,
        .id = id,
        .offsets = topic == broker_image(broker)->offsets,
        .facts = {asked->producer_id, asked->producer_epoch, asked->transaction_result,
            asked->coordinator_epoch},
        .done = write_markers_on_done};
    fanout_add(fanout, &item->item, broker_topic_home(broker, topic, id.partition));
}

static void write_markers_marker(struct request *req, struct fanout *fanout,
    const struct write_txn_markers_request_marker *asked,
    struct write_txn_markers_response_marker *out)
{
    struct arena *arena = &req->arena;
    write_txn_markers_response_marker_init(out);
    out->producer_id = asked->producer_id;
    out->topics =
        arena_new_n(arena, struct write_txn_markers_response_topic, (size_t)asked->topics_count);
    for (int32_t t = 0; t < asked->topics_count; t++) {
        const struct write_txn_markers_request_topic *topic = &asked->topics[t];
        struct write_txn_markers_response_topic *to = &out->topics[out->topics_count++];
        write_txn_markers_response_topic_init(to);
        to->name = topic->name;
        to->partitions = arena_new_n(arena, struct write_txn_markers_response_partition,
            (size_t)topic->partition_indexes_count);
        for (int32_t p = 0; p < topic->partition_indexes_count; p++) {
            struct write_txn_markers_response_partition *partition =
                &to->partitions[to->partitions_count++];
            write_txn_markers_response_partition_init(partition);
            partition->partition_index = topic->partition_indexes[p];
            write_markers_partition(req, fanout, asked, topic->name, partition);
        }
    }
}

enum handle_result write_txn_markers_handle(struct request *req,
    const struct write_txn_markers_request *request, struct write_txn_markers_response *response)
{
    struct fanout *fanout = fanout_new(
        &req->arena, req->conn->context, write_markers_run, write_markers_on_joined, req);
    response->markers = arena_new_n(
        &req->arena, struct write_txn_markers_response_marker, (size_t)request->markers_count);
    for (int32_t m = 0; m < request->markers_count; m++)
        write_markers_marker(
            req, fanout, &request->markers[m], &response->markers[response->markers_count++]);
    fanout_start(fanout);
    return HANDLE_PARKED;
}
