// SPDX-License-Identifier: BSD-2-Clause
/*
 * Keys start with their version, which is also their type: 3 group, 4 topics (no longer written),
 * 5 member, 6 target epoch, 7 target of a member, 8 what a member owns, 16 expression. Values all
 * have version 0.
 */
#include "broker/group/consumer_log.h"

#include "base/regex.h"
#include "broker/group/share_group_log.h"
#include "wire/consumer_group_current_member_assignment_value.gen.h"
#include "wire/consumer_group_member_metadata_value.gen.h"
#include "wire/consumer_group_metadata_value.gen.h"
#include "wire/consumer_group_regular_expression_value.gen.h"
#include "wire/consumer_group_target_assignment_member_value.gen.h"
#include "wire/consumer_group_target_assignment_metadata_value.gen.h"

#include <assert.h>

enum {
    CONSUMER_LOG_GROUP = 3,
    CONSUMER_LOG_TOPICS = 4,
    CONSUMER_LOG_MEMBER = 5,
    CONSUMER_LOG_TARGET_EPOCH = 6,
    CONSUMER_LOG_TARGET = 7,
    CONSUMER_LOG_CURRENT = 8,
    CONSUMER_LOG_PATTERN = 16,
    CONSUMER_LOG_VALUE_VERSION = 0,
};

/* --- writing --- */

