// SPDX-License-Identifier: BSD-2-Clause
/*
 * A map by id and a list by age. The rules are Kafka's: an exact repetition of one of the last five
 * batches is a duplicate; an older epoch is refused; a new epoch starts at sequence 0; within an
 * epoch each batch continues where the last one ended. A transactional batch opens a transaction
 * when its producer has none open, which is only right when the coordinator knows of it
 * (PRODUCERS_UNVERIFIED); a marker closes it.
 *
 * Snapshot: Kafka's array of producers, for its tools: count | id, epoch, last sequence, last
 * offset, offset delta, timestamp, coordinator epoch, first offset of the open transaction. Then
 * what is read back: magic | CRC32C of all the rest | count | producers, longest inactive first:
 * id, active_ms, epoch, batches count, coordinator epoch, timestamp, first offset of the open
 * transaction, batches (base offset, timestamp, last sequence, offset delta) | txn_index.
 */
#include "broker/partition/producers.h"
#include "base/bytes.h"
#include "base/canary.h"
#include "base/crc32c.h"
#include "store/engine.h"

#include <assert.h>

#define SNAPSHOT_MAGIC         0x4f445032U /* "ODP2" */
#define SNAPSHOT_HEAD_SIZE     ((size_t)12)
#define SNAPSHOT_PRODUCER_SIZE ((size_t)39)
#define SNAPSHOT_BATCH_SIZE    ((size_t)24)
#define SNAPSHOT_KAFKA_SIZE    ((size_t)46)

void producers_init(struct producers *producers)
{
    producers->by_id = MAP_NULL;
    list_init(&producers->by_age);
    producers->txns = TXN_INDEX_NULL;
}

static struct slice producer_key(const int64_t *id)
{
    return slice_make(id, sizeof(*id));
}

static void producers_forget(struct producers *producers, struct producer *producer)
{
    map_remove(&producers->by_id, producer_key(&producer->id));
    list_remove(&producer->link);
    free(producer);
}

void producers_clear(struct producers *producers)
{
    struct producer *producer, *next;
    list_for_each_entry_safe (producer, next, &producers->by_age, link)
        free(producer);
    map_deinit(&producers->by_id);
    txn_index_deinit(&producers->txns);
    producers_init(producers);
}

size_t producers_count(const struct producers *producers)
{
    return producers->by_id.count;
}

int32_t producers_sequence_add(int32_t sequence, int32_t count)
{
    assert(sequence >= 0 && count >= 0);
    return (int32_t)(((int64_t)sequence + count) & INT32_MAX);
}

static int32_t producer_first_sequence(const struct producer_batch *batch)
{
    return (int32_t)(((int64_t)batch->last_sequence - batch->offset_delta) & INT32_MAX);
}

static const struct producer_batch *producer_find(
    const struct producer *producer, const struct batch_header *header)
{
    int32_t last = producers_sequence_add(header->base_sequence, header->last_offset_delta);
    for (unsigned i = 0; i < producer->batches_count; i++) {
        const struct producer_batch *batch = &producer->batches[i];
        if (batch->last_sequence == last && producer_first_sequence(batch) == header->base_sequence)
            return batch;
    }
    return NULL;
}

static const struct producer *producers_find(const struct producers *producers, int64_t id)
{
    return map_get(&producers->by_id, producer_key(&id));
}

/* The one to forget for a new one: inactive for longest. NULL: all have a transaction open. */
static struct producer *producers_oldest(const struct producers *producers)
{
    struct producer *producer;
    list_for_each_entry (producer, &producers->by_age, link) {
        if (producer->txn_first_offset < 0)
            return producer;
    }
    return NULL;
}

static enum producers_verdict producer_check_sequence(
    const struct producer *producer, const struct batch_header *header)
{
    /* Without one it is a coordinator's: transactional offsets. */
    if (header->base_sequence < 0 || canary(NO_SEQUENCE_CHECK))
        return PRODUCERS_NEXT;
    if (header->producer_epoch > producer->epoch || producer->batches_count == 0)
        return header->base_sequence == 0 ? PRODUCERS_NEXT : PRODUCERS_OUT_OF_ORDER;
    int32_t last = producer->batches[producer->batches_count - 1].last_sequence;
    if (canary(DUPLICATE_APPENDED) && producer_find(producer, header) != NULL)
        return PRODUCERS_NEXT;
    if (canary(FENCED_EPOCH_ACCEPTED) && header->producer_epoch < producer->epoch)
        return PRODUCERS_NEXT;
    return header->base_sequence == producers_sequence_add(last, 1) ? PRODUCERS_NEXT
                                                                    : PRODUCERS_OUT_OF_ORDER;
}

