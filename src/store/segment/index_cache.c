// SPDX-License-Identifier: BSD-2-Clause
#include "store/part/part.h"

#include "base/error.h"
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

void home_index_forget(struct home *home, struct segment *segment)
{
    if (!list_linked(&segment->index_link))
        return;
    size_t size = index_size(segment->index);
    assert(home->indexed_size >= size);
    home->indexed_size -= size;
    list_remove(&segment->index_link);
    index_unref(steal(&segment->index));
}

void home_index_used(struct home *home, struct segment *segment)
{
    assert(segment->index != NULL);
    if (list_linked(&segment->index_link))
        list_remove(&segment->index_link);
    else
        home->indexed_size += index_size(segment->index);
    list_append(&home->indexed, &segment->index_link);
    while (home->indexed_size > LOCAL_INDEX_CACHE_SIZE_MAX) {
        struct list_link *oldest = list_first(&home->indexed);
        if (oldest == &segment->index_link)
            break;
        home_index_forget(home, list_entry(oldest, struct segment, index_link));
    }
}

void part_index_offer(struct part *part, struct segment *segment, struct index *index)
{
    if (index == NULL || !list_linked(&segment->link) || segment == part_active(part))
        return;
    if (segment->index != NULL && segment->index != index)
        home_index_forget(part->home, segment);
    if (segment->index == NULL)
        segment->index = index_ref(index);
    /* Batches without timestamps count as old as their file. */
    if (segment->max_timestamp < 0)
        segment->max_timestamp =
            index->max_timestamp >= 0 ? index->max_timestamp : segment->created_ms;
    home_index_used(part->home, segment);
}

int part_index_rebuild(struct part *part, struct segment *segment, struct file *file, uint64_t size,
    struct index **ret_index)
{
    struct index *index = index_new();
    /* Damage in the log ends it early, which is fine for an index. */
    int r = segment_index_build(file, segment->base, 0, size, part->index_interval_size, index);
    if (r < 0) {
        index_unref(index);
        return error_trace(r);
    }
    index_seal(index);
    *ret_index = index;
    if (atomic_load(&segment->retired))
        return 0;
    log_info("index.rebuilt", "partition=%s segment=%" PRId64, part->label, segment->base);
    r = index_save(part->local->env, part->dir, segment->base, index);
    if (r < 0) /* it is only a cache */
        log_warn("index.not_saved", "partition=%s segment=%" PRId64 " error=\"%s\"", part->label,
            segment->base, log_errno(-r).str);
    return 0;
}

int part_index_load(struct part *part, struct segment *segment, struct file *file, uint64_t size,
    struct index **ret_index)
{
    int r = index_load(part->local->env, part->dir, segment->base, size, true, ret_index);
    return r == INDEX_E_DAMAGED ? part_index_rebuild(part, segment, file, size, ret_index) : r;
}
