// SPDX-License-Identifier: BSD-2-Clause
#include "support/group_world.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static void world_on_turn(struct loop_msg *msg)
{
    struct world *world = container_of(msg, struct world, msg);
    world->msg_posted = false;
    world_commit(world, GROUP_OK);
}

static enum group_error world_on_store(void *ctx, struct group *group, struct group_store *store)
{
    (void)group;
    struct world *world = ctx;
    world->stored_count++;
    if (world->store_error != GROUP_OK)
        return world->store_error;
    ck_assert_uint_lt(world->stores_count, WORLD_STORES_MAX);
    world->stores[world->stores_count++] = store;
    if (world->store_auto && !world->msg_posted) {
        world->msg_posted = true;
        loop_post(world->loop, &world->msg, world_on_turn);
    }
    return GROUP_OK;
}

static void world_on_attach(void *ctx, struct group_member *member, uint64_t conn_id)
{
    (void)ctx;
    member->conn_id = conn_id;
}

static int64_t world_on_real_ms(void *ctx)
{
    struct world *world = ctx;
    return 1700000000000 + loop_now_ms(world->loop);
}

static void world_on_random(void *ctx, void *data, size_t size)
{
    struct world *world = ctx;
    uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        world->random = world->random * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(world->random >> 56);
    }
}

static const struct group_hooks world_hooks = {
    .store = world_on_store,
    .attach = world_on_attach,
    .real_ms = world_on_real_ms,
    .random = world_on_random,
};

struct group_config world_strict(void)
{
    return (struct group_config){.initial_delay_ms = 3000,
        .size_max = INT32_MAX,
        .session_ms_min = 6000,
        .session_ms_max = 1800000,
        .new_member_ms_max = 300000,
        .disconnect_expiry_ms = -1};
}

struct group_config world_dev(void)
{
    struct group_config config = world_strict();
    config.initial_delay_ms = 0;
    config.join_window_ms = 20;
    config.disconnect_expiry_ms = 250;
    return config;
}

void world_init(struct world *world, struct group_config config)
{
    *world = (struct world){.config = config, .store_auto = true, .random = 42};
    world->loop = fake_loop_start();
    world->group = group_new(SLICE_LIT("g"), world->loop, &world->config, &world_hooks, world);
}

void world_deinit(struct world *world)
{
    group_free(world->group, GROUP_E_NOT_COORDINATOR);
    world->group = NULL;
    world_commit(world, GROUP_OK);
    ck_assert_uint_eq(fake_loop_timers_count(), 0);
}

void world_commit(struct world *world, enum group_error error)
{
    struct group_store *stores[WORLD_STORES_MAX];
    size_t count = world->stores_count;
    memcpy(stores, world->stores, sizeof(stores));
    world->stores_count = 0;
    for (size_t i = 0; i < count; i++)
        group_store_done(stores[i], error);
}

/* --- clients --- */

static void client_copy(char out[WORLD_ID_MAX], struct slice s)
{
    snprintf(out, WORLD_ID_MAX, "%.*s", SLICE_FMT(s));
}

static void client_on_joined(struct group_join *join, const struct group_join_answer *answer)
{
    struct client *client = container_of(join, struct client, join);
    ck_assert(client->joining);
    client->joining = false;
    client->joins_count++;
    client->join_error = answer->error;
    client->members_count = 0;
    if (answer->error == GROUP_OK || answer->error == GROUP_E_MEMBER_ID_REQUIRED)
        client_copy(client->id, answer->member_id);
    if (answer->error != GROUP_OK)
        return;
    client->generation = answer->generation;
    client_copy(client->leader, answer->leader);
    client_copy(client->protocol, answer->protocol);
    client->skip_assignment = answer->skip_assignment;
    if (answer->members == NULL)
        return;
    const struct group_member *member;
    list_for_each_entry (member, &answer->members->members, link) {
        ck_assert_uint_lt(client->members_count, 64);
        client_copy(client->members[client->members_count++], member->id);
    }
}

