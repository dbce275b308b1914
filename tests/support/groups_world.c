// SPDX-License-Identifier: BSD-2-Clause
#include "support/groups_world.h"

#include "base/bytes.h"
#include "broker/group/group_log.h"
#include "broker/partition/partition.h"
#include "broker/share/share_state.h"
#include "store/batch/batch.h"
#include "store/batch/compression.h"
#include "store/batch/records.h"

#include <assert.h>
#include <check.h>
#include <string.h>

#define WORLD_BATCHES_MAX 4096

struct world_batch {
    uint8_t *data;
    size_t size;
    struct batch_header header;
};

struct partition {
    int32_t index;
    struct world_batch batches[WORLD_BATCHES_MAX];
    size_t batches_count;
    int64_t end_offset;
    bool usable;
};

struct broker {
    struct loop *loop;
    struct groups *groups;
    struct broker_settings settings;
    struct image image;
    struct topic topics[3];
    struct partition partitions[WORLD_PARTITIONS];
    bool hold, fail;
    bool hold_states, fail_states;
    size_t states_made, states_removed;
    struct list_link states_held; /* struct share_state_op */
    int64_t real_offset_ms;
    uint64_t random;
    struct list_link held; /* struct partition_append */
    struct loop_msg msg;
    bool posted;
    bool ensuring;
    int loads_left;
};

static struct broker *world;

/* --- the broker's side --- */

struct image *broker_image(struct broker *broker)
{
    return &broker->image;
}
struct topic *image_topic(const struct image *image, struct slice name)
{
    (void)image;
    for (size_t i = 0; i < 3; i++) {
        if (world->topics[i].name != NULL && slice_equal_str(name, world->topics[i].name))
            return &world->topics[i];
    }
    return NULL;
}
struct topic *image_topic_by_id(const struct image *image, struct uuid id)
{
    (void)image;
    for (size_t i = 0; i < 3; i++) {
        if (uuid_equal(id, world->topics[i].id))
            return &world->topics[i];
    }
    return NULL;
}
int32_t broker_group_partition(struct broker *broker, struct slice group)
{
    (void)broker;
    return group.size == 0 ? 0 : group.data[group.size - 1] % WORLD_PARTITIONS;
}
struct loop *broker_topic_home(struct broker *broker, const struct topic *topic, int32_t partition)
{
    (void)topic;
    (void)partition;
    return broker->loop;
}
struct groups *broker_groups(struct broker *broker)
{
    return broker->groups;
}
const struct broker_settings *broker_settings(struct broker *broker)
{
    return &broker->settings;
}
unsigned broker_loops_count(struct broker *broker)
{
    (void)broker;
    return 1;
}
struct loop *broker_loop(struct broker *broker, unsigned index)
{
    (void)index;
    return broker->loop;
}

static void world_on_ensured(struct loop_msg *msg)
{
    struct broker_call *call = container_of(msg, struct broker_call, msg);
    groups_world_make_offsets();
    groups_world_load();
    call->result = 0;
    call->done(call);
}
void broker_offsets_ensure(struct broker *broker, struct broker_call *call)
{
    loop_post(broker->loop, &call->msg, world_on_ensured);
}

static int64_t world_real_ms(struct env *env)
{
    (void)env;
    return 1700000000000 + loop_now_ms(world->loop) + world->real_offset_ms;
}
static void world_random(struct env *env, void *data, size_t size)
{
    (void)env;
    for (size_t i = 0; i < size; i++) {
        world->random = world->random * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)data)[i] = (uint8_t)(world->random >> 56);
    }
}
struct env *broker_env(struct broker *broker)
{
    (void)broker;
    static const struct env_ops ops = {.real_ms = world_real_ms, .random = world_random};
    static struct env env = {&ops};
    return &env;
}

/* --- share coordinators --- */

static void world_on_state(struct loop_msg *msg)
{
    struct share_state_op *op = container_of(msg, struct share_state_op, msg);
    op->error = world->fail_states ? SHARE_STATE_E_UNAVAILABLE : SHARE_STATE_OK;
    world->states_made += !world->fail_states && op->kind == SHARE_STATE_INITIALIZE;
    world->states_removed += !world->fail_states && op->kind == SHARE_STATE_DELETE;
    op->done(op);
}
void share_state_submit(struct share_state_op *op)
{
    if (world->hold_states)
        list_append(&world->states_held, &op->link);
    else
        loop_post(world->loop, &op->msg, world_on_state);
}
void share_state_op_deinit(struct share_state_op *op)
{
    (void)op;
}
void groups_world_hold_states(bool hold)
{
    world->hold_states = hold;
    while (!hold && !list_empty(&world->states_held)) {
        struct share_state_op *op =
            list_entry(list_first(&world->states_held), struct share_state_op, link);
        list_remove(&op->link);
        loop_post(world->loop, &op->msg, world_on_state);
    }
}
void groups_world_fail_states(bool fail)
{
    world->fail_states = fail;
}
size_t groups_world_states_made(void)
{
    return world->states_made;
}
size_t groups_world_states_removed(void)
{
    return world->states_removed;
}

