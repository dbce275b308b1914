// SPDX-License-Identifier: BSD-2-Clause
/*
 * Members that speak the classic protocol to a group of the newer one, and groups that change
 * their kind. Such a member's epoch is its generation: it is told to join again whenever it is
 * behind, each join is one step of its reconciliation (what it says it owns tells whether it has
 * given back), and its sync gets what it may own now. It never leads.
 *
 * A classic group that a member of the newer protocol joins becomes one of the newer kind with all
 * its members and what they own; when the last member of the newer protocol goes, those that are
 * left get a classic group again, and a rebalance. Both depend on group.consumer.migration.policy.
 */
#include "broker/group/consumer_internal.h"
#include "broker/group/group_rebalance.h"
#include "broker/group/group_subscription.h"
#include "wire/consumer_protocol_assignment.gen.h"
#include "wire/consumer_protocol_subscription.gen.h"
#include "wire/reader.h"
#include "wire/writer.h"

#include "base/log.h"

#include <assert.h>
#include <inttypes.h>

#define CONSUMER_PROTOCOL_VERSION_MAX 3
/* What the metadata of one member may unfold to. */
#define CONSUMER_PROTOCOL_SIZE_MAX ((size_t)64 << 20)

/* Newer versions only append, so they are read as the newest we know. */
static bool consumer_read_version(struct reader *reader, int16_t *ret_version)
{
    int16_t version = reader_int16(reader);
    if (!reader_ok(reader) || version < 0)
        return false;
    reader->rest_allowed = true;
    *ret_version =
        version > CONSUMER_PROTOCOL_VERSION_MAX ? CONSUMER_PROTOCOL_VERSION_MAX : version;
    return true;
}

static bool consumer_read_subscription(
    struct slice bytes, struct arena *arena, struct consumer_protocol_subscription *ret)
{
    struct reader reader = reader_make(bytes);
    int16_t version;
    consumer_protocol_subscription_init(ret);
    return consumer_read_version(&reader, &version) &&
           consumer_protocol_subscription_decode(&reader, version, arena, ret);
}

static struct consumer_parts consumer_owned_parts(
    struct consumer_group *group, const struct consumer_protocol_subscription *subscription)
{
    struct consumer_parts parts = CONSUMER_PARTS_NULL;
    for (int32_t i = 0; i < subscription->owned_partitions_count; i++) {
        const struct consumer_protocol_subscription_owned_partition *owned =
            &subscription->owned_partitions[i];
        struct consumer_topic topic;
        if (!group->hooks->topic(group->ctx, owned->topic, &topic))
            continue;
        for (int32_t p = 0; p < owned->partitions_count; p++)
            consumer_parts_add(&parts, topic.id, owned->partitions[p]);
    }
    consumer_parts_sort(&parts);
    return parts;
}

/* --- join --- */

static bool consumer_supports(const struct consumer_group *group, struct slice protocol)
{
    const struct consumer_member *member;
    list_for_each_entry (member, &group->members, link) {
        bool found = !member->classic;
        for (int32_t i = 0; i < member->protocols_count && !found; i++)
            found = slice_equal(member->protocols[i].name, protocol);
        if (!found)
            return false;
    }
    return true;
}

static bool consumer_accepts(const struct consumer_group *group, const struct group_join *join)
{
    if (!slice_equal_str(join->protocol_type, GROUP_CONSUMER_PROTOCOL_TYPE))
        return false;
    for (int32_t i = 0; i < join->protocols_count; i++) {
        if (consumer_supports(group, join->protocols[i].name))
            return true;
    }
    return false;
}

static enum group_error consumer_join_find(struct consumer_group *group,
    const struct group_join *join, struct consumer_member **ret_member)
{
    *ret_member = consumer_group_member(group, join->member_id);
    if (slice_is_null(join->instance_id))
        return GROUP_OK;
    *ret_member = map_get(&group->by_instance, join->instance_id);
    if (join->member_id.size == 0)
        return GROUP_OK; /* new, or back to take its place */
    if (*ret_member == NULL)
        return GROUP_E_UNKNOWN_MEMBER;
    return slice_equal((*ret_member)->id, join->member_id) ? GROUP_OK : GROUP_E_FENCED_INSTANCE;
}

