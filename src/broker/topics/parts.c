// SPDX-License-Identifier: BSD-2-Clause
/*
 * parts: the partitions of one loop, kept in step with the image. Differences between two images
 * are found by walking both, sorted by name; each loop takes the partitions whose home it is.
 *
 * A partition of __consumer_offsets is settled only when its groups are loaded (of
 * __transaction_state: its transactional ids), so an answer to
 * whoever waited for it means that the coordinator can be asked at once. A partition that cannot be
 * opened is settled too: it is offline and the others go on.
 */
#include <assert.h>
#include <inttypes.h>

#include "base/log.h"
#include "broker/broker_internal.h"
#include "broker/group/groups.h"
#include "broker/partition/partition.h"
#include "broker/share/share_coords.h"
#include "broker/share/share_partition.h"
#include "broker/topics/replicas.h"
#include "broker/txn/txns.h"

enum slot_state {
    SLOT_OPENING, /* neither usable nor failed yet */
    SLOT_LOADING, /* usable; its coordinators are being loaded */
    SLOT_READY,
    SLOT_FAILED,
    SLOT_CLOSING,
};

#define PART_KEY_SIZE (UUID_SIZE + 4)

struct part_slot {
    struct broker_loop *at;
    struct partition *partition;
    int32_t index;
    enum slot_state state;
    bool offsets;                /* of __consumer_offsets */
    bool transactions;           /* of __transaction_state */
    bool share_state;            /* of __share_group_state */
    bool loading;                /* groups_load or its like has not answered yet */
    bool closed;                 /* partition_close has answered */
    struct phase_leg *leg;       /* waits for this one; NULL: nobody */
    struct engine_call raise;    /* of the leader epoch, after a move */
    struct phase_leg *raise_leg; /* waits for that */
    uint8_t key[PART_KEY_SIZE];
};

static void part_key(const struct uuid *topic_id, int32_t index, uint8_t key[PART_KEY_SIZE])
{
    memcpy(key, topic_id->bytes, UUID_SIZE);
    memcpy(key + UUID_SIZE, &index, sizeof(index));
}

static void slot_settle(struct part_slot *slot)
{
    struct phase_leg *leg = slot->leg;
    slot->leg = NULL;
    if (leg != NULL)
        phase_leg_release(leg);
}

static void slot_free_when_over(struct part_slot *slot)
{
    if (!slot->closed || slot->loading)
        return;
    slot_settle(slot);
    free(slot);
}

static void slot_drop(struct part_slot *slot)
{
    if (slot->offsets)
        groups_drop(slot->at->groups, slot->index);
    else if (slot->transactions)
        txns_drop(slot->at->txns, slot->index);
    else if (slot->share_state)
        share_coords_drop(slot->at->share_coords, slot->index);
    else
        share_parts_drop(slot->at->share_parts,
            &(struct part_id){partition_topic(slot->partition)->id, slot->index});
}

static void slot_on_loaded(void *ctx)
{
    struct part_slot *slot = ctx;
    slot->loading = false;
    if (slot->state == SLOT_CLOSING) {
        slot_free_when_over(slot);
        return;
    }
    if (slot->state == SLOT_LOADING) {
        slot->state = SLOT_READY;
        slot_settle(slot);
    }
}

static void slot_on_usable(void *ctx, struct partition *partition, int32_t leader_epoch)
{
    struct part_slot *slot = ctx;
    partition_topic(partition)->shared->leader_epochs[slot->index] = leader_epoch;
    if (!slot->offsets && !slot->transactions && !slot->share_state) {
        slot->state = SLOT_READY;
        slot_settle(slot);
        return;
    }
    assert(!slot->loading);
    slot->state = SLOT_LOADING;
    slot->loading = true;
    if (slot->offsets)
        groups_load(slot->at->groups, slot->index, partition, slot_on_loaded, slot);
    else if (slot->transactions)
        txns_load(slot->at->txns, slot->index, partition, slot_on_loaded, slot);
    else
        share_coords_load(slot->at->share_coords, slot->index, partition, slot_on_loaded, slot);
}

