// SPDX-License-Identifier: BSD-2-Clause
/*
 * Versions written are those that Kafka writes (highest that is not flexible): keys 1 (offset) and
 * 2 (group), values 3; an offset with an expiry of its own has value version 1, the only one with
 * that field. Each key and value starts with its version (int16).
 */
#include "broker/group/group_log.h"

#include "base/log.h"
#include "broker/group/consumer_log.h"
#include "wire/group_metadata_key.gen.h"
#include "wire/offset_commit_key.gen.h"
#include "wire/offset_commit_value.gen.h"

#include <assert.h>
#include <inttypes.h>

enum {
    GROUP_LOG_OFFSET_KEY_VERSION = 1,
    GROUP_LOG_GROUP_KEY_VERSION = 2,
    GROUP_LOG_GROUP_VALUE_VERSION = 3,
    GROUP_LOG_GROUP_VALUE_VERSION_MAX = 4,
    GROUP_LOG_OFFSET_VALUE_VERSION = 3,
    GROUP_LOG_OFFSET_VALUE_VERSION_EXPIRY = 1,
    GROUP_LOG_OFFSET_VALUE_VERSION_MAX = 4,
};

struct group_write *group_write_new(int64_t now_ms)
{
    struct group_write *write = xnew(struct group_write);
    batch_builder_init(&write->builder);
    write->key = WRITER_NULL;
    write->value = WRITER_NULL;
    write->now_ms = now_ms;
    return write;
}

void group_write_free(struct group_write *write)
{
    if (write == NULL)
        return;
    batch_builder_deinit(&write->builder);
    writer_deinit(&write->key);
    writer_deinit(&write->value);
    free(write);
}

void group_write_begin(struct group_write *write)
{
    write->key.buffer.size = 0;
    write->value.buffer.size = 0;
}

void group_write_end(struct group_write *write, bool tombstone)
{
    struct batch_record record = {.timestamp_ms = write->now_ms,
        .key = buffer_slice(&write->key.buffer),
        .value = tombstone ? SLICE_NULL : buffer_slice(&write->value.buffer)};
    batch_builder_append(&write->builder, &record);
}

void group_write_begin_key(
    struct group_write *write, int16_t type, struct slice group, struct slice what, int16_t version)
{
    group_write_begin(write);
    writer_int16(&write->key, type);
    writer_string(&write->key, false, group);
    if (!slice_is_null(what))
        writer_string(&write->key, false, what);
    writer_int16(&write->value, version);
}

void group_write_tombstone(
    struct group_write *write, int16_t type, struct slice group, struct slice what)
{
    group_write_begin_key(write, type, group, what, 0);
    group_write_end(write, true);
}

static void group_write_group_key(struct group_write *write, struct slice group)
{
    struct group_metadata_key key;
    group_metadata_key_init(&key);
    key.group = group;
    writer_int16(&write->key, GROUP_LOG_GROUP_KEY_VERSION);
    group_metadata_key_encode(&write->key, GROUP_LOG_GROUP_KEY_VERSION, &key);
}

static void group_write_offset_key(
    struct group_write *write, struct slice group, struct slice topic, int32_t partition)
{
    struct offset_commit_key key;
    offset_commit_key_init(&key);
    key.group = group;
    key.topic = topic;
    key.partition = partition;
    writer_int16(&write->key, GROUP_LOG_OFFSET_KEY_VERSION);
    offset_commit_key_encode(&write->key, GROUP_LOG_OFFSET_KEY_VERSION, &key);
}

void group_write_group(struct group_write *write, const struct group *group)
{
    struct group_metadata_value value;
    group_metadata_value_init(&value);
    value.protocol_type = group->protocol_type.size == 0 ? SLICE_LIT("") : group->protocol_type;
    value.generation = group->generation;
    value.protocol = group->protocol;
    value.leader = group->leader == NULL ? SLICE_NULL : group->leader->id;
    value.current_state_timestamp = group->state_ms;
    value.members = xnew_n(struct group_metadata_value_member, group->members_count + 1);
    const struct group_member *member;
    list_for_each_entry (member, &group->members, link) {
        struct group_metadata_value_member *out = &value.members[value.members_count++];
        group_metadata_value_member_init(out);
        out->member_id = member->id;
        out->group_instance_id = member->instance_id;
        out->client_id = member->client_id;
        out->client_host = member->client_host;
        out->rebalance_timeout = member->rebalance_timeout_ms;
        out->session_timeout = member->session_timeout_ms;
        out->subscription = group_member_metadata(member, group->protocol);
        out->assignment = member->assignment;
    }
    group_write_begin(write);
    group_write_group_key(write, group->id);
    writer_int16(&write->value, GROUP_LOG_GROUP_VALUE_VERSION);
    group_metadata_value_encode(&write->value, GROUP_LOG_GROUP_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.members);
}

void group_write_group_tombstone(struct group_write *write, struct slice group)
{
    group_write_begin(write);
    group_write_group_key(write, group);
    group_write_end(write, true);
}

void group_write_offset(
    struct group_write *write, struct slice group, const struct group_offset *offset)
{
    struct offset_commit_value value;
    offset_commit_value_init(&value);
    value.offset = offset->offset;
    value.leader_epoch = offset->leader_epoch;
    value.metadata = slice_is_null(offset->metadata) ? SLICE_LIT("") : offset->metadata;
    value.commit_timestamp = offset->commit_ms;
    value.expire_timestamp = offset->expire_ms;
    int16_t version = offset->expire_ms < 0 ? GROUP_LOG_OFFSET_VALUE_VERSION
                                            : GROUP_LOG_OFFSET_VALUE_VERSION_EXPIRY;
    group_write_begin(write);
    group_write_offset_key(write, group, offset->topic, offset->partition);
    writer_int16(&write->value, version);
    offset_commit_value_encode(&write->value, version, &value);
    group_write_end(write, false);
}