enum producers_verdict producers_check(const struct producers *producers,
    const struct batch_header *header, struct producer_batch *ret_original)
{
    assert(header->producer_id >= 0 && (header->attributes & BATCH_CONTROL) == 0);
    bool transactional = (header->attributes & BATCH_TRANSACTIONAL) != 0;
    const struct producer *producer = producers_find(producers, header->producer_id);
    if (producer == NULL) {
        if (producers->by_id.count >= PRODUCERS_COUNT_MAX && producers_oldest(producers) == NULL)
            return PRODUCERS_FULL;
        return transactional ? PRODUCERS_UNVERIFIED : PRODUCERS_NEXT;
    }
    if (header->producer_epoch == producer->epoch && header->base_sequence >= 0) {
        const struct producer_batch *original = producer_find(producer, header);
        if (original != NULL && !canary(DUPLICATE_APPENDED)) {
            *ret_original = *original;
            return PRODUCERS_DUPLICATE;
        }
    }
    if (header->producer_epoch < producer->epoch && !canary(FENCED_EPOCH_ACCEPTED))
        return PRODUCERS_OLD_EPOCH;
    enum producers_verdict verdict = producer_check_sequence(producer, header);
    if (verdict != PRODUCERS_NEXT)
        return verdict;
    bool open = producer->txn_first_offset >= 0;
    if (open && !transactional)
        return PRODUCERS_IN_TRANSACTION;
    return transactional && (!open || header->producer_epoch != producer->epoch)
               ? PRODUCERS_UNVERIFIED
               : PRODUCERS_NEXT;
}

enum producers_verdict producers_check_marker(const struct producers *producers,
    const struct batch_header *header, const struct producers_marker *marker)
{
    const struct producer *producer = producers_find(producers, header->producer_id);
    if (producer == NULL)
        return PRODUCERS_NEXT;
    if (header->producer_epoch < producer->epoch)
        return PRODUCERS_OLD_EPOCH;
    return marker->coordinator_epoch < producer->coordinator_epoch ? PRODUCERS_OLD_COORDINATOR
                                                                   : PRODUCERS_NEXT;
}

bool producers_known(const struct producers *producers, int64_t producer_id)
{
    return producers_find(producers, producer_id) != NULL;
}

uint64_t producers_guard(const struct producers *producers, int64_t producer_id)
{
    const struct producer *producer = producers_find(producers, producer_id);
    return producer == NULL ? 0 : producer->marker_serial;
}

static struct producer *producers_add(struct producers *producers, int64_t id)
{
    struct producer *oldest =
        producers->by_id.count < PRODUCERS_COUNT_MAX ? NULL : producers_oldest(producers);
    if (oldest != NULL)
        producers_forget(producers, oldest);
    struct producer *producer = xnew(struct producer);
    producer->id = id;
    producer->epoch = -1;
    producer->coordinator_epoch = -1;
    producer->timestamp = -1;
    producer->txn_first_offset = -1;
    map_put(&producers->by_id, producer_key(&producer->id), producer);
    list_append(&producers->by_age, &producer->link);
    return producer;
}

static void producer_record_batch(struct producer *producer, const struct batch_header *header)
{
    if (header->base_sequence < 0)
        return;
    if (producer->batches_count == PRODUCER_BATCHES_MAX) {
        producer->batches_count--;
        memmove(producer->batches, producer->batches + 1,
            producer->batches_count * sizeof(producer->batches[0]));
    }
    producer->batches[producer->batches_count++] = (struct producer_batch){
        .base_offset = header->base_offset,
        .timestamp = header->max_timestamp,
        .last_sequence = producers_sequence_add(header->base_sequence, header->last_offset_delta),
        .offset_delta = header->last_offset_delta,
    };
}

static void producers_record_marker(struct producers *producers, struct producer *producer,
    const struct batch_header *header, const struct producers_marker *marker)
{
    producer->coordinator_epoch = marker->coordinator_epoch;
    producer->marker_serial = ++producers->marker_serial;
    if (producer->txn_first_offset < 0)
        return;
    txn_index_end(
        &producers->txns, producer->txn_first_offset, batch_last_offset(header), marker->commit);
    producer->txn_first_offset = -1;
}