static struct consumer_member *consumer_join_admit(struct consumer_group *group,
    struct consumer_member *member, struct slice id, const struct group_join *join)
{
    if (member == NULL) {
        member = consumer_member_new(group, id);
        consumer_member_add(group, member);
    } else if (!slice_equal(member->id, id)) {
        consumer_member_rename(member, id);
        member->epoch = member->previous_epoch = 0;
    }
    consumer_member_set_texts(
        member, join->instance_id, member->rack_id, join->client_id, join->client_host, SLICE_NULL);
    member->rebalance_timeout_ms = join->rebalance_timeout_ms;
    consumer_member_set_classic(
        member, join->session_timeout_ms, join->protocols, join->protocols_count);
    consumer_member_touch(member, CONSUMER_DIRTY_META);
    return member;
}

static struct consumer_join_answer consumer_join_refuse(
    enum group_error error, struct slice member_id)
{
    return (struct consumer_join_answer){.error = error, .generation = -1, .member_id = member_id};
}

static struct slice consumer_new_id(struct consumer_group *group, const struct group_join *join)
{
    struct slice prefix = slice_is_null(join->instance_id) ? join->client_id : join->instance_id;
    uint8_t random[16];
    group->hooks->random(group->ctx, random, sizeof(random));
    return group_member_id_make(prefix, random);
}

static void consumer_join_run(struct consumer_member *member, const struct group_join *join,
    struct consumer_subscription *take_subscription,
    const struct consumer_protocol_subscription *said)
{
    struct consumer_group *group = member->group;
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    consumer_member_set_text(&member->rack_id, said->rack_id);
    consumer_group_subscribe(member, take_subscription);
    struct consumer_parts owned = consumer_owned_parts(group, said);
    consumer_member_reconcile(member, &owned);
    consumer_parts_free(&owned);
    consumer_member_refresh(member, &limits, join->conn_id);
    consumer_rebalance_start(member); /* until it syncs */
}

struct consumer_join_answer consumer_group_classic_join(
    struct consumer_group *group, const struct group_join *join, struct slice *ret_id)
{
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    *ret_id = SLICE_NULL;
    if (group->members_count >= (size_t)limits.size_max &&
        consumer_group_member(group, join->member_id) == NULL)
        return consumer_join_refuse(GROUP_E_FULL, SLICE_LIT(""));
    if (!consumer_accepts(group, join))
        return consumer_join_refuse(GROUP_E_INCONSISTENT_PROTOCOL, join->member_id);
    bool is_new = join->member_id.size == 0;
    if (is_new)
        *ret_id = consumer_new_id(group, join);
    if (is_new && slice_is_null(join->instance_id) && join->require_member_id)
        return consumer_join_refuse(GROUP_E_MEMBER_ID_REQUIRED, *ret_id);
    struct consumer_member *member;
    enum group_error error = consumer_join_find(group, join, &member);
    if (error != GROUP_OK)
        return consumer_join_refuse(error, join->member_id);
    struct arena arena;
    arena_init(&arena, CONSUMER_PROTOCOL_SIZE_MAX);
    struct consumer_protocol_subscription said;
    struct consumer_join_answer answer =
        consumer_join_refuse(GROUP_E_INCONSISTENT_PROTOCOL, join->member_id);
    if (consumer_read_subscription(join->protocols[0].metadata, &arena, &said)) {
        struct consumer_subscription *subscription =
            consumer_subscription_get(group, said.topics, said.topics_count, SLICE_NULL);
        member = consumer_join_admit(group, member, is_new ? *ret_id : join->member_id, join);
        consumer_join_run(member, join, subscription, &said);
        answer = (struct consumer_join_answer){.error = GROUP_OK,
            .generation = member->epoch,
            .protocol = member->protocols[0].name,
            .member_id = member->id};
    }
    arena_deinit(&arena);
    return answer;
}

/* --- sync, heartbeat, leave --- */

static enum group_error consumer_classic_find(struct consumer_group *group, struct slice member_id,
    struct slice instance_id, struct consumer_member **ret_member)
{
    struct consumer_member *member = slice_is_null(instance_id)
                                         ? consumer_group_member(group, member_id)
                                         : map_get(&group->by_instance, instance_id);
    if (member == NULL)
        return GROUP_E_UNKNOWN_MEMBER;
    if (!slice_is_null(instance_id) && !slice_equal(member->id, member_id))
        return GROUP_E_FENCED_INSTANCE;
    *ret_member = member;
    return member->classic ? GROUP_OK : GROUP_E_UNKNOWN_MEMBER;
}

static void consumer_await_rejoin(struct consumer_member *member)
{
    if (!timer_running(&member->rebalance))
        consumer_rebalance_start(member);
}

