// SPDX-License-Identifier: BSD-2-Clause
/*
 * Producers and the final scan. Producers 0 and 1 are idempotent with acks=all and send a batch
 * again until it is acknowledged; 2 sends with acks=all, 3 with 1, 4 with 0, each batch once.
 */
#include "sim/seed_world.h"

#include "base/bytes.h"
#include "store/batch/batch_builder.h"
#include "store/batch/records.h"
#include "wire/errors.gen.h"
#include "wire/fetch.gen.h"
#include "wire/init_producer_id.gen.h"
#include "wire/produce.gen.h"

#include <inttypes.h>
#include <stdio.h>

#define VALUE_SIZE 64

static struct seed_producer *producer_of(struct sim_client *client)
{
    return container_of(client, struct seed_producer, client);
}

static void producer_mark(struct seed_producer *producer, enum seed_status status, int64_t offset)
{
    struct seed_world *world = producer->world;
    for (unsigned i = 0; i < producer->n_records; i++) {
        struct seed_record *record = &world->records[producer->first_id - 1 + i];
        record->status = status;
        record->offset = offset < 0 ? -1 : offset + i;
        record->power = producer->power;
    }
    sim_trace((uint64_t)offset ^ producer->first_id << 20 ^ (uint64_t)status << 60);
    if (status == SEED_OK) {
        producer->n_ok += producer->n_records;
        sim_count(SIM_COUNT_ACKS, producer->n_records);
    }
    producer->sequence += (int32_t)producer->n_records;
    producer->first_id = 0;
}

static void producer_new_batch(struct seed_producer *producer)
{
    struct seed_world *world = producer->world;
    producer->n_records = 1 + (unsigned)sim_below(&world->random, 3);
    producer->first_id = world->n_records + 1;
    for (unsigned i = 0; i < producer->n_records; i++)
        world->records[world->n_records++] =
            (struct seed_record){.producer = (uint8_t)producer->index,
                .partition = (uint8_t)producer->partition,
                .acks = (int8_t)producer->acks,
                .offset = -1};
}

static struct slice producer_encode(struct seed_producer *producer)
{
    struct batch_builder builder;
    size_t size;
    batch_builder_init(&builder);
    if (producer->idempotent) {
        builder.producer_id = producer->producer_id;
        builder.producer_epoch = producer->epoch;
        builder.base_sequence = producer->sequence;
    }
    for (unsigned i = 0; i < producer->n_records; i++) {
        uint8_t value[VALUE_SIZE] = {0};
        bytes_put_u64(value, producer->first_id + i);
        struct batch_record record = {.timestamp_ms = env_real_ms(&producer->world->disk.env),
            .key = slice_make(value, 4),
            .value = slice_make(value, 8 + (producer->first_id + i) % (VALUE_SIZE - 8))};
        batch_builder_append(&builder, &record);
    }
    uint8_t *data = batch_builder_finish(&builder, &size);
    uint8_t *copy = sim_client_alloc(&producer->client, size);
    memcpy(copy, data, size);
    batch_builder_deinit(&builder);
    return slice_make(copy, size);
}

static void producer_next(struct seed_producer *producer)
{
    sim_client_wake_in(&producer->client, sim_between(&producer->world->random, 0, 400));
}

static bool producer_retriable(int16_t error)
{
    return error == KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION ||
           error == KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER ||
           error == KAFKA_ERROR_KAFKA_STORAGE_ERROR || error == KAFKA_ERROR_REQUEST_TIMED_OUT;
}

static void producer_on_produced(struct sim_client *client, const void *reply)
{
    struct seed_producer *producer = producer_of(client);
    const struct produce_response *response = reply;
    const struct produce_response_partition *answer = response->responses[0].partition_responses;
    int16_t error = answer->error_code;
    if (error == 0)
        producer_mark(producer, SEED_OK, answer->base_offset);
    else if (error == KAFKA_ERROR_DUPLICATE_SEQUENCE_NUMBER)
        producer_mark(producer, SEED_OK, -1);
    else if (!producer_retriable(error))
        sim_violation("%s: a batch with sequence %d is refused with %d", producer->name,
            producer->sequence, error);
    else if (!producer->idempotent)
        producer_mark(
            producer, error == KAFKA_ERROR_KAFKA_STORAGE_ERROR ? SEED_FAIL : SEED_INFO, -1);
    producer_next(producer);
}

static void producer_on_id(struct sim_client *client, const void *reply)
{
    struct seed_producer *producer = producer_of(client);
    const struct init_producer_id_response *response = reply;
    if (response->error_code == 0) {
        sim_check(response->producer_id >= 0, "%s: no producer id", producer->name);
        for (unsigned i = 0; i < SEED_PRODUCERS; i++)
            sim_check(producer->world->producers[i].producer_id != response->producer_id,
                "producer id %" PRId64 " is given twice", response->producer_id);
        producer->producer_id = response->producer_id;
        producer->epoch = response->producer_epoch;
    }
    producer_next(producer);
}

