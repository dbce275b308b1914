// SPDX-License-Identifier: BSD-2-Clause
/*
 * A key starts with the kind of record (int16: 0 snapshot, 1 update), a value with its version
 * (int16: 0). A tombstone has the key of a snapshot.
 */
#include "broker/share/share_log.h"

#include "wire/share_snapshot_key.gen.h"
#include "wire/share_snapshot_value.gen.h"
#include "wire/share_update_key.gen.h"
#include "wire/share_update_value.gen.h"

#include <assert.h>
#include <stdlib.h>

enum { SHARE_LOG_VERSION = 0 };

struct share_write *share_write_new(int64_t now_ms)
{
    struct share_write *write = xnew(struct share_write);
    batch_builder_init(&write->builder);
    write->now_ms = now_ms;
    return write;
}

void share_write_free(struct share_write *write)
{
    batch_builder_deinit(&write->builder);
    free(write);
}

static void share_write_key(
    struct writer *writer, enum share_log_type type, const struct share_key *key)
{
    struct share_snapshot_key encoded; /* the other kind has the same fields */
    share_snapshot_key_init(&encoded);
    encoded.group_id = key->group;
    encoded.topic_id = key->topic_id;
    encoded.partition = key->partition;
    writer_int16(writer, (int16_t)type);
    share_snapshot_key_encode(writer, SHARE_LOG_VERSION, &encoded);
}

/* `value` NULL: a tombstone. */
static void share_write_record(struct share_write *write, enum share_log_type type,
    const struct share_key *key, const struct writer *value)
{
    struct writer key_writer = WRITER_NULL;
    share_write_key(&key_writer, type, key);
    struct batch_record record = {.timestamp_ms = write->now_ms,
        .key = buffer_slice(&key_writer.buffer),
        .value = value == NULL ? SLICE_NULL : buffer_slice(&value->buffer)};
    batch_builder_append(&write->builder, &record);
    writer_deinit(&key_writer);
}

void share_write_snapshot(
    struct share_write *write, const struct share_key *key, const struct share_facts *facts)
{
    struct writer writer = WRITER_NULL;
    struct arena arena = ARENA_NULL;
    struct share_snapshot_value value;
    share_snapshot_value_init(&value);
    value.snapshot_epoch = facts->snapshot_epoch;
    value.state_epoch = facts->state_epoch;
    value.leader_epoch = facts->leader_epoch;
    value.start_offset = facts->start_offset;
    value.delivery_complete_count = facts->complete_count;
    value.create_timestamp = facts->created_ms;
    value.write_timestamp = facts->written_ms;
    value.state_batches =
        arena_new_n(&arena, struct share_snapshot_value_state_batch, facts->batches_count);
    value.state_batches_count = (int32_t)facts->batches_count;
    for (size_t i = 0; i < facts->batches_count; i++) {
        const struct share_state_batch *batch = &facts->batches[i];
        value.state_batches[i] = (struct share_snapshot_value_state_batch){
            batch->first_offset, batch->last_offset, batch->delivery_state, batch->delivery_count};
    }
    writer_int16(&writer, SHARE_LOG_VERSION);
    share_snapshot_value_encode(&writer, SHARE_LOG_VERSION, &value);
    share_write_record(write, SHARE_LOG_SNAPSHOT, key, &writer);
    writer_deinit(&writer);
    arena_deinit(&arena);
}

void share_write_update(
    struct share_write *write, const struct share_key *key, const struct share_facts *facts)
{
    struct writer writer = WRITER_NULL;
    struct arena arena = ARENA_NULL;
    struct share_update_value value;
    share_update_value_init(&value);
    value.snapshot_epoch = facts->snapshot_epoch;
    value.leader_epoch = facts->leader_epoch;
    value.start_offset = facts->start_offset;
    value.delivery_complete_count = facts->complete_count;
    value.state_batches =
        arena_new_n(&arena, struct share_update_value_state_batch, facts->batches_count);
    value.state_batches_count = (int32_t)facts->batches_count;
    for (size_t i = 0; i < facts->batches_count; i++) {
        const struct share_state_batch *batch = &facts->batches[i];
        value.state_batches[i] = (struct share_update_value_state_batch){
            batch->first_offset, batch->last_offset, batch->delivery_state, batch->delivery_count};
    }
    writer_int16(&writer, SHARE_LOG_VERSION);
    share_update_value_encode(&writer, SHARE_LOG_VERSION, &value);
    share_write_record(write, SHARE_LOG_UPDATE, key, &writer);
    writer_deinit(&writer);
    arena_deinit(&arena);
}