/* --- partitions --- */

static void world_finish_append(struct partition_append *append)
{
    struct partition *partition = append->partition;
    bool lost = !partition->usable;
    if (!world->fail && !lost) {
        ck_assert_uint_lt(partition->batches_count, WORLD_BATCHES_MAX);
        struct world_batch *batch = &partition->batches[partition->batches_count++];
        batch->data = xmalloc(append->size);
        memcpy(batch->data, append->data, append->size);
        batch_patch(batch->data, append->base_offset, 0);
        batch->size = append->size;
        batch->header = batch_header_parse(batch->data);
    }
    append->done(append, lost          ? PARTITION_NOT_OWNER
                         : world->fail ? PARTITION_STORAGE
                                       : PARTITION_OK);
}

static void world_release(void)
{
    while (!list_empty(&world->held)) {
        struct partition_append *append =
            list_entry(list_first(&world->held), struct partition_append, link);
        list_remove(&append->link);
        world_finish_append(append);
    }
}

static void world_on_turn(struct loop_msg *msg)
{
    (void)msg;
    world->posted = false;
    if (!world->hold)
        world_release();
}

enum partition_error partition_append(struct partition *partition, struct partition_append *append)
{
    ck_assert(append->durable && append->urgent);
    ck_assert(batch_crc_valid(append->data, &append->header));
    if (!partition->usable)
        return PARTITION_NOT_OWNER;
    append->partition = partition;
    append->base_offset = partition->end_offset;
    partition->end_offset += append->header.last_offset_delta + 1;
    list_append(&world->held, &append->link);
    if (!world->posted)
        loop_post(world->loop, &world->msg, world_on_turn);
    world->posted = true;
    return PARTITION_PENDING;
}
void partition_get_state(struct partition *partition, struct part_state *ret_state)
{
    *ret_state = (struct part_state){.log_end = partition->end_offset};
}
struct part *partition_part(struct partition *partition)
{
    return (struct part *)(void *)partition;
}

static struct world_replay {
    struct loop_msg msg;
    struct engine_replay *replay;
    struct partition *partition;
} world_replays[WORLD_PARTITIONS];

static void world_on_replay(struct loop_msg *msg)
{
    struct world_replay *run = container_of(msg, struct world_replay, msg);
    for (size_t i = 0; i < run->partition->batches_count && run->partition->usable; i++) {
        const struct world_batch *batch = &run->partition->batches[i];
        if (run->replay->visit(run->replay, &batch->header, slice_make(batch->data, batch->size)) !=
            0)
            break;
    }
    run->replay->done(run->replay, run->partition->usable ? ENGINE_OK : ENGINE_NOT_OWNER);
}
static void world_part_replay(struct part *part, struct engine_replay *replay)
{
    struct partition *partition = (struct partition *)(void *)part;
    struct world_replay *run = &world_replays[partition->index];
    run->replay = replay;
    run->partition = partition;
    loop_post(world->loop, &run->msg, world_on_replay);
}
struct engine *partition_engine(struct partition *partition)
{
    (void)partition;
    static const struct engine_ops ops = {.part_replay = world_part_replay};
    static struct engine engine = {&ops};
    return &engine;
}

/* --- the test's side --- */

void groups_world_start(void)
{
    world = xnew(struct broker);
    world->loop = fake_loop_start();
    world->random = 7;
    list_init(&world->states_held);
    list_init(&world->held);
    world->settings.group = (struct group_settings){.session_timeout_ms_min = 6000,
        .session_timeout_ms_max = 1800000,
        .join_window_ms = 20,
        .disconnect_expiry_ms = 250,
        .size_max = INT32_MAX,
        .new_member_ms_max = 300000,
        .offsets_retention_ms = 7 * 24 * 3600 * 1000LL,
        .offsets_retention_check_ms = 600000,
        .offset_metadata_size_max = 4096,
        .offsets_partitions = WORLD_PARTITIONS,
        .offsets_commit_timeout_ms = 5000};
    const char *names[] = {"orders", "trades", "__consumer_offsets"};
    for (size_t i = 0; i < 3; i++) {
        world->topics[i].name = (char *)(uintptr_t)names[i];
        world->topics[i].id.bytes[15] = (uint8_t)(i + 1);
        world->topics[i].partitions_count = i == 2 ? WORLD_PARTITIONS : 3;
    }
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++)
        world->partitions[i].index = i;
    world->groups = groups_new(world, world->loop);
}