static void producer_send(struct seed_producer *producer)
{
    producer->power = producer->world->power; /* the answer may outlive the broker */
    struct sim_client *client = &producer->client;
    struct produce_request *request = sim_client_request(client, &produce_api_codec);
    struct produce_request_topic *topic = sim_client_alloc(client, sizeof(*topic));
    struct produce_request_partition *partition = sim_client_alloc(client, sizeof(*partition));
    produce_request_topic_init(topic);
    produce_request_partition_init(partition);
    request->acks = producer->acks;
    request->timeout_ms = 5000;
    request->topic_data = topic;
    request->topic_data_count = 1;
    topic->name = SLICE_LIT(SEED_TOPIC);
    topic->partition_data = partition;
    topic->partition_data_count = 1;
    partition->index = producer->partition;
    partition->records.bytes = producer_encode(producer);
    if (producer->acks == 0) {
        sim_client_send_only(client, &produce_api_codec, 9, request);
        producer_mark(producer, SEED_INFO, -1);
        producer_next(producer);
        return;
    }
    sim_client_send(client, &produce_api_codec, 9, request, 4000, producer_on_produced);
}

static void producer_on_wake(struct sim_client *client)
{
    struct seed_producer *producer = producer_of(client);
    struct seed_world *world = producer->world;
    if (!world->topic_made || world->n_records + 8 > SEED_RECORDS) {
        sim_client_wake_in(client, 300);
        return;
    }
    if (producer->idempotent && producer->producer_id < 0) {
        struct init_producer_id_request *request =
            sim_client_request(client, &init_producer_id_api_codec);
        request->transactional_id = SLICE_NULL;
        request->producer_id = -1;
        request->producer_epoch = -1;
        sim_client_send(client, &init_producer_id_api_codec, 4, request, 4000, producer_on_id);
        return;
    }
    if (producer->first_id == 0)
        producer_new_batch(producer);
    producer_send(producer);
}

static void producer_on_broken(struct sim_client *client)
{
    struct seed_producer *producer = producer_of(client);
    if (producer->first_id != 0 && !producer->idempotent)
        producer_mark(producer, SEED_INFO, -1);
    producer_next(producer);
}

void seed_producers_init(struct seed_world *world)
{
    static const int16_t acks[SEED_PRODUCERS] = {-1, -1, -1, 1, 0};
    for (unsigned i = 0; i < SEED_PRODUCERS; i++) {
        struct seed_producer *producer = &world->producers[i];
        snprintf(producer->name, sizeof(producer->name), "producer-%u", i);
        producer->world = world;
        producer->index = i;
        producer->partition = (int32_t)(i % SEED_PARTITIONS);
        producer->acks = acks[i];
        producer->idempotent = i < 2;
        producer->producer_id = -1;
        sim_client_init(&producer->client, &world->disk, producer->name);
        producer->client.on_wake = producer_on_wake;
        producer->client.on_broken = producer_on_broken;
    }
}

/* --- what is read --- */

static void check_record(struct seed_world *world, int32_t partition, int64_t offset,
    const struct record *record, bool final)
{
    uint64_t id = record->value.size >= 8 ? bytes_get_u64(record->value.data) : 0;
    sim_check(id > 0 && id <= world->n_records, "%d-%" PRId64 " was never sent", partition, offset);
    struct seed_record *sent = &world->records[id - 1];
    sim_check(sent->partition == partition && record->value.size == 8 + id % (VALUE_SIZE - 8),
        "%d-%" PRId64 " was not sent so", partition, offset);
    sim_check(
        sent->status != SEED_FAIL, "%d-%" PRId64 " was refused and is read", partition, offset);
    bool firm = sent->status == SEED_OK && sent->offset >= 0 &&
                (sent->acks == -1 || sent->power == world->power);
    sim_check(!firm || sent->offset == offset, "%d-%" PRId64 " was acknowledged as %" PRId64,
        partition, offset, sent->offset);
    if (!final)
        return;
    sim_check(sent->n_read++ == 0, "%d-%" PRId64 " is there twice", partition, offset);
    sim_check(
        id > world->scan_last[sent->producer], "%d-%" PRId64 " is out of order", partition, offset);
    world->scan_last[sent->producer] = id;
    sim_count(SIM_COUNT_RECORDS, 1);
}

