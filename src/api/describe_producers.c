// SPDX-License-Identifier: BSD-2-Clause
/* DescribeProducers: the producers that partitions remember, and what each has open there. */
#include "wire/describe_producers.gen.h"

#include "api/fanout.h"
#include "api/lookup.h"
#include "broker/partition/producers.h"
#include "net/request.h"
#include "wire/errors.gen.h"

struct describe_producers {
    struct request *req;
    struct broker *broker;
    struct fanout *fanout;
    struct describe_producers_item *items; /* newest first */
};

struct describe_producers_item {
    struct fanout_item item;
    struct describe_producers_item *next;
    struct part_id id;
    struct partition *partition;
    struct partition_ready ready;
    struct describe_producers_response_partition *response;
    /* Made at the home, moved into the arena when all are there. */
    struct describe_producers_response_active_producer *found;
    size_t found_count;
};

static void describe_producers_on_ready(struct partition_ready *ready, enum partition_error error)
{
    struct describe_producers_item *item =
        container_of(ready, struct describe_producers_item, ready);
    item->response->error_code = lookup_partition_error(error);
    if (error == PARTITION_OK) {
        const struct producers *producers = partition_producers(item->partition);
        item->found = xnew_n(
            struct describe_producers_response_active_producer, producers_count(producers) + 1);
        const struct producer *producer;
        list_for_each_entry (producer, &producers->by_age, link)
            item->found[item->found_count++] = (struct describe_producers_response_active_producer){
                .producer_id = producer->id,
                .producer_epoch = producer->epoch,
                .last_sequence = producer->batches_count == 0
                                     ? -1
                                     : producer->batches[producer->batches_count - 1].last_sequence,
                .last_timestamp = producer->timestamp,
                .coordinator_epoch = producer->coordinator_epoch,
                .current_txn_start_offset = producer->txn_first_offset};
    }
    fanout_item_done(&item->item);
}

static void describe_producers_run(struct fanout_item *fanout_item)
{
    struct describe_producers_item *item =
        container_of(fanout_item, struct describe_producers_item, item);
    const struct describe_producers *my = fanout_context(fanout_item->fanout);
    item->partition = broker_partition(my->broker, &item->id);
    if (item->partition == NULL) { /* deleted meanwhile */
        item->response->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        fanout_item_done(fanout_item);
        return;
    }
    item->ready.fn = describe_producers_on_ready;
    enum partition_error error = partition_when_ready(item->partition, &item->ready);
    if (error != PARTITION_PENDING)
        describe_producers_on_ready(&item->ready, error);
}

static void describe_producers_on_joined(struct fanout *fanout)
{
    struct describe_producers *my = fanout_context(fanout);
    for (struct describe_producers_item *item = my->items; item != NULL; item = item->next) {
        struct describe_producers_response_partition *response = item->response;
        response->active_producers = arena_new_n(
            &my->req->arena, struct describe_producers_response_active_producer, item->found_count);
        if (item->found_count > 0)
            memcpy(
                response->active_producers, item->found, item->found_count * sizeof(*item->found));
        response->active_producers_count = (int32_t)item->found_count;
        free(item->found);
    }
    request_complete(my->req);
}

static void describe_producers_partition(struct describe_producers *my, const struct topic *topic,
    struct describe_producers_response_partition *response)
{
    struct part_id id;
    response->error_code =
        lookup_partition(my->req, topic, UUID_ZERO, response->partition_index, &id);
    if (response->error_code != KAFKA_ERROR_NONE)
        return;
    struct describe_producers_item *item =
        arena_new(&my->req->arena, struct describe_producers_item);
    item->id = id;
    item->response = response;
    item->next = my->items;
    my->items = item;
    fanout_add(my->fanout, &item->item, broker_topic_home(my->broker, topic, id.partition));
}

enum handle_result describe_producers_handle(struct request *req,
    const struct describe_producers_request *request, struct describe_producers_response *response)
{
    struct arena *arena = &req->arena;
    struct describe_producers *my = arena_new(arena, struct describe_producers);
    my->req = req;
    my->broker = req->conn->context;
    my->fanout =
        fanout_new(arena, my->broker, describe_producers_run, describe_producers_on_joined, my);
    response->topics =
        arena_new_n(arena, struct describe_producers_response_topic, (size_t)request->topics_count);
    for (int32_t t = 0; t < request->topics_count; t++) {
        const struct describe_producers_request_topic *asked = &request->topics[t];
        struct describe_producers_response_topic *out = &response->topics[response->topics_count++];
        const struct topic *topic = lookup_topic(my->broker, asked->name, UUID_ZERO);
        describe_producers_response_topic_init(out);
        out->name = asked->name;
        out->partitions = arena_new_n(arena, struct describe_producers_response_partition,
            (size_t)asked->partition_indexes_count);
        for (int32_t p = 0; p < asked->partition_indexes_count; p++) {
            struct describe_producers_response_partition *partition =
                &out->partitions[out->partitions_count++];
            describe_producers_response_partition_init(partition);
            partition->partition_index = asked->partition_indexes[p];
            describe_producers_partition(my, topic, partition);
        }
    }
    fanout_start(my->fanout);
    return HANDLE_PARKED;
}