static void client_on_synced(struct group_sync *sync, const struct group_sync_answer *answer)
{
    struct client *client = container_of(sync, struct client, sync);
    ck_assert(client->syncing);
    client->syncing = false;
    client->syncs_count++;
    client->sync_error = answer->error;
    if (answer->error == GROUP_OK)
        snprintf(
            client->assignment, sizeof(client->assignment), "%.*s", SLICE_FMT(answer->assignment));
}

struct client client_make(struct world *world)
{
    return (struct client){.world = world,
        .protocols = "range",
        .metadata = "m",
        .session_ms = 10000,
        .rebalance_ms = 60000,
        .version = 5,
        .generation = -1};
}

void client_join(struct client *client)
{
    struct group_protocol protocols[8];
    int32_t count = 0;
    for (const char *at = client->protocols; *at != 0;) {
        size_t size = strcspn(at, ",");
        protocols[count++] =
            (struct group_protocol){slice_make(at, size), slice_from_str(client->metadata)};
        at += size + (at[size] == ',');
    }
    ck_assert(!client->joining);
    client->joining = true;
    char id[WORLD_ID_MAX];
    memcpy(id, client->id, sizeof(id));
    client->join = (struct group_join){.member_id = slice_from_str(id),
        .instance_id = slice_from_str(client->instance),
        .client_id = SLICE_LIT("c"),
        .client_host = SLICE_LIT("127.0.0.1"),
        .protocol_type = SLICE_LIT("consumer"),
        .protocols = protocols,
        .protocols_count = count,
        .session_timeout_ms = client->session_ms,
        .rebalance_timeout_ms = client->rebalance_ms,
        .require_member_id = client->version >= 4,
        .may_skip_assignment = client->version >= 9,
        .conn_id = client->conn_id,
        .done = client_on_joined};
    group_join(client->world->group, &client->join);
}

void client_join_fully(struct client *client)
{
    client_join(client);
    if (!client->joining && client->join_error == GROUP_E_MEMBER_ID_REQUIRED)
        client_join(client);
}

bool client_leads(const struct client *client)
{
    return strcmp(client->id, client->leader) == 0;
}

void client_sync(struct client *client)
{
    struct group_assignment assignments[64];
    static char texts[64][WORLD_ID_MAX + 16];
    for (size_t i = 0; i < client->members_count; i++) {
        snprintf(texts[i], sizeof(texts[i]), "%s:%d", client->members[i], client->generation);
        assignments[i] =
            (struct group_assignment){slice_from_str(client->members[i]), slice_from_str(texts[i])};
    }
    ck_assert(!client->syncing);
    client->syncing = true;
    client->sync = (struct group_sync){.member_id = slice_from_str(client->id),
        .instance_id = slice_from_str(client->instance),
        .generation = client->generation,
        .assignments = assignments,
        .assignments_count = client_leads(client) ? (int32_t)client->members_count : 0,
        .conn_id = client->conn_id,
        .done = client_on_synced};
    group_sync(client->world->group, &client->sync);
}

enum group_error client_heartbeat(struct client *client)
{
    return group_heartbeat(client->world->group, slice_from_str(client->id),
        slice_from_str(client->instance), client->generation, client->conn_id);
}

enum group_error client_leave(struct client *client)
{
    return group_leave(client->world->group, slice_from_str(client->id),
        slice_from_str(client->instance), SLICE_NULL);
}

enum group_error client_may_commit(struct client *client)
{
    return group_may_commit(client->world->group, slice_from_str(client->id),
        slice_from_str(client->instance), client->generation);
}

void world_stabilize(struct world *world, struct client *clients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        client_join_fully(&clients[i]);
    for (int i = 0; i < 10 && world->group->state == GROUP_PREPARING_REBALANCE; i++)
        fake_loop_advance(world->config.initial_delay_ms + world->config.join_window_ms);
    ck_assert_int_eq(world->group->state, GROUP_COMPLETING_REBALANCE);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(clients[i].join_error, GROUP_OK);
        client_sync(&clients[i]);
    }
    fake_loop_turn();
    ck_assert_int_eq(world->group->state, GROUP_STABLE);
}
