// SPDX-License-Identifier: BSD-2-Clause
/*
 * Written are key version 0 and value version 1, as Kafka does since transactions v2 (both read
 * both). Each key and value starts with its version (int16). A marker is one control record whose
 * key is version and type and whose value is version and the coordinator's epoch.
 */
#include "broker/txn/txn_log.h"

#include "store/batch/records.h"
#include "wire/control_record_key.gen.h"
#include "wire/end_txn_marker.gen.h"
#include "wire/transaction_log_key.gen.h"
#include "wire/transaction_log_value.gen.h"

#include <assert.h>
#include <stdlib.h>

enum {
    TXN_LOG_KEY_VERSION = 0,
    TXN_LOG_VALUE_VERSION = 1,
    TXN_LOG_VERSION_2 = 2, /* ClientTransactionVersion of transactions v2 */
    TXN_MARKER_ABORT = 0,
    TXN_MARKER_COMMIT = 1,
};

struct txn_write *txn_write_new(void)
{
    struct txn_write *write = xnew(struct txn_write);
    batch_builder_init(&write->builder);
    return write;
}

static void txn_write_free(struct txn_write *write)
{
    batch_builder_deinit(&write->builder);
    free(write);
}

/* --- states --- */

static int txn_log_order(const void *a, const void *b)
{
    const struct txn_partition *left = *(struct txn_partition *const *)a,
                               *right = *(struct txn_partition *const *)b;
    int order = slice_compare(left->topic, right->topic);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

/* The partitions by topic. */
static void txn_log_partitions(
    const struct txn *txn, struct arena *arena, struct transaction_log_value *value)
{
    size_t count = 0;
    struct txn_partition **sorted =
        arena_new_n(arena, struct txn_partition *, txn->partitions.count);
    map_for_each (&txn->partitions, entry)
        sorted[count++] = entry->value;
    if (count > 1)
        qsort(sorted, count, sizeof(struct txn_partition *), txn_log_order);
    value->transaction_partitions =
        arena_new_n(arena, struct transaction_log_value_partitions, count);
    value->transaction_partitions_count = 0;
    for (size_t i = 0, end; i < count; i = end) {
        struct transaction_log_value_partitions *topic =
            &value->transaction_partitions[value->transaction_partitions_count++];
        for (end = i; end < count && slice_equal(sorted[end]->topic, sorted[i]->topic);)
            end++;
        topic->topic = sorted[i]->topic;
        topic->partition_ids = arena_new_n(arena, int32_t, end - i);
        for (size_t p = i; p < end; p++)
            topic->partition_ids[topic->partition_ids_count++] = sorted[p]->index;
    }
}

static void txn_log_value(
    const struct txn *txn, struct arena *arena, struct transaction_log_value *value)
{
    const struct txn_facts *next = &txn->next;
    transaction_log_value_init(value);
    value->producer_id = next->producer_id;
    value->previous_producer_id = next->previous_producer_id;
    value->next_producer_id = next->next_producer_id;
    value->producer_epoch = next->epoch;
    value->transaction_timeout_ms = next->timeout_ms;
    value->transaction_status = (int8_t)next->state;
    value->transaction_last_update_timestamp_ms = next->update_ms;
    value->transaction_start_timestamp_ms = next->start_ms;
    value->client_transaction_version = next->v2 ? TXN_LOG_VERSION_2 : 0;
    switch (next->state) {
    case TXN_EMPTY: value->transaction_partitions_count = -1; break;
    case TXN_ONGOING:
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT: txn_log_partitions(txn, arena, value); break;
    default: break;
    }
}

void txn_write_state(struct txn_write *write, const struct txn *txn, int64_t now_ms)
{
    assert(txn->moving);
    struct writer key_writer = WRITER_NULL, value_writer = WRITER_NULL;
    struct arena arena = ARENA_NULL;
    struct transaction_log_key key;
    transaction_log_key_init(&key);
    key.transactional_id = txn->id;
    writer_int16(&key_writer, TXN_LOG_KEY_VERSION);
    transaction_log_key_encode(&key_writer, TXN_LOG_KEY_VERSION, &key);
    if (txn->next.state != TXN_DEAD) {
        struct transaction_log_value value;
        txn_log_value(txn, &arena, &value);
        writer_int16(&value_writer, TXN_LOG_VALUE_VERSION);
        transaction_log_value_encode(&value_writer, TXN_LOG_VALUE_VERSION, &value);
    }
    struct batch_record record = {.timestamp_ms = now_ms,
        .key = buffer_slice(&key_writer.buffer),
        .value = txn->next.state == TXN_DEAD ? SLICE_NULL : buffer_slice(&value_writer.buffer)};
    batch_builder_append(&write->builder, &record);
    writer_deinit(&key_writer);
    writer_deinit(&value_writer);
    arena_deinit(&arena);
}

/* --- markers --- */

void txn_write_marker(
    struct txn_write *write, const struct txn_marker_facts *marker, int64_t now_ms)
{
    struct writer key_writer = WRITER_NULL, value_writer = WRITER_NULL;
    struct control_record_key key = {marker->commit ? TXN_MARKER_COMMIT : TXN_MARKER_ABORT};
    struct end_txn_marker value = {marker->coordinator_epoch};
    writer_int16(&key_writer, 0);
    control_record_key_encode(&key_writer, 0, &key);
    writer_int16(&value_writer, 0);
    end_txn_marker_encode(&value_writer, 0, &value);
    struct batch_record record = {.timestamp_ms = now_ms,
        .key = buffer_slice(&key_writer.buffer),
        .value = buffer_slice(&value_writer.buffer)};
    write->builder.attributes = BATCH_TRANSACTIONAL | BATCH_CONTROL;
    write->builder.producer_id = marker->producer_id;
    write->builder.producer_epoch = marker->epoch;
    write->builder.base_sequence = -1;
    batch_builder_append(&write->builder, &record);
    writer_deinit(&key_writer);
    writer_deinit(&value_writer);
}

/* --- appending --- */

static void txn_write_on_appended(struct partition_append *append, enum partition_error error)
{
    struct txn_write *write = container_of(append, struct txn_write, append);
    write->done(write->ctx, error);
    txn_write_free(write);
}

enum partition_error txn_write_submit(struct txn_write *take_write, struct partition *partition,
    void (*done)(void *ctx, enum partition_error error), void *ctx)
{
    struct txn_write *write = take_write;
    write->done = done;
    write->ctx = ctx;
    struct partition_append *append = &write->append;
    append->data = batch_builder_finish(&write->builder, &append->size);
    append->header = batch_header_parse(append->data);
    append->durable = true;
    append->urgent = true;
    append->done = txn_write_on_appended;
    enum partition_error error = partition_append(partition, append);
    assert(error != PARTITION_OK); /* that is for repeated batches, and these have no sequence */
    if (error != PARTITION_PENDING)
        txn_write_free(write);
    return error;
}

/* --- reading --- */

bool txn_log_parse_key(struct slice bytes, struct arena *arena, struct slice *ret_id)
{
    struct reader reader = reader_make(bytes);
    int16_t version = reader_int16(&reader);
    struct transaction_log_key key;
    transaction_log_key_init(&key);
    if (version != TXN_LOG_KEY_VERSION ||
        !transaction_log_key_decode(&reader, version, arena, &key))
        return false;
    *ret_id = key.transactional_id;
    return true;
}

static bool txn_log_parse_partitions(
    const struct transaction_log_value *value, struct arena *arena, struct txn_log_value *ret_value)
{
    size_t count = 0;
    for (int32_t t = 0; t < value->transaction_partitions_count; t++)
        count += (size_t)value->transaction_partitions[t].partition_ids_count;
    if (count > TXN_PARTITIONS_COUNT_MAX)
        return false;
    ret_value->partitions = arena_new_n(arena, struct txn_topic_partition, count);
    ret_value->partitions_count = 0;
    for (int32_t t = 0; t < value->transaction_partitions_count; t++) {
        const struct transaction_log_value_partitions *topic = &value->transaction_partitions[t];
        for (int32_t p = 0; p < topic->partition_ids_count; p++)
            ret_value->partitions[ret_value->partitions_count++] =
                (struct txn_topic_partition){topic->topic, topic->partition_ids[p]};
    }
    return true;
}

bool txn_log_parse_value(struct slice bytes, struct arena *arena, struct txn_log_value *ret_value)
{
    struct reader reader = reader_make(bytes);
    int16_t version = reader_int16(&reader);
    struct transaction_log_value value;
    transaction_log_value_init(&value);
    if (version < 0 || version > TXN_LOG_VALUE_VERSION ||
        !transaction_log_value_decode(&reader, version, arena, &value) ||
        value.transaction_status < 0 || value.transaction_status >= TXN_DEAD ||
        value.producer_id < 0)
        return false;
    ret_value->facts = (struct txn_facts){.state = (enum txn_state)value.transaction_status,
        .producer_id = value.producer_id,
        .previous_producer_id = value.previous_producer_id,
        .next_producer_id = value.next_producer_id,
        .epoch = value.producer_epoch,
        .last_epoch = TXN_EPOCH_NONE,
        .timeout_ms = value.transaction_timeout_ms,
        .start_ms = value.transaction_start_timestamp_ms,
        .update_ms = value.transaction_last_update_timestamp_ms,
        .v2 = value.client_transaction_version >= TXN_LOG_VERSION_2};
    return txn_log_parse_partitions(&value, arena, ret_value);
}

bool txn_log_parse_marker(
    const struct batch_header *header, struct slice batch, struct txn_marker_facts *ret_marker)
{
    if ((header->attributes & BATCH_CONTROL) == 0 || batch.size < batch_size(header) ||
        (header->attributes & BATCH_COMPRESSION_MASK) != 0)
        return false;
    struct record_cursor cursor = record_cursor_make(
        slice_make(batch.data + BATCH_HEADER_SIZE, batch.size - BATCH_HEADER_SIZE),
        header->records_count);
    struct record record;
    if (!record_next(&cursor, &record) || slice_is_null(record.key) || slice_is_null(record.value))
        return false;
    struct reader key = reader_make(record.key), value = reader_make(record.value);
    reader_int16(&key); /* versions: later ones only add */
    reader_int16(&value);
    int16_t type = reader_int16(&key);
    int32_t coordinator_epoch = reader_int32(&value);
    if (!reader_ok(&key) || !reader_ok(&value) ||
        (type != TXN_MARKER_ABORT && type != TXN_MARKER_COMMIT))
        return false;
    *ret_marker = (struct txn_marker_facts){
        header->producer_id, header->producer_epoch, type == TXN_MARKER_COMMIT, coordinator_epoch};
    return true;
}