void share_write_tombstone(struct share_write *write, const struct share_key *key)
{
    share_write_record(write, SHARE_LOG_SNAPSHOT, key, NULL);
}

static void share_write_on_appended(struct partition_append *append, enum partition_error error)
{
    struct share_write *write = container_of(append, struct share_write, append);
    write->done(write->ctx, error, append->base_offset);
    share_write_free(write);
}

enum partition_error share_write_submit(struct share_write *take_write, struct partition *partition,
    void (*done)(void *ctx, enum partition_error error, int64_t base_offset), void *ctx)
{
    struct share_write *write = take_write;
    struct partition_append *append = &write->append;
    write->done = done;
    write->ctx = ctx;
    append->data = batch_builder_finish(&write->builder, &append->size);
    append->header = batch_header_parse(append->data);
    append->durable = true;
    append->urgent = true;
    append->done = share_write_on_appended;
    enum partition_error error = partition_append(partition, append);
    assert(error != PARTITION_OK); /* that is for repeated batches, and these have no sequence */
    if (error != PARTITION_PENDING)
        share_write_free(write);
    return error;
}

/* --- reading --- */

bool share_log_parse_key(struct slice bytes, struct arena *arena, enum share_log_type *ret_type,
    struct share_key *ret_key)
{
    struct reader reader = reader_make(bytes);
    int16_t type = reader_int16(&reader);
    struct share_snapshot_key key;
    share_snapshot_key_init(&key);
    if ((type != SHARE_LOG_SNAPSHOT && type != SHARE_LOG_UPDATE) ||
        !share_snapshot_key_decode(&reader, SHARE_LOG_VERSION, arena, &key))
        return false;
    *ret_type = (enum share_log_type)type;
    *ret_key = (struct share_key){key.group_id, key.topic_id, key.partition};
    return true;
}

static bool share_log_parse_snapshot(
    struct reader *reader, struct arena *arena, struct share_facts *facts)
{
    struct share_snapshot_value value;
    share_snapshot_value_init(&value);
    if (!share_snapshot_value_decode(reader, SHARE_LOG_VERSION, arena, &value))
        return false;
    *facts = (struct share_facts){.snapshot_epoch = value.snapshot_epoch,
        .state_epoch = value.state_epoch,
        .leader_epoch = value.leader_epoch,
        .start_offset = value.start_offset,
        .complete_count = value.delivery_complete_count,
        .created_ms = value.create_timestamp,
        .written_ms = value.write_timestamp,
        .batches = arena_new_n(arena, struct share_state_batch, (size_t)value.state_batches_count),
        .batches_count = (size_t)value.state_batches_count};
    for (size_t i = 0; i < facts->batches_count; i++) {
        const struct share_snapshot_value_state_batch *batch = &value.state_batches[i];
        facts->batches[i] = (struct share_state_batch){
            batch->first_offset, batch->last_offset, batch->delivery_state, batch->delivery_count};
    }
    return true;
}

static bool share_log_parse_update(
    struct reader *reader, struct arena *arena, struct share_facts *facts)
{
    struct share_update_value value;
    share_update_value_init(&value);
    if (!share_update_value_decode(reader, SHARE_LOG_VERSION, arena, &value))
        return false;
    *facts = (struct share_facts){.snapshot_epoch = value.snapshot_epoch,
        .state_epoch = -1,
        .leader_epoch = value.leader_epoch,
        .start_offset = value.start_offset,
        .complete_count = value.delivery_complete_count,
        .created_ms = -1,
        .written_ms = -1,
        .batches = arena_new_n(arena, struct share_state_batch, (size_t)value.state_batches_count),
        .batches_count = (size_t)value.state_batches_count};
    for (size_t i = 0; i < facts->batches_count; i++) {
        const struct share_update_value_state_batch *batch = &value.state_batches[i];
        facts->batches[i] = (struct share_state_batch){
            batch->first_offset, batch->last_offset, batch->delivery_state, batch->delivery_count};
    }
    return true;
}

bool share_log_parse_value(struct slice bytes, enum share_log_type type, struct arena *arena,
    struct share_facts *ret_facts)
{
    struct reader reader = reader_make(bytes);
    if (reader_int16(&reader) != SHARE_LOG_VERSION)
        return false;
    return type == SHARE_LOG_SNAPSHOT ? share_log_parse_snapshot(&reader, arena, ret_facts)
                                      : share_log_parse_update(&reader, arena, ret_facts);
}