enum group_error consumer_group_classic_sync(struct consumer_group *group,
    const struct group_sync *sync, const struct consumer_member **ret_member)
{
    struct consumer_member *member;
    enum group_error error =
        consumer_classic_find(group, sync->member_id, sync->instance_id, &member);
    if (error != GROUP_OK)
        return error;
    if (sync->generation != member->epoch)
        return GROUP_E_ILLEGAL_GENERATION;
    if (!slice_is_null(sync->protocol_type) &&
        !slice_equal_str(sync->protocol_type, GROUP_CONSUMER_PROTOCOL_TYPE))
        return GROUP_E_INCONSISTENT_PROTOCOL;
    if (!slice_is_null(sync->protocol) && !slice_equal(sync->protocol, member->protocols[0].name))
        return GROUP_E_INCONSISTENT_PROTOCOL;
    if (group->epoch > member->epoch && member->progress != CONSUMER_REVOKING) {
        consumer_await_rejoin(member);
        return GROUP_E_REBALANCING;
    }
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    timer_stop(&member->rebalance);
    consumer_member_refresh(member, &limits, sync->conn_id);
    *ret_member = member;
    return GROUP_OK;
}

enum group_error consumer_group_classic_heartbeat(struct consumer_group *group,
    struct slice member_id, struct slice instance_id, int32_t generation, uint64_t conn_id)
{
    struct consumer_member *member;
    enum group_error error = consumer_classic_find(group, member_id, instance_id, &member);
    if (error != GROUP_OK)
        return error;
    if (generation != member->epoch)
        return GROUP_E_ILLEGAL_GENERATION;
    struct consumer_limits limits;
    group->hooks->limits(group->ctx, group, &limits);
    consumer_member_refresh(member, &limits, conn_id);
    if (member->epoch < group->epoch || member->progress == CONSUMER_REVOKING ||
        (member->progress == CONSUMER_WAITING && !consumer_member_is_blocked(member))) {
        consumer_await_rejoin(member);
        return GROUP_E_REBALANCING;
    }
    return GROUP_OK;
}

enum group_error consumer_group_classic_leave(
    struct consumer_group *group, struct slice member_id, struct slice instance_id)
{
    struct consumer_member *member = slice_is_null(instance_id)
                                         ? consumer_group_member(group, member_id)
                                         : map_get(&group->by_instance, instance_id);
    if (member == NULL)
        return GROUP_E_UNKNOWN_MEMBER;
    if (!slice_is_null(instance_id) && member_id.size > 0 && !slice_equal(member->id, member_id))
        return GROUP_E_FENCED_INSTANCE;
    if (!member->classic)
        return GROUP_E_UNKNOWN_MEMBER;
    consumer_member_fence(member, "left");
    return GROUP_OK;
}

/* --- partitions as classic clients read them --- */

static int16_t consumer_member_version(const struct consumer_member *member)
{
    if (member->protocols_count == 0)
        return 0;
    struct reader reader = reader_make(member->protocols[0].metadata);
    int16_t version;
    return consumer_read_version(&reader, &version) ? version : 0;
}

void consumer_member_encode(
    const struct consumer_member *member, const struct consumer_parts *parts, struct buffer *buffer)
{
    const struct consumer_group *group = member->group;
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct consumer_protocol_assignment assignment;
    consumer_protocol_assignment_init(&assignment);
    assignment.assigned_partitions = arena_new_n(
        &arena, struct consumer_protocol_assignment_assigned_partition, parts->count + 1);
    for (size_t at = 0, end; at < parts->count; at = end) {
        for (end = at + 1;
             end < parts->count && uuid_equal(parts->items[end].topic, parts->items[at].topic);)
            end++;
        struct consumer_topic topic;
        if (!group->hooks->topic_by_id(group->ctx, parts->items[at].topic, &topic))
            continue;
        struct consumer_protocol_assignment_assigned_partition *out =
            &assignment.assigned_partitions[assignment.assigned_partitions_count++];
        out->topic = topic.name;
        out->partitions = arena_new_n(&arena, int32_t, end - at);
        for (size_t i = at; i < end; i++)
            out->partitions[out->partitions_count++] = parts->items[i].partition;
    }
    int16_t version = consumer_member_version(member);
    struct writer writer = WRITER_NULL;
    writer_int16(&writer, version);
    consumer_protocol_assignment_encode(&writer, version, &assignment);
    buffer_append_slice(buffer, buffer_slice(&writer.buffer));
    writer_deinit(&writer);
    arena_deinit(&arena);
}

/* --- from classic --- */