void groups_world_end(void)
{
    groups_stop(world->groups);
    world->hold = false;
    world_release();
    fake_loop_turn();
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++)
        groups_drop(world->groups, i);
    fake_loop_turn();
    groups_free(world->groups);
    ck_assert_uint_eq(fake_loop_timers_count(), 0);
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++) {
        for (size_t b = 0; b < world->partitions[i].batches_count; b++)
            free(world->partitions[i].batches[b].data);
    }
    free(world);
}

struct broker *groups_world_broker(void)
{
    return world;
}
struct broker_settings *groups_world_settings(void)
{
    return &world->settings;
}
struct groups *groups_world_groups(void)
{
    return world->groups;
}
void groups_world_hold(bool hold)
{
    world->hold = hold;
    if (!hold)
        world_release();
}
void groups_world_fail_appends(bool fail)
{
    world->fail = fail;
}
void groups_world_pass_real(int64_t ms)
{
    world->real_offset_ms += ms;
}

size_t groups_world_batches_count(void)
{
    size_t count = 0;
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++)
        count += world->partitions[i].batches_count;
    return count;
}

size_t groups_world_tombstones_count(void)
{
    size_t count = 0;
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++) {
        for (size_t b = 0; b < world->partitions[i].batches_count; b++) {
            const struct world_batch *batch = &world->partitions[i].batches[b];
            struct record_cursor cursor = record_cursor_make(
                slice_make(batch->data + BATCH_HEADER_SIZE, batch->size - BATCH_HEADER_SIZE),
                batch->header.records_count);
            struct record record;
            while (record_next(&cursor, &record))
                count += slice_is_null(record.value);
            ck_assert_ptr_null(cursor.fault);
        }
    }
    return count;
}

/* The records of a finished batch, compressed by its codec, with a header that says so. */
static struct world_batch world_batch_make(struct batch_builder *builder, int16_t attributes)
{
    size_t size;
    const uint8_t *plain = batch_builder_finish(builder, &size);
    struct buffer out = BUFFER_NULL;
    buffer_append(&out, plain, BATCH_HEADER_SIZE);
    compression_deflate(attributes & BATCH_COMPRESSION_MASK,
        slice_make(plain + BATCH_HEADER_SIZE, size - BATCH_HEADER_SIZE), &out);
    bytes_put_u16(out.data + BATCH_POS_ATTRIBUTES, (uint16_t)attributes);
    bytes_put_u32(out.data + BATCH_POS_LENGTH, (uint32_t)(out.size - BATCH_LENGTH_OVERHEAD));
    return (struct world_batch){out.data, out.size, batch_header_parse(out.data)};
}

void groups_world_write(const char *group, int16_t attributes, int64_t producer_id, int64_t offset)
{
    struct partition *partition =
        &world->partitions[broker_group_partition(world, slice_from_str(group))];
    struct group_write *write = group_write_new(0);
    struct group_offset committed = {.topic = SLICE_LIT("orders"),
        .partition = 1,
        .offset = offset,
        .metadata = SLICE_LIT(""),
        .expire_ms = -1};
    if (attributes & BATCH_CONTROL) {
        const uint8_t commit[] = {0, 0, 0, (uint8_t)offset};
        struct batch_record marker = {
            .key = slice_make(commit, sizeof(commit)), .value = SLICE_LIT("\0\0\0\0\0\0")};
        batch_builder_append(&write->builder, &marker);
    } else {
        group_write_offset(write, slice_from_str(group), &committed);
    }
    write->builder.producer_id = producer_id;
    struct world_batch *batch = &partition->batches[partition->batches_count++];
    *batch = world_batch_make(&write->builder, attributes);
    batch_patch(batch->data, partition->end_offset, 0);
    batch->header = batch_header_parse(batch->data);
    partition->end_offset++;
    group_write_free(write);
}

void groups_world_make_offsets(void)
{
    world->image.offsets = &world->topics[2];
}

static void world_on_loaded(void *ctx)
{
    (void)ctx;
    world->loads_left--;
}

void groups_world_load_begin(void)
{
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++) {
        if (world->partitions[i].usable)
            continue;
        world->partitions[i].usable = true;
        world->loads_left++;
        groups_load(world->groups, i, &world->partitions[i], world_on_loaded, NULL);
    }
}

void groups_world_load(void)
{
    groups_world_load_begin();
    fake_loop_turn();
    ck_assert_int_eq(world->loads_left, 0);
}

void groups_world_lose(void)
{
    for (int32_t i = 0; i < WORLD_PARTITIONS; i++) {
        world->partitions[i].usable = false;
        groups_drop(world->groups, i);
    }
    world_release();
}

void groups_world_restart(void)
{
    groups_world_lose();
    fake_loop_turn();
    groups_stop(world->groups);
    groups_free(world->groups);
    world->groups = groups_new(world, world->loop);
    groups_world_load();
}
