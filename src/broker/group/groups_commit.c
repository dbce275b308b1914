// SPDX-License-Identifier: BSD-2-Clause
/*
 * Committed offsets: written as one batch per request, visible and answered once that batch is
 * committed. What two writes did to one partition is settled by their order in the log, not by the
 * order of their answers.
 *
 * Failure modes: the log refuses -> every offset of the request gets the error and nothing changes;
 * the group is dropped meanwhile -> the entry is dead and the answer is the log's.
 */
#include "base/canary.h"
#include "base/log.h"
#include "broker/group/consumer_log.h"
#include "broker/group/group_subscription.h"
#include "broker/group/groups_shard.h"
#include "broker/config/settings.h"

#include <assert.h>

/* As Kafka counts it: in UTF-16 units. */
static size_t groups_text_length(struct slice text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++)
        length += (size_t)((text.data[i] & 0xc0) != 0x80) + (size_t)(text.data[i] >= 0xf0);
    return length;
}

static void groups_commit_end(struct groups_commit *commit, enum group_error error)
{
    for (int32_t i = 0; i < commit->items_count; i++) {
        if (commit->items[i].error == GROUP_OK)
            commit->items[i].error = error;
    }
    commit->done(commit);
}

static void groups_commit_on_written(struct group_write *write, enum group_error error)
{
    struct groups_commit *commit = write->ctx;
    struct groups_entry *entry = commit->entry;
    for (int32_t i = 0; i < commit->items_count && error == GROUP_OK; i++) {
        struct groups_commit_item *item = &commit->items[i];
        if (item->error != GROUP_OK)
            continue;
        item->offset.log_offset = write->log_offset;
        if (slice_is_null(commit->transactional_id))
            group_offsets_put(&entry->offsets, &item->offset);
        else if (entry->shard != NULL) /* else the next replay finds them */
            groups_pending_put(entry, commit->producer_id, &item->offset);
    }
    if (list_linked(&commit->link))
        list_remove(&commit->link);
    groups_entry_put(entry);
    groups_commit_end(commit, error);
}

static void groups_commit_fill(struct groups_entry *entry, struct groups_commit *commit,
    struct group_write *write, size_t metadata_length_max)
{
    for (int32_t i = 0; i < commit->items_count; i++) {
        struct groups_commit_item *item = &commit->items[i];
        if (item->error != GROUP_OK)
            continue;
        if (groups_text_length(item->offset.metadata) > metadata_length_max) {
            item->error = GROUP_E_METADATA_TOO_LARGE;
            continue;
        }
        item->offset.commit_ms = write->now_ms;
        item->offset.expire_ms =
            commit->retention_ms < 0 ? -1 : write->now_ms + commit->retention_ms;
        group_write_offset(write, entry->group->id, &item->offset);
    }
}

/* A commit without a generation makes the group: a simple one, that nobody joins. */
static struct groups_entry *groups_commit_entry(struct groups_shard *shard, struct slice group,
    struct groups_commit *commit, enum group_error *ret_error)
{
    struct groups_entry *entry = groups_find(shard, group);
    if (entry == NULL && commit->generation >= 0) {
        commit->absent = true;
        *ret_error = GROUP_E_ILLEGAL_GENERATION;
        return NULL;
    }
    if (entry == NULL && shard->groups->entries_count < GROUPS_COUNT_MAX)
        entry = groups_entry_new(shard, group);
    if (entry == NULL) {
        *ret_error = GROUP_E_UNAVAILABLE;
        return NULL;
    }
    bool in_txn = !slice_is_null(commit->transactional_id);
    if (groups_entry_is_share(entry)) {
        *ret_error = GROUP_E_NOT_FOUND;
        return entry;
    }
    if (entry->consumer != NULL) {
        bool nobody = in_txn && commit->generation < 0 && commit->member_id.size == 0;
        *ret_error = nobody ? GROUP_OK
                            : consumer_group_may_commit(entry->consumer, commit->member_id,
                                  commit->generation, commit->no_epochs && !in_txn);
        return entry;
    }
    *ret_error = (in_txn ? group_may_commit_in_txn : group_may_commit)(
        entry->group, commit->member_id, commit->instance_id, commit->generation);
    return entry;
}

void groups_commit(struct groups_shard *shard, struct slice group, struct groups_commit *commit)
{
    struct groups *groups = shard->groups;
    enum group_error error;
    struct groups_entry *entry = groups_commit_entry(shard, group, commit, &error);
    if (error != GROUP_OK) {
        groups_commit_end(commit, error);
        return;
    }
    int32_t length_max = broker_settings(groups->broker)->group.offset_metadata_size_max;
    struct group_write *write = group_write_new(groups_real_ms(groups));
    groups_commit_fill(entry, commit, write, (size_t)length_max);
    if (canary(COMMIT_UNWRITTEN) && slice_is_null(commit->transactional_id)) {
        for (int32_t i = 0; i < commit->items_count; i++)
            group_offsets_put(&entry->offsets, &commit->items[i].offset);
        group_write_free(write);
        groups_commit_end(commit, GROUP_OK);
        return;
    }
    if (group_write_empty(write)) {
        group_write_free(write);
    } else {
        commit->entry = entry;
        bool in_txn = !slice_is_null(commit->transactional_id);
        if (in_txn)
            group_write_in_txn(write, commit->transactional_id, commit->producer_id,
                commit->producer_epoch, commit->txn_add);
        error = group_write_submit(write, shard->base.partition, groups_commit_on_written, commit);
        if (error == GROUP_OK) {
            entry->writes_count++;
            if (in_txn)
                list_append(&entry->txn_commits, &commit->link);
            return;
        }
    }
    if (group_is_blank(entry->group))
        groups_entry_reap(entry, NULL);
    groups_commit_end(commit, error);
}