static struct consumer_parts consumer_read_assignment(
    struct consumer_group *group, struct slice bytes, struct arena *arena)
{
    struct consumer_parts parts = CONSUMER_PARTS_NULL;
    struct reader reader = reader_make(bytes);
    struct consumer_protocol_assignment assignment;
    int16_t version;
    consumer_protocol_assignment_init(&assignment);
    if (bytes.size == 0 || !consumer_read_version(&reader, &version) ||
        !consumer_protocol_assignment_decode(&reader, version, arena, &assignment))
        return parts;
    for (int32_t i = 0; i < assignment.assigned_partitions_count; i++) {
        const struct consumer_protocol_assignment_assigned_partition *from =
            &assignment.assigned_partitions[i];
        struct consumer_topic topic;
        if (!group->hooks->topic(group->ctx, from->topic, &topic))
            continue;
        for (int32_t p = 0; p < from->partitions_count; p++) {
            struct consumer_part part = {topic.id, from->partitions[p]};
            if (map_get(&group->owners, consumer_part_key(&part)) == NULL)
                consumer_parts_add(&parts, part.topic, part.partition);
        }
    }
    consumer_parts_sort(&parts);
    return parts;
}

static void consumer_take_member(struct consumer_group *group, const struct group_member *from,
    const struct consumer_protocol_subscription *said, struct arena *arena)
{
    struct consumer_member *member = consumer_member_new(group, from->id);
    consumer_member_add(group, member);
    consumer_member_set_texts(
        member, from->instance_id, said->rack_id, from->client_id, from->client_host, SLICE_NULL);
    member->rebalance_timeout_ms = from->rebalance_timeout_ms;
    consumer_member_set_classic(
        member, from->session_timeout_ms, from->protocols, from->protocols_count);
    member->subscription =
        consumer_subscription_get(group, said->topics, said->topics_count, SLICE_NULL);
    member->epoch = member->previous_epoch = group->epoch;
    struct consumer_parts owned = consumer_read_assignment(group, from->assignment, arena);
    member->target = consumer_parts_copy(&owned);
    consumer_member_set_parts(member, owned, CONSUMER_PARTS_NULL);
    consumer_session_start(member, member->session_timeout_ms);
}

bool consumer_group_take_classic(struct consumer_group *group, const struct group *classic)
{
    assert(group->members_count == 0);
    group->epoch = group->target_epoch = classic->generation;
    struct arena arena;
    arena_init(&arena, CONSUMER_PROTOCOL_SIZE_MAX);
    bool fine = true;
    const struct group_member *from;
    list_for_each_entry (from, &classic->members, link) {
        struct consumer_protocol_subscription said;
        struct slice metadata = group_member_metadata(from, classic->protocol);
        if (metadata.size == 0 && from->protocols_count > 0)
            metadata = from->protocols[0].metadata;
        fine = fine && consumer_read_subscription(metadata, &arena, &said);
        if (!fine)
            break;
        consumer_take_member(group, from, &said, &arena);
        arena_reset(&arena);
    }
    arena_deinit(&arena);
    return fine;
}

/* --- to classic --- */

bool consumer_group_is_all_classic(const struct consumer_group *group)
{
    return group->members_count > 0 && group->classic_count == group->members_count;
}

void consumer_group_give_classic(const struct consumer_group *group, struct group *classic)
{
    const struct consumer_member *from =
        list_entry(group->members.next, struct consumer_member, link);
    /* The epoch was raised by whoever left; those that stay are at the one before. */
    struct group_restored restored = {.generation = group->target_epoch,
        .protocol_type = SLICE_LIT(GROUP_CONSUMER_PROTOCOL_TYPE),
        .protocol = from->protocols[0].name,
        .state_ms = classic->state_ms};
    group_restore(classic, &restored);
    list_for_each_entry (from, &group->members, link) {
        struct buffer assignment = BUFFER_NULL;
        consumer_member_encode(from, &from->owned, &assignment);
        struct group_join join = {.member_id = from->id,
            .instance_id = from->instance_id,
            .client_id = from->client_id,
            .client_host = from->client_host,
            .protocols = from->protocols,
            .protocols_count = from->protocols_count,
            .session_timeout_ms = from->session_timeout_ms,
            .rebalance_timeout_ms = from->rebalance_timeout_ms};
        group_restore_member(classic, &join, SLICE_NULL, buffer_slice(&assignment));
        buffer_deinit(&assignment);
    }
    struct slice protocol = slice_copy(group_vote(classic));
    if (!slice_is_null(protocol)) {
        slice_drop(&classic->protocol);
        classic->protocol = protocol;
    }
    group_restore_end(classic);
    group_rebalance(classic, NULL, "last-consumer-member-left", SLICE_NULL);
}
