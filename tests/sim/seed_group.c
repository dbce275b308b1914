// SPDX-License-Identifier: BSD-2-Clause
/*
 * A consumer group of the classic protocol and its model. Members join, sync, send heartbeats,
 * consume and commit; they leave, fall silent, or go without a word. Checked is what holds for any
 * coordinator: a new generation is greater than every one that somebody was synced into; a
 * partition has one owner per generation; a commit of a generation that is over is refused; offsets
 * that were acknowledged are found again; and, when nothing fails any more, everybody alive is in
 * one generation that covers every partition.
 */
#include "sim/seed_world.h"

#include "base/bytes.h"
#include "wire/errors.gen.h"
#include "wire/fetch.gen.h"
#include "wire/heartbeat.gen.h"
#include "wire/join_group.gen.h"
#include "wire/leave_group.gen.h"
#include "wire/offset_commit.gen.h"
#include "wire/offset_fetch.gen.h"
#include "wire/sync_group.gen.h"

#include <inttypes.h>
#include <stdio.h>

#define GROUP            "workers"
#define SESSION_MS       6000
#define REBALANCE_MS     8000
#define HEARTBEAT_MS_MAX 1500

static struct seed_member *member_of(struct sim_client *client)
{
    return container_of(client, struct seed_member, client);
}

static struct slice member_id(const struct seed_member *member)
{
    return slice_from_str(member->id);
}

static void member_out(struct seed_member *member, bool forget)
{
    member->state = MEMBER_OUT;
    member->owned = 0;
    member->positioned = false;
    if (forget)
        member->id[0] = '\0';
    sim_client_wake_in(&member->client, sim_between(&member->world->random, 0, 300));
}

/* What every answer may say of the membership. False: it is over. */
static bool member_judge_error(struct seed_member *member, int16_t error)
{
    switch (error) {
    case 0: return true;
    case KAFKA_ERROR_UNKNOWN_MEMBER_ID:
    case KAFKA_ERROR_FENCED_INSTANCE_ID: member_out(member, true); return false;
    case KAFKA_ERROR_REBALANCE_IN_PROGRESS:
    case KAFKA_ERROR_ILLEGAL_GENERATION: member_out(member, false); return false;
    case KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_ERROR_NOT_COORDINATOR:
    case KAFKA_ERROR_KAFKA_STORAGE_ERROR:
    case KAFKA_ERROR_UNKNOWN_SERVER_ERROR:
    case KAFKA_ERROR_REQUEST_TIMED_OUT:
    case KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
    case KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER: member_out(member, false); return false;
    default: sim_violation("%s: the coordinator answers %d", member->name, error);
    }
}

static void member_next(struct seed_member *member)
{
    sim_client_wake_in(&member->client, sim_between(&member->world->random, 20, HEARTBEAT_MS_MAX));
}

/* The greatest generation that is known to have begun. What nobody was synced into may be forgotten
 * with the broker, or with a log that a failed sync has cut. */
static void member_note_generation(struct seed_member *member)
{
    struct seed_world *world = member->world;
    struct seed_group *group = &world->group;
    if (group->life != world->lives || world->disk.fault.n_failed > 0) {
        group->life = world->lives;
        group->joined = group->synced;
    }
    member->life = world->lives;
    member->known_generation = group->joined;
}

/* --- consuming and committing --- */

static void member_on_positioned(struct sim_client *client, const void *reply)
{
    struct seed_member *member = member_of(client);
    struct seed_group *group = &member->world->group;
    const struct offset_fetch_response *response = reply;
    if (!member_judge_error(member, response->error_code))
        return;
    sim_check(response->topics_count == 1, "%s: no offsets", member->name);
    for (int32_t i = 0; i < response->topics[0].partitions_count; i++) {
        const struct offset_fetch_response_partition *at = &response->topics[0].partitions[i];
        int32_t partition = at->partition_index;
        if (!member_judge_error(member, at->error_code))
            return;
        int64_t offset = at->committed_offset < 0 ? 0 : at->committed_offset;
        if (partition == member->asked)
            sim_check(offset >= member->committed_before,
                "%s: %d was committed at %" PRId64 ", found is %" PRId64, member->name, partition,
                member->committed_before, offset);
        sim_check(offset <= group->tried[partition], "%s: nobody committed %d at %" PRId64,
            member->name, partition, offset);
        member->positions[partition] = offset;
    }
    member->positioned = true;
    member_next(member);
}