void producers_record(struct producers *producers, const struct batch_header *header,
    const struct producers_marker *marker, int64_t now_ms)
{
    if (header->producer_id < 0)
        return;
    struct producer *producer = map_get(&producers->by_id, producer_key(&header->producer_id));
    if (producer == NULL)
        producer = producers_add(producers, header->producer_id);
    list_remove(&producer->link);
    list_append(&producers->by_age, &producer->link);
    producer->active_ms = now_ms;
    producer->timestamp = header->max_timestamp;
    if (producer->epoch != header->producer_epoch) {
        producer->epoch = header->producer_epoch;
        producer->batches_count = 0;
    }
    if ((header->attributes & BATCH_CONTROL) != 0) {
        if (marker != NULL)
            producers_record_marker(producers, producer, header, marker);
        return;
    }
    producer_record_batch(producer, header);
    if ((header->attributes & BATCH_TRANSACTIONAL) != 0 && producer->txn_first_offset < 0) {
        producer->txn_first_offset = header->base_offset;
        txn_index_begin(&producers->txns, producer->id, header->base_offset);
    }
}

void producers_expire(struct producers *producers, int64_t now_ms, int64_t age_ms_max)
{
    struct producer *producer, *next;
    list_for_each_entry_safe (producer, next, &producers->by_age, link) {
        if (now_ms - producer->active_ms < age_ms_max)
            break;
        if (producer->txn_first_offset < 0)
            producers_forget(producers, producer);
    }
}

void producers_last(const struct producers *producers, struct buffer *out)
{
    const struct producer *producer;
    list_for_each_entry (producer, &producers->by_age, link) {
        const struct producer_batch *last =
            producer->batches_count == 0 ? NULL : &producer->batches[producer->batches_count - 1];
        struct engine_clean_producer entry = {
            .producer_id = producer->id,
            .last_offset = last == NULL ? -1 : last->base_offset + last->offset_delta,
            .epoch = producer->epoch,
        };
        buffer_append(out, &entry, sizeof(entry));
    }
}

static void producer_save(const struct producer *producer, struct buffer *out)
{
    uint8_t *at =
        buffer_reserve(out, SNAPSHOT_PRODUCER_SIZE + producer->batches_count * SNAPSHOT_BATCH_SIZE);
    bytes_put_u64(at, (uint64_t)producer->id);
    bytes_put_u64(at + 8, (uint64_t)producer->active_ms);
    bytes_put_u16(at + 16, (uint16_t)producer->epoch);
    at[18] = producer->batches_count;
    bytes_put_u32(at + 19, (uint32_t)producer->coordinator_epoch);
    bytes_put_u64(at + 23, (uint64_t)producer->timestamp);
    bytes_put_u64(at + 31, (uint64_t)producer->txn_first_offset);
    at += SNAPSHOT_PRODUCER_SIZE;
    for (unsigned i = 0; i < producer->batches_count; i++, at += SNAPSHOT_BATCH_SIZE) {
        const struct producer_batch *batch = &producer->batches[i];
        bytes_put_u64(at, (uint64_t)batch->base_offset);
        bytes_put_u64(at + 8, (uint64_t)batch->timestamp);
        bytes_put_u32(at + 16, (uint32_t)batch->last_sequence);
        bytes_put_u32(at + 20, (uint32_t)batch->offset_delta);
    }
    out->size = (size_t)(at - out->data);
}

static void producer_save_kafka(const struct producer *producer, uint8_t *at)
{
    static const struct producer_batch none = {-1, -1, -1, 0};
    const struct producer_batch *last =
        producer->batches_count == 0 ? &none : &producer->batches[producer->batches_count - 1];
    bytes_put_u64(at, (uint64_t)producer->id);
    bytes_put_u16(at + 8, (uint16_t)producer->epoch);
    bytes_put_u32(at + 10, (uint32_t)last->last_sequence);
    bytes_put_u64(at + 14, (uint64_t)(last->base_offset + last->offset_delta));
    bytes_put_u32(at + 22, (uint32_t)last->offset_delta);
    bytes_put_u64(at + 26, (uint64_t)producer->timestamp);
    bytes_put_u32(at + 34, (uint32_t)producer->coordinator_epoch);
    bytes_put_u64(at + 38, (uint64_t)producer->txn_first_offset);
}