static void consumer_log_group(struct group_write *write, const struct consumer_group *group)
{
    struct consumer_group_metadata_value value;
    consumer_group_metadata_value_init(&value);
    value.epoch = group->epoch;
    value.metadata_hash = (int64_t)group->topics_hash;
    group_write_begin_key(
        write, CONSUMER_LOG_GROUP, group->id, SLICE_NULL, CONSUMER_LOG_VALUE_VERSION);
    consumer_group_metadata_value_encode(&write->value, CONSUMER_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
}

static void consumer_log_target_epoch(struct group_write *write, const struct consumer_group *group)
{
    struct consumer_group_target_assignment_metadata_value value;
    consumer_group_target_assignment_metadata_value_init(&value);
    value.assignment_epoch = group->target_epoch;
    group_write_begin_key(
        write, CONSUMER_LOG_TARGET_EPOCH, group->id, SLICE_NULL, CONSUMER_LOG_VALUE_VERSION);
    consumer_group_target_assignment_metadata_value_encode(
        &write->value, CONSUMER_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
}

static void consumer_log_member(struct group_write *write, const struct consumer_member *member)
{
    const struct consumer_subscription *subscription = member->subscription;
    struct consumer_group_member_metadata_value value;
    struct consumer_group_member_metadata_value_classic_member_metadata classic;
    consumer_group_member_metadata_value_init(&value);
    value.instance_id = member->instance_id;
    value.rack_id = member->rack_id;
    value.client_id = member->client_id;
    value.client_host = member->client_host;
    value.subscribed_topic_names = subscription->names;
    value.subscribed_topic_names_count = subscription->names_count;
    value.subscribed_topic_regex = subscription->pattern;
    value.rebalance_timeout_ms = member->rebalance_timeout_ms;
    value.server_assignor = member->assignor;
    struct consumer_group_member_metadata_value_classic_protocol *protocols =
        xnew_n(struct consumer_group_member_metadata_value_classic_protocol,
            (size_t)member->protocols_count + 1);
    if (member->classic) {
        consumer_group_member_metadata_value_classic_member_metadata_init(&classic);
        classic.session_timeout_ms = member->session_timeout_ms;
        classic.supported_protocols = protocols;
        classic.supported_protocols_count = member->protocols_count;
        for (int32_t i = 0; i < member->protocols_count; i++) {
            protocols[i].name = member->protocols[i].name;
            protocols[i].metadata = member->protocols[i].metadata;
        }
        value.classic_member_metadata = &classic;
    }
    group_write_begin_key(
        write, CONSUMER_LOG_MEMBER, member->group->id, member->id, CONSUMER_LOG_VALUE_VERSION);
    consumer_group_member_metadata_value_encode(&write->value, CONSUMER_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(protocols);
}

static void consumer_log_target(struct group_write *write, const struct consumer_member *member)
{
    struct consumer_group_target_assignment_member_value value;
    consumer_group_target_assignment_member_value_init(&value);
    struct consumer_runs runs = consumer_runs_make(&member->target);
    value.topic_partitions =
        xnew_n(struct consumer_group_target_assignment_member_value_topic_partition,
            (size_t)runs.count + 1);
    for (int32_t i = 0; i < runs.count; i++) {
        value.topic_partitions[i].topic_id = runs.items[i].topic;
        value.topic_partitions[i].partitions = runs.items[i].partitions;
        value.topic_partitions[i].partitions_count = runs.items[i].count;
    }
    value.topic_partitions_count = runs.count;
    group_write_begin_key(
        write, CONSUMER_LOG_TARGET, member->group->id, member->id, CONSUMER_LOG_VALUE_VERSION);
    consumer_group_target_assignment_member_value_encode(
        &write->value, CONSUMER_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.topic_partitions);
    consumer_runs_free(&runs);
}

static struct consumer_group_current_member_assignment_value_topic_partitions *
consumer_log_current_parts(const struct consumer_runs *runs)
{
    struct consumer_group_current_member_assignment_value_topic_partitions *out =
        xnew_n(struct consumer_group_current_member_assignment_value_topic_partitions,
            (size_t)runs->count + 1);
    for (int32_t i = 0; i < runs->count; i++) {
        out[i].topic_id = runs->items[i].topic;
        out[i].partitions = runs->items[i].partitions;
        out[i].partitions_count = runs->items[i].count;
    }
    return out;
}

static void consumer_log_current(struct group_write *write, const struct consumer_member *member)
{
    struct consumer_group_current_member_assignment_value value;
    consumer_group_current_member_assignment_value_init(&value);
    struct consumer_runs owned = consumer_runs_make(&member->owned);
    struct consumer_runs revoking = consumer_runs_make(&member->revoking);
    value.member_epoch = member->epoch;
    value.previous_member_epoch = member->previous_epoch;
    value.state = (int8_t)member->progress;
    value.assigned_partitions = consumer_log_current_parts(&owned);
    value.assigned_partitions_count = owned.count;
    value.partitions_pending_revocation = consumer_log_current_parts(&revoking);
    value.partitions_pending_revocation_count = revoking.count;
    group_write_begin_key(
        write, CONSUMER_LOG_CURRENT, member->group->id, member->id, CONSUMER_LOG_VALUE_VERSION);
    consumer_group_current_member_assignment_value_encode(
        &write->value, CONSUMER_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.assigned_partitions);
    free(value.partitions_pending_revocation);
    consumer_runs_free(&owned);
    consumer_runs_free(&revoking);
}

static void consumer_log_member_gone(
    struct group_write *write, struct slice group, struct slice member)
{
    group_write_tombstone(write, CONSUMER_LOG_CURRENT, group, member);
    group_write_tombstone(write, CONSUMER_LOG_TARGET, group, member);
    group_write_tombstone(write, CONSUMER_LOG_MEMBER, group, member);
}

/* --- expressions --- */

static void consumer_log_pattern(struct group_write *write, const struct consumer_group *group,
    const struct consumer_subscription *subscription)
{
    struct consumer_group_regular_expression_value value;
    consumer_group_regular_expression_value_init(&value);
    value.topics = xnew_n(struct slice, subscription->topics.count + 1);
    for (size_t i = 0; i < subscription->topics.count; i++) {
        if (regex_matches(subscription->regex, subscription->topics.items[i].name))
            value.topics[value.topics_count++] = subscription->topics.items[i].name;
    }
    value.version = (int64_t)group->topics_revision;
    value.timestamp = write->now_ms;
    group_write_begin_key(
        write, CONSUMER_LOG_PATTERN, group->id, subscription->pattern, CONSUMER_LOG_VALUE_VERSION);
    consumer_group_regular_expression_value_encode(
        &write->value, CONSUMER_LOG_VALUE_VERSION, &value);
    group_write_end(write, false);
    free(value.topics);
}

/* Whenever the group's own record is written, the expressions are: they change with it. */
static void consumer_log_patterns(struct group_write *write, struct consumer_group *group)
{
    map_for_each (&group->patterns, found)
        ((struct consumer_pattern *)found->value)->gone = true;
    map_for_each (&group->subscriptions, found) {
        const struct consumer_subscription *subscription = found->value;
        if (subscription->regex == NULL)
            continue;
        consumer_restore_pattern(group, subscription->pattern, false);
        struct consumer_pattern *pattern = map_get(&group->patterns, subscription->pattern);
        pattern->gone = false;
        consumer_log_pattern(write, group, subscription);
    }
    for (bool again = true; again;) {
        struct slice gone = SLICE_NULL;
        map_for_each (&group->patterns, found) {
            struct consumer_pattern *pattern = found->value;
            if (pattern->gone)
                gone = pattern->text;
        }
        again = !slice_is_null(gone);
        if (again) {
            group_write_tombstone(write, CONSUMER_LOG_PATTERN, group->id, gone);
            consumer_restore_pattern(group, gone, true);
        }
    }
}

static void consumer_log_write_all(struct group_write *write, struct consumer_group *group)
{
    for (size_t i = 0; i < group->gone_count; i++) {
        if (consumer_group_member(group, group->gone[i]) == NULL)
            consumer_log_member_gone(write, group->id, group->gone[i]);
    }
    const struct consumer_member *member;
    list_for_each_entry (member, &group->dirty_members, dirty_link) {
        if ((member->dirty & CONSUMER_DIRTY_META) != 0)
            consumer_log_member(write, member);
    }
    if ((group->dirty & CONSUMER_DIRTY_EPOCH) != 0) {
        consumer_log_patterns(write, group);
        consumer_log_group(write, group);
    }
    list_for_each_entry (member, &group->dirty_members, dirty_link) {
        if ((member->dirty & CONSUMER_DIRTY_TARGET) != 0)
            consumer_log_target(write, member);
    }
    if ((group->dirty & CONSUMER_DIRTY_TARGET_EPOCH) != 0)
        consumer_log_target_epoch(write, group);
    list_for_each_entry (member, &group->dirty_members, dirty_link) {
        if ((member->dirty & CONSUMER_DIRTY_CURRENT) != 0)
            consumer_log_current(write, member);
    }
}

void consumer_log_write(struct group_write *write, struct consumer_group *group)
{
    (group->share == NULL ? consumer_log_write_all : share_group_log_write)(write, group);
    group->logged = true;
    consumer_group_mark_clean(group);
}

void consumer_log_write_gone(struct group_write *write, struct consumer_group *group)
{
    if (group->share != NULL) {
        share_group_log_write_gone(write, group);
        return;
    }
    for (size_t i = 0; i < group->gone_count; i++)
        consumer_log_member_gone(write, group->id, group->gone[i]);
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link)
        consumer_log_member_gone(write, group->id, member->id);
    map_for_each (&group->patterns, found)
        group_write_tombstone(write, CONSUMER_LOG_PATTERN, group->id,
            ((struct consumer_pattern *)found->value)->text);
    group_write_tombstone(write, CONSUMER_LOG_TARGET_EPOCH, group->id, SLICE_NULL);
    group_write_tombstone(write, CONSUMER_LOG_GROUP, group->id, SLICE_NULL);
}

/* --- reading --- */

bool consumer_log_parse_key(
    struct reader *reader, int16_t version, struct arena *arena, struct group_log_key *ret_key)
{
    static const struct {
        int16_t version;
        enum group_log_type type;
        bool with_member;
    } kinds[] = {
        {CONSUMER_LOG_GROUP, GROUP_LOG_CONSUMER_GROUP, false},
        {CONSUMER_LOG_TOPICS, GROUP_LOG_CONSUMER_TOPICS, false},
        {CONSUMER_LOG_MEMBER, GROUP_LOG_CONSUMER_MEMBER, true},
        {CONSUMER_LOG_TARGET_EPOCH, GROUP_LOG_CONSUMER_TARGET_EPOCH, false},
        {CONSUMER_LOG_TARGET, GROUP_LOG_CONSUMER_TARGET, true},
        {CONSUMER_LOG_CURRENT, GROUP_LOG_CONSUMER_CURRENT, true},
        {CONSUMER_LOG_PATTERN, GROUP_LOG_CONSUMER_PATTERN, true},
        {SHARE_GROUP_LOG_MEMBER, GROUP_LOG_SHARE_MEMBER, true},
        {SHARE_GROUP_LOG_GROUP, GROUP_LOG_SHARE_GROUP, false},
        {SHARE_GROUP_LOG_TARGET_EPOCH, GROUP_LOG_SHARE_TARGET_EPOCH, false},
        {SHARE_GROUP_LOG_TARGET, GROUP_LOG_SHARE_TARGET, true},
        {SHARE_GROUP_LOG_CURRENT, GROUP_LOG_SHARE_CURRENT, true},
        {SHARE_GROUP_LOG_STATES, GROUP_LOG_SHARE_STATES, false},
    };
    (void)arena;
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        if (kinds[i].version != version)
            continue;
        struct group_log_key key = {.type = kinds[i].type};
        key.group = reader_string(reader, false, false);
        if (kinds[i].with_member)
            key.member = reader_string(reader, false, false);
        if (!reader_ok(reader))
            return false;
        *ret_key = key;
        break;
    }
    return true;
}

static bool consumer_log_apply_group(
    struct consumer_group *group, struct reader *reader, int16_t version, struct arena *arena)
{
    struct consumer_group_metadata_value value;
    consumer_group_metadata_value_init(&value);
    if (!consumer_group_metadata_value_decode(reader, version, arena, &value))
        return false;
    group->epoch = value.epoch;
    group->topics_hash = (uint64_t)value.metadata_hash;
    return true;
}

static bool consumer_log_apply_target_epoch(
    struct consumer_group *group, struct reader *reader, int16_t version, struct arena *arena)
{
    struct consumer_group_target_assignment_metadata_value value;
    consumer_group_target_assignment_metadata_value_init(&value);
    if (!consumer_group_target_assignment_metadata_value_decode(reader, version, arena, &value))
        return false;
    group->target_epoch = value.assignment_epoch;
    return true;
}

static bool consumer_log_apply_member(
    struct consumer_member *member, struct reader *reader, int16_t version, struct arena *arena)
{
    struct consumer_group_member_metadata_value value;
    consumer_group_member_metadata_value_init(&value);
    if (!consumer_group_member_metadata_value_decode(reader, version, arena, &value))
        return false;
    consumer_member_set_texts(member, value.instance_id, value.rack_id, value.client_id,
        value.client_host, value.server_assignor);
    member->rebalance_timeout_ms = value.rebalance_timeout_ms;
    member->known = true;
    consumer_restore_subscription(member, value.subscribed_topic_names,
        value.subscribed_topic_names_count, value.subscribed_topic_regex);
    const struct consumer_group_member_metadata_value_classic_member_metadata *classic =
        value.classic_member_metadata;
    if (classic == NULL || classic->supported_protocols_count == 0) {
        consumer_member_set_classic(member, 0, NULL, 0);
        return true;
    }
    struct group_protocol *protocols =
        arena_new_n(arena, struct group_protocol, (size_t)classic->supported_protocols_count);
    for (int32_t i = 0; i < classic->supported_protocols_count; i++)
        protocols[i] = (struct group_protocol){
            classic->supported_protocols[i].name, classic->supported_protocols[i].metadata};
    consumer_member_set_classic(
        member, classic->session_timeout_ms, protocols, classic->supported_protocols_count);
    return true;
}

static bool consumer_log_apply_target(
    struct consumer_member *member, struct reader *reader, int16_t version, struct arena *arena)
{
    struct consumer_group_target_assignment_member_value value;
    consumer_group_target_assignment_member_value_init(&value);
    if (!consumer_group_target_assignment_member_value_decode(reader, version, arena, &value))
        return false;
    consumer_parts_free(&member->target);
    for (int32_t i = 0; i < value.topic_partitions_count; i++) {
        for (int32_t p = 0; p < value.topic_partitions[i].partitions_count; p++)
            consumer_parts_add(&member->target, value.topic_partitions[i].topic_id,
                value.topic_partitions[i].partitions[p]);
    }
    return true;
}

static void consumer_log_read_parts(struct consumer_parts *parts,
    const struct consumer_group_current_member_assignment_value_topic_partitions *from,
    int32_t count)
{
    consumer_parts_free(parts);
    for (int32_t i = 0; i < count; i++) {
        for (int32_t p = 0; p < from[i].partitions_count; p++)
            consumer_parts_add(parts, from[i].topic_id, from[i].partitions[p]);
    }
}

static bool consumer_log_apply_current(
    struct consumer_member *member, struct reader *reader, int16_t version, struct arena *arena)
{
    struct consumer_group_current_member_assignment_value value;
    consumer_group_current_member_assignment_value_init(&value);
    if (!consumer_group_current_member_assignment_value_decode(reader, version, arena, &value))
        return false;
    member->epoch = value.member_epoch;
    member->previous_epoch = value.previous_member_epoch;
    member->progress = value.state == CONSUMER_REVOKING || value.state == CONSUMER_WAITING
                           ? (enum consumer_progress)value.state
                           : CONSUMER_AT_TARGET;
    consumer_log_read_parts(
        &member->owned, value.assigned_partitions, value.assigned_partitions_count);
    consumer_log_read_parts(&member->revoking, value.partitions_pending_revocation,
        value.partitions_pending_revocation_count);
    return true;
}

/* Only the member's own tombstone removes it: the others come right before it. */
static void consumer_log_apply_gone(struct consumer_group *group, const struct group_log_key *key)
{
    if (key->type == GROUP_LOG_CONSUMER_MEMBER || key->type == GROUP_LOG_SHARE_MEMBER)
        consumer_restore_drop(group, key->member);
    else if (key->type == GROUP_LOG_CONSUMER_PATTERN)
        consumer_restore_pattern(group, key->member, true);
}

bool consumer_log_apply(struct consumer_group *group, const struct group_log_key *key,
    struct slice value, struct arena *arena)
{
    if (slice_is_null(value)) {
        consumer_log_apply_gone(group, key);
        return true;
    }
    struct reader reader = reader_make(value);
    int16_t version = reader_int16(&reader);
    if (version != CONSUMER_LOG_VALUE_VERSION)
        return false;
    if (group->share != NULL)
        return share_group_log_apply(group, key, &reader, arena);
    switch (key->type) {
    case GROUP_LOG_CONSUMER_GROUP: return consumer_log_apply_group(group, &reader, version, arena);
    case GROUP_LOG_CONSUMER_TARGET_EPOCH:
        return consumer_log_apply_target_epoch(group, &reader, version, arena);
    case GROUP_LOG_CONSUMER_PATTERN:
        consumer_restore_pattern(group, key->member, false);
        return true;
    case GROUP_LOG_CONSUMER_MEMBER:
        return consumer_log_apply_member(
            consumer_restore_member(group, key->member), &reader, version, arena);
    case GROUP_LOG_CONSUMER_TARGET:
        return consumer_log_apply_target(
            consumer_restore_member(group, key->member), &reader, version, arena);
    case GROUP_LOG_CONSUMER_CURRENT:
        return consumer_log_apply_current(
            consumer_restore_member(group, key->member), &reader, version, arena);
    default: return true;
    }
}