void group_write_offset_tombstone(
    struct group_write *write, struct slice group, struct slice topic, int32_t partition)
{
    group_write_begin(write);
    group_write_offset_key(write, group, topic, partition);
    group_write_end(write, true);
}

void group_write_in_txn(struct group_write *write, struct slice transactional_id,
    int64_t producer_id, int16_t epoch, bool add)
{
    write->builder.attributes = BATCH_TRANSACTIONAL;
    write->builder.producer_id = producer_id;
    write->builder.producer_epoch = epoch;
    write->builder.base_sequence = -1;
    write->append.transactional_id = transactional_id;
    write->append.txn_add = add;
}

/* --- appending --- */

static enum group_error group_log_error(enum partition_error error)
{
    switch (error) {
    case PARTITION_OK:
    case PARTITION_PENDING: return GROUP_OK;
    case PARTITION_NOT_OWNER:
    case PARTITION_STORAGE: return GROUP_E_NOT_COORDINATOR;
    case PARTITION_INVALID_PRODUCER_EPOCH: return GROUP_E_FENCED_PRODUCER;
    case PARTITION_UNKNOWN_TXN_PRODUCER: return GROUP_E_UNKNOWN_PRODUCER;
    case PARTITION_NOT_IN_TXN: return GROUP_E_NOT_IN_TXN;
    default: return GROUP_E_UNAVAILABLE;
    }
}

static void group_write_on_appended(struct partition_append *append, enum partition_error error)
{
    struct group_write *write = container_of(append, struct group_write, append);
    if (error == PARTITION_NOT_OWNER) {
        /* Not ours any more, or the broker stops: whoever owns the log next replays what is in it.
         */
        log_debug("group.write.disowned", "offset=%" PRId64, append->base_offset);
    } else if (error != PARTITION_OK) {
        static struct log_limit limit;
        if (log_limit_pass(&limit, 1000))
            log_warn("group.write.failed", "error=%d", (int)error);
    }
    write->log_offset = append->base_offset;
    write->done(write, group_log_error(error));
    group_write_free(write);
}

static void group_write_on_msg(struct loop_msg *msg)
{
    struct group_write *write = container_of(msg, struct group_write, msg);
    group_write_on_appended(&write->append, PARTITION_OK);
}

enum group_error group_write_submit(struct group_write *take_write, struct partition *partition,
    void (*done)(struct group_write *write, enum group_error error), void *ctx)
{
    struct group_write *write = take_write;
    assert(!group_write_empty(write));
    write->done = done;
    write->ctx = ctx;
    struct partition_append *append = &write->append;
    append->data = batch_builder_finish(&write->builder, &append->size);
    append->header = batch_header_parse(append->data);
    append->durable = true;
    append->urgent = true;
    append->done = group_write_on_appended;
    enum partition_error error = partition_append(partition, append);
    if (error == PARTITION_PENDING)
        return GROUP_OK;
    if (error == PARTITION_OK) { /* final already; the answer still comes from the loop */
        loop_post(loop_current(), &write->msg, group_write_on_msg);
        return GROUP_OK;
    }
    group_write_free(write);
    return group_log_error(error);
}

/* --- reading --- */

bool group_log_parse_key(struct slice bytes, struct arena *arena, struct group_log_key *ret_key)
{
    struct reader reader = reader_make(bytes);
    int16_t version = reader_int16(&reader);
    if (!reader_ok(&reader))
        return false;
    *ret_key = (struct group_log_key){.type = GROUP_LOG_OTHER};
    if (version >= 0 && version <= GROUP_LOG_OFFSET_KEY_VERSION) {
        struct offset_commit_key key;
        offset_commit_key_init(&key);
        if (!offset_commit_key_decode(&reader, version, arena, &key))
            return false;
        *ret_key = (struct group_log_key){.type = GROUP_LOG_OFFSET,
            .group = key.group,
            .topic = key.topic,
            .partition = key.partition};
    } else if (version == GROUP_LOG_GROUP_KEY_VERSION) {
        struct group_metadata_key key;
        group_metadata_key_init(&key);
        if (!group_metadata_key_decode(&reader, version, arena, &key))
            return false;
        *ret_key = (struct group_log_key){.type = GROUP_LOG_GROUP, .group = key.group};
    } else {
        return consumer_log_parse_key(&reader, version, arena, ret_key);
    }
    return true;
}

bool group_log_parse_offset(
    struct slice bytes, struct arena *arena, struct group_offset *ret_offset)
{
    struct reader reader = reader_make(bytes);
    int16_t version = reader_int16(&reader);
    if (version < 0 || version > GROUP_LOG_OFFSET_VALUE_VERSION_MAX)
        return false;
    struct offset_commit_value value;
    offset_commit_value_init(&value);
    if (!offset_commit_value_decode(&reader, version, arena, &value))
        return false;
    ret_offset->offset = value.offset;
    ret_offset->leader_epoch = value.leader_epoch;
    ret_offset->metadata = value.metadata;
    ret_offset->commit_ms = value.commit_timestamp;
    ret_offset->expire_ms = value.expire_timestamp;
    return true;
}

bool group_log_parse_group(struct slice bytes, struct arena *arena, int16_t *ret_version,
    struct group_metadata_value *ret_value)
{
    struct reader reader = reader_make(bytes);
    int16_t version = reader_int16(&reader);
    if (version < 0 || version > GROUP_LOG_GROUP_VALUE_VERSION_MAX)
        return false;
    group_metadata_value_init(ret_value);
    if (!group_metadata_value_decode(&reader, version, arena, ret_value))
        return false;
    *ret_version = version;
    return true;
}