static void member_position(struct seed_member *member)
{
    struct sim_client *client = &member->client;
    struct offset_fetch_request *request = sim_client_request(client, &offset_fetch_api_codec);
    struct offset_fetch_request_topic *topic = sim_client_alloc(client, sizeof(*topic));
    offset_fetch_request_topic_init(topic);
    request->group_id = SLICE_LIT(GROUP);
    request->topics = topic;
    request->topics_count = 1;
    topic->name = SLICE_LIT(SEED_TOPIC);
    topic->partition_indexes = sim_client_alloc(client, sizeof(int32_t) * SEED_PARTITIONS);
    for (int32_t i = 0; i < SEED_PARTITIONS; i++)
        topic->partition_indexes[i] = i;
    topic->partition_indexes_count = SEED_PARTITIONS;
    member->asked = (int32_t)sim_below(&member->world->random, SEED_PARTITIONS);
    member->committed_before = member->world->group.committed[member->asked];
    sim_client_send(client, &offset_fetch_api_codec, 7, request, 5000, member_on_positioned);
}

static void member_on_fetched(struct sim_client *client, const void *reply)
{
    struct seed_member *member = member_of(client);
    const struct fetch_response *response = reply;
    if (response->responses_count == 1 && response->responses[0].partitions_count == 1) {
        const struct fetch_response_partition *at = response->responses[0].partitions;
        if (at->error_code == 0)
            member->positions[member->asked] = seed_check_records(member->world, member->asked,
                member->positions[member->asked], at->records.bytes, false);
        else if (at->error_code == KAFKA_ERROR_OFFSET_OUT_OF_RANGE)
            member->positions[member->asked] = member->world->group.committed[member->asked];
    }
    member_next(member);
}

static void member_on_committed(struct sim_client *client, const void *reply)
{
    struct seed_member *member = member_of(client);
    struct seed_group *group = &member->world->group;
    const struct offset_commit_response *response = reply;
    sim_check(response->topics_count == 1, "%s: a commit without answer", member->name);
    if (!member_judge_error(member, response->topics[0].partitions[0].error_code))
        return;
    sim_check(member->generation >= member->known_generation,
        "%s: a commit of generation %d is accepted, there was %d when it was sent", member->name,
        member->generation, member->known_generation);
    if (member->asked_offset > group->committed[member->asked])
        group->committed[member->asked] = member->asked_offset;
    sim_count(SIM_COUNT_COMMITS, 1);
    sim_trace((uint64_t)member->asked_offset << 8 | (uint64_t)member->asked);
    member_next(member);
}

static void member_commit(struct seed_member *member, int32_t partition)
{
    struct sim_client *client = &member->client;
    struct seed_group *group = &member->world->group;
    struct offset_commit_request *request = sim_client_request(client, &offset_commit_api_codec);
    struct offset_commit_request_topic *topic = sim_client_alloc(client, sizeof(*topic));
    struct offset_commit_request_partition *at = sim_client_alloc(client, sizeof(*at));
    offset_commit_request_topic_init(topic);
    offset_commit_request_partition_init(at);
    request->group_id = SLICE_LIT(GROUP);
    request->member_id = member_id(member);
    request->generation_id_or_member_epoch = member->generation;
    request->topics = topic;
    request->topics_count = 1;
    topic->name = SLICE_LIT(SEED_TOPIC);
    topic->partitions = at;
    topic->partitions_count = 1;
    at->partition_index = partition;
    at->committed_offset = member->positions[partition];
    at->committed_leader_epoch = -1;
    at->committed_metadata = SLICE_LIT("");
    member->asked = partition;
    member->asked_offset = at->committed_offset;
    member_note_generation(member);
    if (at->committed_offset > group->tried[partition])
        group->tried[partition] = at->committed_offset;
    sim_client_send(client, &offset_commit_api_codec, 8, request, 5000, member_on_committed);
}

/* --- membership --- */

static void group_note_owner(struct seed_member *member)
{
    struct seed_group *group = &member->world->group;
    unsigned at = (unsigned)member->generation % SEED_GENERATIONS;
    if (group->generations[at].generation != member->generation) {
        group->generations[at].generation = member->generation;
        for (unsigned i = 0; i < SEED_PARTITIONS; i++)
            group->generations[at].owner[i] = -1;
    }
    for (unsigned i = 0; i < SEED_PARTITIONS; i++) {
        int *owner = &group->generations[at].owner[i];
        if ((member->owned & 1U << i) == 0)
            continue;
        sim_check(*owner < 0 || *owner == (int)member->index,
            "partition %u belongs to members %d and %u of generation %d", i, *owner, member->index,
            member->generation);
        *owner = (int)member->index;
    }
}