static void slot_on_lost(void *ctx, struct partition *partition)
{
    struct part_slot *slot = ctx;
    (void)partition;
    slot->state = SLOT_OPENING;
    slot_drop(slot);
}

static void slot_on_failed(void *ctx, struct partition *partition, int error)
{
    struct part_slot *slot = ctx;
    struct topic *topic = partition_topic(partition);
    log_error("partition.offline", "topic=%s partition=%" PRId32 " error=%s", topic->name,
        slot->index, log_errno(-error).str);
    if (slot->state != SLOT_OPENING)
        slot_drop(slot);
    slot->state = SLOT_FAILED;
    slot_settle(slot);
}

static const struct partition_events slot_events = {slot_on_usable, slot_on_lost, slot_on_failed};

static void slot_open(
    struct broker_loop *at, struct topic *topic, int32_t index, struct phase_leg *leg)
{
    struct part_slot *slot = xnew(struct part_slot);
    slot->at = at;
    slot->index = index;
    slot->offsets = strcmp(topic->name, TOPIC_NAME_OFFSETS) == 0;
    slot->transactions = strcmp(topic->name, TOPIC_NAME_TRANSACTIONS) == 0;
    slot->share_state = strcmp(topic->name, TOPIC_NAME_SHARE_STATE) == 0;
    part_key(&topic->id, index, slot->key);
    phase_leg_hold(leg);
    slot->leg = leg;
    slot->partition = partition_open(at->broker, at->broker->engine, at->loop, topic, index,
        leg->phase->fresh, &slot_events, slot);
    void *before = map_put(&at->parts, slice_make(slot->key, PART_KEY_SIZE), slot);
    assert(before == NULL);
}

static void slot_on_closed(void *ctx, int result)
{
    struct part_slot *slot = ctx;
    if (result < 0)
        slot->leg->phase->left = true;
    slot->closed = true;
    slot->partition = NULL;
    slot_free_when_over(slot);
}

/* The slot is out of the map from here on and ends when the engine has let go. */
static void slot_close(struct part_slot *slot, bool remove, struct phase_leg *leg)
{
    slot_settle(slot);
    if (slot->state != SLOT_OPENING && slot->state != SLOT_FAILED)
        slot_drop(slot);
    slot->state = SLOT_CLOSING;
    phase_leg_hold(leg);
    slot->leg = leg;
    partition_close(slot->partition, remove, slot_on_closed, slot);
}

/* --- differences between images --- */

typedef void (*topic_change_fn)(
    struct broker_loop *at, struct phase_leg *leg, struct topic *before, struct topic *after);

/* Calls fn for every topic that is in only one image (the other argument is NULL) or differs. */
static void images_compare(struct broker_loop *at, struct phase_leg *leg, topic_change_fn fn)
{
    const struct image *before = leg->phase->before, *after = leg->phase->after;
    size_t i = 0, j = 0, before_count = before == NULL ? 0 : before->topics_count;
    while (i < before_count || j < after->topics_count) {
        struct topic *old = i < before_count ? before->topics[i] : NULL;
        struct topic *new = j < after->topics_count ? after->topics[j] : NULL;
        int order = old == NULL ? 1 : new == NULL ? -1 : strcmp(old->name, new->name);
        i += order <= 0;
        j += order >= 0;
        if (order == 0 && old == new)
            continue;
        if (order == 0 && uuid_equal(old->id, new->id)) {
            fn(at, leg, old, new);
            continue;
        }
        if (order <= 0)
            fn(at, leg, old, NULL);
        if (order >= 0)
            fn(at, leg, NULL, new);
    }
}

static bool topic_at_home(struct broker_loop *at, const struct topic *topic, int32_t index)
{
    return topic_home_index(topic, index, at->broker->loops_count) == at->index;
}

static void topic_open(
    struct broker_loop *at, struct phase_leg *leg, struct topic *before, struct topic *after)
{
    if (after == NULL)
        return;
    for (int32_t i = before == NULL ? 0 : before->partitions_count; i < after->partitions_count;
         i++)
        if (topic_at_home(at, after, i))
            slot_open(at, after, i, leg);
}

