// SPDX-License-Identifier: BSD-2-Clause
#include "broker/group/share_group_log.h"

#include "broker/group/share_group.h"
#include "wire/share_group_current_member_assignment_value.gen.h"
#include "wire/share_group_member_metadata_value.gen.h"
#include "wire/share_group_metadata_value.gen.h"
#include "wire/share_group_state_partition_metadata_value.gen.h"
#include "wire/share_group_target_assignment_member_value.gen.h"
#include "wire/share_group_target_assignment_metadata_value.gen.h"

enum { SHARE_GROUP_LOG_VALUE_VERSION = 0 };

/* --- writing --- */

static void share_group_log_member_gone(
    struct group_write *write, struct slice group, struct slice member)
{
    group_write_tombstone(write, SHARE_GROUP_LOG_CURRENT, group, member);
    group_write_tombstone(write, SHARE_GROUP_LOG_TARGET, group, member);
    group_write_tombstone(write, SHARE_GROUP_LOG_MEMBER, group, member);
}

static void share_group_log_group(struct group_write *write, const struct consumer_group *group)
{
    struct share_group_metadata_value value;
    share_group_metadata_value_init(&value);
    value.epoch = group->epoch;
    value.metadata_hash = (int64_t)group->topics_hash;
    group_write_begin_key(
        write, SHARE_GROUP_LOG_GROUP, group->id, SLICE_NULL, SHARE_GROUP_LOG_VALUE_VERSION);
    share_group_metadata_value_encode(&write->value, SHARE_GROUP_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
}

static void share_group_log_target_epoch(
    struct group_write *write, const struct consumer_group *group)
{
    struct share_group_target_assignment_metadata_value value;
    share_group_target_assignment_metadata_value_init(&value);
    value.assignment_epoch = group->target_epoch;
    value.assignment_timestamp = write->now_ms;
    group_write_begin_key(
        write, SHARE_GROUP_LOG_TARGET_EPOCH, group->id, SLICE_NULL, SHARE_GROUP_LOG_VALUE_VERSION);
    share_group_target_assignment_metadata_value_encode(
        &write->value, SHARE_GROUP_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
}

static void share_group_log_member(struct group_write *write, const struct consumer_member *member)
{
    struct share_group_member_metadata_value value;
    share_group_member_metadata_value_init(&value);
    value.rack_id = member->rack_id;
    value.client_id = member->client_id;
    value.client_host = member->client_host;
    value.subscribed_topic_names = member->subscription->names;
    value.subscribed_topic_names_count = member->subscription->names_count;
    group_write_begin_key(write, SHARE_GROUP_LOG_MEMBER, member->group->id, member->id,
        SHARE_GROUP_LOG_VALUE_VERSION);
    share_group_member_metadata_value_encode(&write->value, SHARE_GROUP_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
}

static void share_group_log_target(struct group_write *write, const struct consumer_member *member)
{
    struct share_group_target_assignment_member_value value;
    share_group_target_assignment_member_value_init(&value);
    struct consumer_runs runs = consumer_runs_make(&member->target);
    value.topic_partitions = xnew_n(
        struct share_group_target_assignment_member_value_topic_partition, (size_t)runs.count + 1);
    for (int32_t i = 0; i < runs.count; i++) {
        value.topic_partitions[i].topic_id = runs.items[i].topic;
        value.topic_partitions[i].partitions = runs.items[i].partitions;
        value.topic_partitions[i].partitions_count = runs.items[i].count;
    }
    value.topic_partitions_count = runs.count;
    group_write_begin_key(write, SHARE_GROUP_LOG_TARGET, member->group->id, member->id,
        SHARE_GROUP_LOG_VALUE_VERSION);
    share_group_target_assignment_member_value_encode(
        &write->value, SHARE_GROUP_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.topic_partitions);
    consumer_runs_free(&runs);
}

static void share_group_log_current(struct group_write *write, const struct consumer_member *member)
{
    struct share_group_current_member_assignment_value value;
    share_group_current_member_assignment_value_init(&value);
    struct consumer_runs runs = consumer_runs_make(&member->owned);
    value.member_epoch = member->epoch;
    value.previous_member_epoch = member->previous_epoch;
    value.state = (int8_t)member->progress;
    value.assigned_partitions =
        xnew_n(struct share_group_current_member_assignment_value_topic_partitions,
            (size_t)runs.count + 1);
    for (int32_t i = 0; i < runs.count; i++) {
        value.assigned_partitions[i].topic_id = runs.items[i].topic;
        value.assigned_partitions[i].partitions = runs.items[i].partitions;
        value.assigned_partitions[i].partitions_count = runs.items[i].count;
    }
    value.assigned_partitions_count = runs.count;
    group_write_begin_key(write, SHARE_GROUP_LOG_CURRENT, member->group->id, member->id,
        SHARE_GROUP_LOG_VALUE_VERSION);
    share_group_current_member_assignment_value_encode(
        &write->value, SHARE_GROUP_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.assigned_partitions);
    consumer_runs_free(&runs);
}

static struct share_group_state_partition_metadata_value_topic_partitions_info *
share_group_log_infos(const struct share_group *share, const struct consumer_runs *runs)
{
    struct share_group_state_partition_metadata_value_topic_partitions_info *infos =
        xnew_n(struct share_group_state_partition_metadata_value_topic_partitions_info,
            (size_t)runs->count + 1);
    for (int32_t i = 0; i < runs->count; i++) {
        const struct share_topic *topic = share_group_topic(share, runs->items[i].topic);
        infos[i].topic_id = runs->items[i].topic;
        infos[i].topic_name = topic == NULL ? SLICE_LIT("") : topic->name;
        infos[i].partitions = runs->items[i].partitions;
        infos[i].partitions_count = runs->items[i].count;
    }
    return infos;
}

static void share_group_log_states(struct group_write *write, const struct consumer_group *group)
{
    const struct share_group *share = group->share;
    struct share_group_state_partition_metadata_value value;
    share_group_state_partition_metadata_value_init(&value);
    struct consumer_runs initializing = consumer_runs_make(&share->initializing);
    struct consumer_runs initialized = consumer_runs_make(&share->initialized);
    value.initializing_topics = share_group_log_infos(share, &initializing);
    value.initializing_topics_count = initializing.count;
    value.initialized_topics = share_group_log_infos(share, &initialized);
    value.initialized_topics_count = initialized.count;
    value.deleting_topics = xnew_n(
        struct share_group_state_partition_metadata_value_topic_info, share->deleting.count + 1);
    for (size_t i = 0; i < share->deleting.count; i++) {
        value.deleting_topics[i].topic_id = share->deleting.items[i].id;
        value.deleting_topics[i].topic_name = share->deleting.items[i].name;
    }
    value.deleting_topics_count = (int32_t)share->deleting.count;
    group_write_begin_key(
        write, SHARE_GROUP_LOG_STATES, group->id, SLICE_NULL, SHARE_GROUP_LOG_VALUE_VERSION);
    share_group_state_partition_metadata_value_encode(
        &write->value, SHARE_GROUP_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.initializing_topics);
    free(value.initialized_topics);
    free(value.deleting_topics);
    consumer_runs_free(&initializing);
    consumer_runs_free(&initialized);
}

void share_group_log_write(struct group_write *write, struct consumer_group *group)
{
    for (size_t i = 0; i < group->gone_count; i++) {
        if (consumer_group_member(group, group->gone[i]) == NULL)
            share_group_log_member_gone(write, group->id, group->gone[i]);
    }
    const struct consumer_member *member;
    list_for_each_entry (member, &group->dirty_members, dirty_link) {
        if ((member->dirty & CONSUMER_DIRTY_META) != 0)
            share_group_log_member(write, member);
    }
    if ((group->dirty & CONSUMER_DIRTY_EPOCH) != 0)
        share_group_log_group(write, group);
    if ((group->dirty & CONSUMER_DIRTY_STATES) != 0)
        share_group_log_states(write, group);
    list_for_each_entry (member, &group->dirty_members, dirty_link) {
        if ((member->dirty & CONSUMER_DIRTY_TARGET) != 0)
            share_group_log_target(write, member);
    }
    if ((group->dirty & CONSUMER_DIRTY_TARGET_EPOCH) != 0)
        share_group_log_target_epoch(write, group);
    list_for_each_entry (member, &group->dirty_members, dirty_link) {
        if ((member->dirty & CONSUMER_DIRTY_CURRENT) != 0)
            share_group_log_current(write, member);
    }
}

void share_group_log_write_gone(struct group_write *write, struct consumer_group *group)
{
    for (size_t i = 0; i < group->gone_count; i++)
        share_group_log_member_gone(write, group->id, group->gone[i]);
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link)
        share_group_log_member_gone(write, group->id, member->id);
    group_write_tombstone(write, SHARE_GROUP_LOG_TARGET_EPOCH, group->id, SLICE_NULL);
    group_write_tombstone(write, SHARE_GROUP_LOG_STATES, group->id, SLICE_NULL);
    group_write_tombstone(write, SHARE_GROUP_LOG_GROUP, group->id, SLICE_NULL);
}

/* --- reading --- */

static bool share_group_log_apply_group(
    struct consumer_group *group, struct reader *reader, struct arena *arena)
{
    struct share_group_metadata_value value;
    share_group_metadata_value_init(&value);
    if (!share_group_metadata_value_decode(reader, SHARE_GROUP_LOG_VALUE_VERSION, arena, &value))
        return false;
    group->epoch = value.epoch;
    group->topics_hash = (uint64_t)value.metadata_hash;
    return true;
}

static bool share_group_log_apply_target_epoch(
    struct consumer_group *group, struct reader *reader, struct arena *arena)
{
    struct share_group_target_assignment_metadata_value value;
    share_group_target_assignment_metadata_value_init(&value);
    if (!share_group_target_assignment_metadata_value_decode(
            reader, SHARE_GROUP_LOG_VALUE_VERSION, arena, &value))
        return false;
    group->target_epoch = value.assignment_epoch;
    return true;
}

static bool share_group_log_apply_member(
    struct consumer_member *member, struct reader *reader, struct arena *arena)
{
    struct share_group_member_metadata_value value;
    share_group_member_metadata_value_init(&value);
    if (!share_group_member_metadata_value_decode(
            reader, SHARE_GROUP_LOG_VALUE_VERSION, arena, &value))
        return false;
    consumer_member_set_texts(
        member, SLICE_NULL, value.rack_id, value.client_id, value.client_host, SLICE_NULL);
    member->known = true;
    consumer_restore_subscription(
        member, value.subscribed_topic_names, value.subscribed_topic_names_count, SLICE_NULL);
    return true;
}

static bool share_group_log_apply_target(
    struct consumer_member *member, struct reader *reader, struct arena *arena)
{
    struct share_group_target_assignment_member_value value;
    share_group_target_assignment_member_value_init(&value);
    if (!share_group_target_assignment_member_value_decode(
            reader, SHARE_GROUP_LOG_VALUE_VERSION, arena, &value))
        return false;
    consumer_parts_free(&member->target);
    for (int32_t i = 0; i < value.topic_partitions_count; i++) {
        for (int32_t p = 0; p < value.topic_partitions[i].partitions_count; p++)
            consumer_parts_add(&member->target, value.topic_partitions[i].topic_id,
                value.topic_partitions[i].partitions[p]);
    }
    return true;
}

static bool share_group_log_apply_current(
    struct consumer_member *member, struct reader *reader, struct arena *arena)
{
    struct share_group_current_member_assignment_value value;
    share_group_current_member_assignment_value_init(&value);
    if (!share_group_current_member_assignment_value_decode(
            reader, SHARE_GROUP_LOG_VALUE_VERSION, arena, &value))
        return false;
    member->epoch = value.member_epoch;
    member->previous_epoch = value.previous_member_epoch;
    consumer_parts_free(&member->owned);
    for (int32_t i = 0; i < value.assigned_partitions_count; i++) {
        for (int32_t p = 0; p < value.assigned_partitions[i].partitions_count; p++)
            consumer_parts_add(&member->owned, value.assigned_partitions[i].topic_id,
                value.assigned_partitions[i].partitions[p]);
    }
    return true;
}

static void share_group_log_read_infos(struct share_group *share,
    const struct share_group_state_partition_metadata_value_topic_partitions_info *infos,
    int32_t count, bool initialized)
{
    for (int32_t i = 0; i < count; i++) {
        for (int32_t p = 0; p < infos[i].partitions_count; p++)
            share_group_add(
                share, infos[i].topic_id, infos[i].topic_name, infos[i].partitions[p], initialized);
    }
}

static bool share_group_log_apply_states(
    struct consumer_group *group, struct reader *reader, struct arena *arena)
{
    struct share_group_state_partition_metadata_value value;
    share_group_state_partition_metadata_value_init(&value);
    if (!share_group_state_partition_metadata_value_decode(
            reader, SHARE_GROUP_LOG_VALUE_VERSION, arena, &value))
        return false;
    share_group_free(group->share);
    group->share = share_group_new();
    share_group_log_read_infos(
        group->share, value.initializing_topics, value.initializing_topics_count, false);
    share_group_log_read_infos(
        group->share, value.initialized_topics, value.initialized_topics_count, true);
    for (int32_t i = 0; i < value.deleting_topics_count; i++) {
        share_topics_add(&group->share->names, value.deleting_topics[i].topic_id,
            value.deleting_topics[i].topic_name);
        share_topics_add(&group->share->deleting, value.deleting_topics[i].topic_id,
            value.deleting_topics[i].topic_name);
    }
    return true;
}

bool share_group_log_apply(struct consumer_group *group, const struct group_log_key *key,
    struct reader *reader, struct arena *arena)
{
    switch (key->type) {
    case GROUP_LOG_SHARE_GROUP: return share_group_log_apply_group(group, reader, arena);
    case GROUP_LOG_SHARE_TARGET_EPOCH:
        return share_group_log_apply_target_epoch(group, reader, arena);
    case GROUP_LOG_SHARE_STATES: return share_group_log_apply_states(group, reader, arena);
    case GROUP_LOG_SHARE_MEMBER:
        return share_group_log_apply_member(
            consumer_restore_member(group, key->member), reader, arena);
    case GROUP_LOG_SHARE_TARGET:
        return share_group_log_apply_target(
            consumer_restore_member(group, key->member), reader, arena);
    case GROUP_LOG_SHARE_CURRENT:
        return share_group_log_apply_current(
            consumer_restore_member(group, key->member), reader, arena);
    default: return true;
    }
}