int64_t seed_check_records(
    struct seed_world *world, int32_t partition, int64_t offset, struct slice bytes, bool final)
{
    int64_t asked = offset;
    for (size_t at = 0; at + BATCH_HEADER_SIZE <= bytes.size;) {
        struct batch_header header = batch_header_parse(bytes.data + at);
        if (!batch_header_sane(&header) || batch_size(&header) > bytes.size - at)
            break; /* cut by max.bytes */
        sim_check(batch_crc_valid(bytes.data + at, &header), "%d-%" PRId64 " is served damaged",
            partition, header.base_offset);
        bool within = at == 0 && header.base_offset <= asked && batch_last_offset(&header) >= asked;
        sim_check(within || header.base_offset == offset, "%d: a hole from %" PRId64 " to %" PRId64,
            partition, offset, header.base_offset);
        struct record record;
        struct record_cursor cursor =
            record_cursor_make(slice_make(bytes.data + at + BATCH_HEADER_SIZE,
                                   batch_size(&header) - BATCH_HEADER_SIZE),
                header.records_count);
        while (record_next(&cursor, &record)) {
            if (header.base_offset + record.offset_delta >= asked)
                check_record(
                    world, partition, header.base_offset + record.offset_delta, &record, final);
        }
        offset = batch_last_offset(&header) + 1;
        at += batch_size(&header);
    }
    return offset;
}

const void *seed_fetch_request(
    struct sim_client *client, int32_t partition, int64_t offset, int32_t wait_ms)
{
    struct fetch_request *request = sim_client_request(client, &fetch_api_codec);
    struct fetch_request_topic *topic = sim_client_alloc(client, sizeof(*topic));
    struct fetch_request_partition *at = sim_client_alloc(client, sizeof(*at));
    fetch_request_topic_init(topic);
    fetch_request_partition_init(at);
    request->max_wait_ms = wait_ms;
    request->min_bytes = 1;
    request->max_bytes = 1 << 20;
    request->session_id = 0;
    request->session_epoch = -1;
    request->topics = topic;
    request->topics_count = 1;
    topic->topic = SLICE_LIT(SEED_TOPIC);
    topic->partitions = at;
    topic->partitions_count = 1;
    at->partition = partition;
    at->fetch_offset = offset;
    at->current_leader_epoch = -1;
    at->partition_max_bytes = 1 << 16;
    return request;
}

/* --- the final scan --- */

static void scanner_on_fetched(struct sim_client *client, const void *reply)
{
    struct seed_world *world = container_of(client, struct seed_world, scanner);
    const struct fetch_response *response = reply;
    sim_check(response->responses_count == 1, "a fetch is answered without its partition");
    const struct fetch_response_partition *at = response->responses[0].partitions;
    sim_check(at->error_code == 0, "the scan of %d at %" PRId64 " is answered with %d",
        world->scan_partition, world->scan_offset, at->error_code);
    world->scan_offset = seed_check_records(
        world, world->scan_partition, world->scan_offset, at->records.bytes, true);
    if (world->scan_offset >= at->high_watermark) {
        world->scan_partition++;
        world->scan_offset = 0;
        memset(world->scan_last, 0, sizeof(world->scan_last));
    }
    world->scanned = world->scan_partition == SEED_PARTITIONS;
    sim_client_wake_in(client, world->scanned ? 1000000 : 0);
}

static void scanner_on_wake(struct sim_client *client)
{
    struct seed_world *world = container_of(client, struct seed_world, scanner);
    if (world->scanned)
        return;
    const void *request = seed_fetch_request(client, world->scan_partition, world->scan_offset, 10);
    sim_client_send(client, &fetch_api_codec, 11, request, 20000, scanner_on_fetched);
}

static void scanner_on_broken(struct sim_client *client)
{
    (void)client;
    sim_violation("the final scan has no answer");
}

void seed_scanner_init(struct seed_world *world)
{
    sim_client_init(&world->scanner, &world->disk, "scanner");
    world->scanner.on_wake = scanner_on_wake;
    world->scanner.on_broken = scanner_on_broken;
    world->scanner.wake_ns = INT64_MAX;
}

void seed_check_produced(struct seed_world *world)
{
    for (uint64_t i = 0; i < world->n_records; i++) {
        const struct seed_record *sent = &world->records[i];
        bool firm = sent->status == SEED_OK && (sent->acks == -1 || sent->power == world->power);
        if (sent->status == SEED_OK && !firm && sent->n_read == 0)
            sim_count(SIM_COUNT_LOST_WRITTEN, 1);
        sim_check(!firm || sent->n_read > 0,
            "record %" PRIu64 " of producer %u (%d-%" PRId64 ", acks %d) is lost", i + 1,
            sent->producer, sent->partition, sent->offset, sent->acks);
    }
}