static void slot_on_raised(struct engine_call *call, enum engine_status status)
{
    struct part_slot *slot = container_of(call, struct part_slot, raise);
    struct topic *topic = partition_topic(slot->partition);
    struct phase_leg *leg = steal(&slot->raise_leg);
    if (status == ENGINE_OK)
        topic->shared->leader_epochs[slot->index] = call->epoch;
    else /* the new leader goes on with the epoch of the old one, which clients put up with */
        log_info("partition.epoch.kept", "topic=%s partition=%" PRId32 " status=%d", topic->name,
            slot->index, (int)status);
    phase_leg_release(leg);
}

/* Another leader has another epoch; the phase waits for it. */
static void slot_raise_epoch(struct part_slot *slot, struct phase_leg *leg)
{
    if (slot->state != SLOT_READY && slot->state != SLOT_LOADING)
        return;
    assert(slot->raise_leg == NULL);
    phase_leg_hold(leg);
    slot->raise_leg = leg;
    slot->raise = (struct engine_call){.done = slot_on_raised};
    partition_engine(slot->partition)
        ->ops->part_raise_epoch(partition_part(slot->partition), &slot->raise);
}

static bool topic_leader_differs(
    const struct topic *before, const struct topic *after, int32_t index)
{
    return before->replicas != NULL && after->replicas != NULL &&
           index < before->partitions_count &&
           before->replicas[index].leader != after->replicas[index].leader;
}

static void topic_configure(
    struct broker_loop *at, struct phase_leg *leg, struct topic *before, struct topic *after)
{
    if (before == NULL || after == NULL)
        return;
    for (int32_t i = 0; i < after->partitions_count; i++) {
        uint8_t key[PART_KEY_SIZE];
        part_key(&after->id, i, key);
        struct part_slot *slot = map_get(&at->parts, slice_make(key, PART_KEY_SIZE));
        if (slot == NULL)
            continue;
        partition_configure(slot->partition, after);
        if (topic_leader_differs(before, after, i))
            slot_raise_epoch(slot, leg);
    }
}

static void topic_close(
    struct broker_loop *at, struct phase_leg *leg, struct topic *before, struct topic *after)
{
    if (after != NULL)
        return;
    for (int32_t i = 0; i < before->partitions_count; i++) {
        uint8_t key[PART_KEY_SIZE];
        part_key(&before->id, i, key);
        struct part_slot *slot = map_remove(&at->parts, slice_make(key, PART_KEY_SIZE));
        if (slot != NULL)
            slot_close(slot, true, leg);
    }
    if (!before->internal) {
        groups_on_topic_deleted(at->groups, before->id, slice_from_str(before->name));
        share_coords_on_topic_deleted(at->share_coords, before->id);
    }
}

static void parts_stop(struct broker_loop *at, struct phase_leg *leg)
{
    txns_stop(at->txns);
    share_parts_stop(at->share_parts);
    share_coords_stop(at->share_coords);
    groups_stop(at->groups);
    struct map parts = at->parts;
    at->parts = MAP_NULL;
    map_for_each (&parts, entry)
        slot_close(entry->value, false, leg);
    map_deinit(&parts);
}

void parts_run(struct broker_loop *at, struct phase_leg *leg)
{
    struct phase *phase = leg->phase;
    loop_assert_owner(at->loop);
    switch (phase->kind) {
    case PHASE_OPEN: images_compare(at, leg, topic_open); return;
    case PHASE_SWAP:
        images_compare(at, leg, topic_configure);
        image_put(at->image);
        at->image = image_get(phase->after);
        return;
    case PHASE_CLOSE: images_compare(at, leg, topic_close); return;
    case PHASE_STOP: parts_stop(at, leg); return;
    }
}

struct partition *broker_partition(struct broker *broker, const struct part_id *id)
{
    uint8_t key[PART_KEY_SIZE];
    part_key(&id->topic_id, id->partition, key);
    struct part_slot *slot = map_get(&broker_here(broker)->parts, slice_make(key, PART_KEY_SIZE));
    return slot == NULL ? NULL : slot->partition;
}