static void member_on_synced(struct sim_client *client, const void *reply)
{
    struct seed_member *member = member_of(client);
    struct seed_group *group = &member->world->group;
    const struct sync_group_response *response = reply;
    if (!member_judge_error(member, response->error_code))
        return;
    member->owned = 0;
    for (size_t i = 0; i < response->assignment.size; i++) {
        sim_check(response->assignment.data[i] < SEED_PARTITIONS, "%s: a strange assignment",
            member->name);
        member->owned |= 1U << response->assignment.data[i];
    }
    member->state = MEMBER_STABLE;
    member->positioned = false;
    group_note_owner(member);
    if (member->generation > group->synced) {
        group->synced = member->generation;
        group->joined = group->joined > group->synced ? group->joined : group->synced;
        sim_count(SIM_COUNT_GENERATIONS, 1);
    }
    sim_trace((uint64_t)member->generation << 16 | member->owned << 8 | member->index);
    member_next(member);
}

static void member_sync(struct seed_member *member)
{
    struct sim_client *client = &member->client;
    struct sync_group_request *request = sim_client_request(client, &sync_group_api_codec);
    request->group_id = SLICE_LIT(GROUP);
    request->member_id = member_id(member);
    request->generation_id = member->generation;
    request->protocol_type = SLICE_LIT("consumer");
    request->protocol_name = SLICE_LIT("range");
    if (member->leader) {
        struct sync_group_request_assignment *assignments =
            sim_client_alloc(client, member->n_members * sizeof(*assignments));
        for (unsigned i = 0; i < member->n_members; i++) {
            uint8_t *bytes = sim_client_alloc(client, SEED_PARTITIONS);
            size_t size = 0;
            for (unsigned j = i; j < SEED_PARTITIONS; j += member->n_members)
                bytes[size++] = (uint8_t)j;
            assignments[i].member_id = slice_from_str(member->members[i]);
            assignments[i].assignment = slice_make(bytes, size);
        }
        request->assignments = assignments;
        request->assignments_count = (int32_t)member->n_members;
    }
    member->state = MEMBER_SYNCING;
    sim_client_send(client, &sync_group_api_codec, 5, request, 20000, member_on_synced);
}

static void member_take_list(struct seed_member *member, const struct join_group_response *response)
{
    member->n_members = (unsigned)response->members_count;
    sim_check(member->n_members > 0 && member->n_members <= ARRAY_COUNT(member->members),
        "%s: the leader is told of %u members", member->name, member->n_members);
    bool self = false;
    for (unsigned i = 0; i < member->n_members; i++) {
        snprintf(member->members[i], sizeof(member->members[i]), "%.*s",
            SLICE_FMT(response->members[i].member_id));
        self = self || strcmp(member->members[i], member->id) == 0;
        for (unsigned j = 0; j < i; j++)
            sim_check(strcmp(member->members[i], member->members[j]) != 0,
                "%s: a member is listed twice", member->name);
    }
    sim_check(self, "%s: the leader is not in its own list", member->name);
}

static void member_on_joined(struct sim_client *client, const void *reply)
{
    struct seed_member *member = member_of(client);
    struct seed_world *world = member->world;
    const struct join_group_response *response = reply;
    sim_count(SIM_COUNT_JOINS, 1);
    if (response->error_code == KAFKA_ERROR_MEMBER_ID_REQUIRED) {
        snprintf(member->id, sizeof(member->id), "%.*s", SLICE_FMT(response->member_id));
        member->state = MEMBER_OUT;
        sim_client_wake_in(client, sim_chance(&world->random, 5) ? 9000 : 1);
        return;
    }
    if (!member_judge_error(member, response->error_code))
        return;
    snprintf(member->id, sizeof(member->id), "%.*s", SLICE_FMT(response->member_id));
    member->generation = response->generation_id;
    member->leader = slice_equal(response->leader, response->member_id);
    struct seed_group *group = &world->group;
    sim_check(member->generation >= member->known_generation,
        "%s joins generation %d, there was %d when it asked", member->name, member->generation,
        member->known_generation);
    if (member->life == world->lives && member->generation > group->joined)
        group->joined = member->generation;
    if (member->leader)
        member_take_list(member, response);
    else
        sim_check(response->members_count == 0, "%s: a follower is told of members", member->name);
    member_sync(member);
}

static void member_join(struct seed_member *member)
{
    struct sim_client *client = &member->client;
    struct join_group_request *request = sim_client_request(client, &join_group_api_codec);
    struct join_group_request_protocol *protocol = sim_client_alloc(client, sizeof(*protocol));
    protocol->name = SLICE_LIT("range");
    protocol->metadata = SLICE_LIT("");
    request->group_id = SLICE_LIT(GROUP);
    request->session_timeout_ms = SESSION_MS;
    request->rebalance_timeout_ms = REBALANCE_MS;
    request->member_id = member_id(member);
    request->protocol_type = SLICE_LIT("consumer");
    request->protocols = protocol;
    request->protocols_count = 1;
    member->state = MEMBER_JOINING;
    member_note_generation(member);
    sim_client_send(client, &join_group_api_codec, 9, request, 30000, member_on_joined);
}