/* --- deletions --- */

static void groups_deletion_on_written(struct group_write *write, enum group_error error)
{
    struct groups_deletion *deletion = write->ctx;
    groups_entry_put(deletion->entry);
    deletion->done(deletion, error);
}

struct groups_tombstones {
    struct group_write *write;
    struct slice group;
};

static void groups_write_tombstone(void *ctx, const struct group_offset *offset)
{
    struct groups_tombstones *tombstones = ctx;
    group_write_offset_tombstone(
        tombstones->write, tombstones->group, offset->topic, offset->partition);
}

/* A timer fires when the loop comes to it; who asks is told the truth of now. */
static struct groups_entry *groups_find_living(struct groups_shard *shard, struct slice group)
{
    struct groups_entry *entry = groups_find(shard, group);
    if (entry != NULL && entry->consumer == NULL)
        group_expire(entry->group);
    while (entry != NULL && entry->consumer != NULL && consumer_group_expire_one(entry->consumer))
        entry = groups_find(shard, group);
    return groups_find(shard, group);
}

void groups_delete(struct groups_shard *shard, struct slice group, struct groups_deletion *deletion)
{
    struct groups_entry *entry = groups_find_living(shard, group);
    enum group_error error = GROUP_OK;
    if (entry == NULL)
        error = GROUP_E_NOT_FOUND;
    else if (entry->group->state != GROUP_EMPTY ||
             (entry->consumer != NULL && entry->consumer->members_count > 0))
        error = GROUP_E_NON_EMPTY;
    if (error != GROUP_OK)
        deletion->done(deletion, error);
    else if (groups_entry_is_share(entry))
        groups_share_delete(entry, deletion);
    else
        groups_delete_finish(entry, deletion);
}

void groups_delete_finish(struct groups_entry *entry, struct groups_deletion *deletion)
{
    struct groups_shard *shard = entry->shard;
    enum group_error error = GROUP_OK;
    log_info("group.deleted", "group=%s offsets=%zu", log_quote(entry->group->id).str,
        entry->offsets.map.count);
    struct group_write *write = group_write_new(groups_real_ms(shard->groups));
    group_offsets_for_each(&entry->offsets, offset)
        group_write_offset_tombstone(write, entry->group->id, offset->topic, offset->partition);
    struct groups_tombstones tombstones = {write, entry->group->id};
    group_pending_each(&entry->pending, groups_write_tombstone, &tombstones);
    if (entry->group->generation > 0 || entry->classic_gone)
        group_write_group_tombstone(write, entry->group->id);
    if (entry->consumer != NULL && entry->consumer->logged)
        consumer_log_write_gone(write, entry->consumer);
    if (group_write_empty(write)) {
        group_write_free(write);
    } else {
        deletion->entry = entry;
        error =
            group_write_submit(write, shard->base.partition, groups_deletion_on_written, deletion);
        if (error == GROUP_OK) {
            entry->writes_count++;
            groups_entry_kill(entry, GROUP_E_UNAVAILABLE);
            return;
        }
    }
    if (error == GROUP_OK)
        groups_entry_kill(entry, GROUP_E_UNAVAILABLE);
    deletion->done(deletion, error);
}

static void groups_delete_offsets_on_written(struct group_write *write, enum group_error error)
{
    struct groups_deletion *deletion = write->ctx;
    struct groups_entry *entry = deletion->entry;
    for (int32_t i = 0; i < deletion->items_count && error == GROUP_OK; i++) {
        const struct groups_commit_item *item = &deletion->items[i];
        if (item->error == GROUP_OK)
            group_offsets_remove(
                &entry->offsets, item->offset.topic, item->offset.partition, write->log_offset);
    }
    groups_entry_put(entry); /* a group left with nothing stays until it is deleted or swept */
    deletion->done(deletion, error);
}

void groups_delete_offsets(
    struct groups_shard *shard, struct slice group, struct groups_deletion *deletion)
{
    struct groups_entry *entry = groups_find(shard, group);
    enum group_error error = GROUP_OK;
    if (entry == NULL || groups_entry_is_share(entry))
        error = GROUP_E_NOT_FOUND;
    else if (entry->consumer == NULL && entry->group->state != GROUP_EMPTY &&
             !group_is_consumer(entry->group))
        error = GROUP_E_NON_EMPTY;
    if (error != GROUP_OK) {
        deletion->done(deletion, error);
        return;
    }
    struct group_write *write = group_write_new(groups_real_ms(shard->groups));
    for (int32_t i = 0; i < deletion->items_count; i++) {
        struct groups_commit_item *item = &deletion->items[i];
        if (item->error != GROUP_OK)
            continue;
        if (groups_entry_is_subscribed(entry, item->offset.topic))
            item->error = GROUP_E_SUBSCRIBED;
        else if (group_offsets_get(&entry->offsets, item->offset.topic, item->offset.partition) !=
                 NULL)
            group_write_offset_tombstone(
                write, entry->group->id, item->offset.topic, item->offset.partition);
    }
    if (group_write_empty(write)) {
        group_write_free(write);
    } else {
        deletion->entry = entry;
        error = group_write_submit(
            write, shard->base.partition, groups_delete_offsets_on_written, deletion);
        if (error == GROUP_OK) {
            entry->writes_count++;
            return;
        }
    }
    deletion->done(deletion, error);
}