void producers_save(const struct producers *producers, struct buffer *out)
{
    size_t kafka_size = 4 + producers->by_id.count * SNAPSHOT_KAFKA_SIZE;
    uint8_t *kafka = buffer_reserve(out, kafka_size);
    bytes_put_u32(kafka, (uint32_t)producers->by_id.count);
    out->size += kafka_size;
    size_t start = out->size;
    buffer_reserve(out, SNAPSHOT_HEAD_SIZE);
    out->size += SNAPSHOT_HEAD_SIZE;
    const struct producer *producer;
    size_t at = start - kafka_size + 4;
    list_for_each_entry (producer, &producers->by_age, link) {
        producer_save_kafka(producer, out->data + at);
        producer_save(producer, out);
        at += SNAPSHOT_KAFKA_SIZE;
    }
    txn_index_save(&producers->txns, out);
    uint8_t *head = out->data + start;
    bytes_put_u32(head, SNAPSHOT_MAGIC);
    bytes_put_u32(head + 8, (uint32_t)producers->by_id.count);
    uint32_t crc = crc32c(0, head - kafka_size, kafka_size);
    bytes_put_u32(head + 4, crc32c(crc, head + 8, out->size - start - 8));
}

/* False when the bytes end too early or say what cannot be. */
static bool producer_load(struct producers *producers, const uint8_t **cursor, const uint8_t *end)
{
    const uint8_t *at = *cursor;
    if ((size_t)(end - at) < SNAPSHOT_PRODUCER_SIZE)
        return false;
    int64_t id = (int64_t)bytes_get_u64(at);
    size_t count = at[18];
    if (id < 0 || count > PRODUCER_BATCHES_MAX ||
        (size_t)(end - at) < SNAPSHOT_PRODUCER_SIZE + count * SNAPSHOT_BATCH_SIZE ||
        map_get(&producers->by_id, producer_key(&id)) != NULL)
        return false;
    struct producer *producer = producers_add(producers, id);
    producer->active_ms = (int64_t)bytes_get_u64(at + 8);
    producer->epoch = (int16_t)bytes_get_u16(at + 16);
    producer->batches_count = (uint8_t)count;
    producer->coordinator_epoch = (int32_t)bytes_get_u32(at + 19);
    producer->timestamp = (int64_t)bytes_get_u64(at + 23);
    producer->txn_first_offset = (int64_t)bytes_get_u64(at + 31);
    at += SNAPSHOT_PRODUCER_SIZE;
    for (size_t i = 0; i < count; i++, at += SNAPSHOT_BATCH_SIZE)
        producer->batches[i] = (struct producer_batch){
            .base_offset = (int64_t)bytes_get_u64(at),
            .timestamp = (int64_t)bytes_get_u64(at + 8),
            .last_sequence = (int32_t)(bytes_get_u32(at + 16) & INT32_MAX),
            .offset_delta = (int32_t)(bytes_get_u32(at + 20) & INT32_MAX),
        };
    *cursor = at;
    return true;
}

bool producers_load(struct producers *producers, struct slice snapshot)
{
    producers_clear(producers);
    if (snapshot.size < 4 ||
        bytes_get_u32(snapshot.data) > (snapshot.size - 4) / SNAPSHOT_KAFKA_SIZE)
        return false;
    size_t kafka_size = 4 + bytes_get_u32(snapshot.data) * SNAPSHOT_KAFKA_SIZE;
    uint32_t crc = crc32c(0, snapshot.data, kafka_size);
    snapshot = slice_make(snapshot.data + kafka_size, snapshot.size - kafka_size);
    if (snapshot.size < SNAPSHOT_HEAD_SIZE || bytes_get_u32(snapshot.data) != SNAPSHOT_MAGIC ||
        bytes_get_u32(snapshot.data + 4) != crc32c(crc, snapshot.data + 8, snapshot.size - 8))
        return false;
    const uint8_t *cursor = snapshot.data + SNAPSHOT_HEAD_SIZE,
                  *end = snapshot.data + snapshot.size;
    uint32_t count = bytes_get_u32(snapshot.data + 8);
    for (uint32_t i = 0; i < count; i++) {
        if (!producer_load(producers, &cursor, end)) {
            producers_clear(producers);
            return false;
        }
    }
    if (!txn_index_load(&producers->txns, &cursor, end) || cursor != end) {
        producers_clear(producers);
        return false;
    }
    return true;
}