static void member_on_heartbeat(struct sim_client *client, const void *reply)
{
    struct seed_member *member = member_of(client);
    const struct heartbeat_response *response = reply;
    if (member_judge_error(member, response->error_code))
        member_next(member);
}

static void member_heartbeat(struct seed_member *member)
{
    struct heartbeat_request *request = sim_client_request(&member->client, &heartbeat_api_codec);
    request->group_id = SLICE_LIT(GROUP);
    request->member_id = member_id(member);
    request->generation_id = member->generation;
    sim_client_send(&member->client, &heartbeat_api_codec, 4, request, 5000, member_on_heartbeat);
}

static void member_on_left(struct sim_client *client, const void *reply)
{
    (void)reply;
    struct seed_member *member = member_of(client);
    member_out(member, true);
    sim_client_wake_in(client, sim_between(&member->world->random, 0, 5000));
}

static void member_leave(struct seed_member *member)
{
    struct sim_client *client = &member->client;
    struct leave_group_request *request = sim_client_request(client, &leave_group_api_codec);
    struct leave_group_request_member *at = sim_client_alloc(client, sizeof(*at));
    at->member_id = member_id(member);
    request->group_id = SLICE_LIT(GROUP);
    request->members = at;
    request->members_count = 1;
    sim_client_send(client, &leave_group_api_codec, 5, request, 5000, member_on_left);
}

/* A stable member does one of the things it does. */
static void member_act(struct seed_member *member)
{
    struct sim_random *random = &member->world->random;
    int32_t partition = (int32_t)sim_below(random, SEED_PARTITIONS);
    bool owned = (member->owned & 1U << partition) != 0;
    uint64_t choice = sim_below(random, 100);
    if (!member->world->healing && choice < 3) {
        member_leave(member);
    } else if (!member->world->healing && choice < 5) { /* gone without a word */
        sim_client_cut(&member->client);
        member_out(member, true);
        sim_client_wake_in(&member->client, sim_between(random, 0, 15000));
    } else if (!member->world->healing && choice < 7) { /* silent for longer than its session */
        sim_client_wake_in(&member->client, sim_between(random, 5000, 12000));
    } else if (choice < 40 || !owned) {
        member_heartbeat(member);
    } else if (!member->positioned) {
        member_position(member);
    } else if (choice < 75) {
        member->asked = partition;
        const void *request =
            seed_fetch_request(&member->client, partition, member->positions[partition], 50);
        sim_client_send(&member->client, &fetch_api_codec, 11, request, 5000, member_on_fetched);
    } else {
        member_commit(member, partition);
    }
}

static void member_on_wake(struct sim_client *client)
{
    struct seed_member *member = member_of(client);
    if (!member->world->topic_made)
        sim_client_wake_in(client, 300);
    else if (member->state == MEMBER_STABLE)
        member_act(member);
    else
        member_join(member);
}

/* A commit without answer may still be done: the member joins anew, so that it is not done late. */
static void member_on_broken(struct sim_client *client)
{
    struct seed_member *member = member_of(client);
    member_out(member, sim_chance(&member->world->random, 30));
}

void seed_members_init(struct seed_world *world)
{
    for (unsigned i = 0; i < SEED_MEMBERS; i++) {
        struct seed_member *member = &world->members[i];
        snprintf(member->name, sizeof(member->name), "member-%u", i);
        member->world = world;
        member->index = i;
        sim_client_init(&member->client, &world->disk, member->name);
        member->client.on_wake = member_on_wake;
        member->client.on_broken = member_on_broken;
    }
}

void seed_check_group(struct seed_world *world)
{
    unsigned owned = 0;
    for (unsigned i = 0; i < SEED_MEMBERS; i++) {
        const struct seed_member *member = &world->members[i];
        sim_check(member->state == MEMBER_STABLE, "%s is not settled in the end (state %d)",
            member->name, (int)member->state);
        sim_check(member->generation == world->members[0].generation,
            "members of generations %d and %d in the end", member->generation,
            world->members[0].generation);
        sim_check((owned & member->owned) == 0, "two owners in the end");
        owned |= member->owned;
    }
    sim_check(owned == (1U << SEED_PARTITIONS) - 1, "partitions without owner in the end");
}
