// SPDX-License-Identifier: BSD-2-Clause
/*
 * Model. Everything below the recovery point was on the medium once. It is not read again, except
 * for the headers from the last index entry before it. Above it every batch must be whole, have a
 * valid CRC and follow the one before it; at the first that does not the log is cut: the file is
 * truncated there and later files are removed, so that what is left is a prefix of what was
 * written.
 *
 * Bytes above the recovery point are read back from the medium where the kernel lets go of its
 * cache: after a sync failed and the process died, the cache may show what the medium never got.
 *
 * Below the recovery point nothing is ever cut. Where the chain of headers breaks there, the walk
 * goes on at the next valid batch, and when there is none, the segment stays as it is and a new one
 * starts behind it. A log that ends before its recovery point has lost what was promised: it goes
 * on at the recovery point, because an offset must not hold a second value.
 *
 * What lies below the log start is nothing that could be lost, so the log start is a recovery
 * point, too: after a power failure some of the files there may be back, and the missing ones
 * between them are no hole. Nothing is deleted because of it here; retention does that.
 *
 * After a clean stop nothing can lie behind the recovery point, and what does was put there: it is
 * neither cut nor written behind, for it may be another partition's; the log goes on in a new file.
 * The same where the log does not end with the batch that its sidecar knows last.
 *
 * Recovery point and log start are weak when only files without a checksum tell them: then a log
 * that is whole and shorter is believed instead.
 */
#include "store/integrity/recovery.h"

#include "base/buffer.h"
#include "base/canary.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "store/cleaner/cleaner_swap.h"
#include "store/integrity/checksums.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define RECOVERY_PIECE_SIZE   (256U << 10)
#define RECOVERY_SEGMENTS_MAX 1000000

/* --- the directory --- */

struct listing {
    struct recovery *recovery;
    int64_t *bases;
    size_t count, capacity;
    bool swaps;              /* files of a swap that a stop interrupted */
    struct buffer leftovers; /* NUL-terminated names of files that a stop left half-made */
};

static bool name_ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), tail = strlen(suffix);
    return size >= tail && strcmp(name + size - tail, suffix) == 0;
}

static int recovery_on_name(void *ctx, const char *name)
{
    struct listing *listing = ctx;
    int64_t base;
    if (strlen(name) == 24 && segment_parse_name(name, ".log", &base)) {
        if (listing->count == RECOVERY_SEGMENTS_MAX)
            return -EFBIG;
        if (listing->count == listing->capacity) {
            listing->capacity = listing->capacity == 0 ? 4 : listing->capacity * 2;
            listing->bases = xrealloc(listing->bases, listing->capacity * sizeof(*listing->bases));
        }
        listing->bases[listing->count++] = base;
    } else if (name_ends_with(name, ".tmp") || name_ends_with(name, ".deleted") ||
               name_ends_with(name, ".cleaned")) {
        buffer_append(&listing->leftovers, name, strlen(name) + 1);
    } else if (cleaner_swap_is_swap(name)) {
        listing->swaps = true;
    } else {
        snapshot_names_note(&listing->recovery->snapshots, name);
    }
    return 0;
}

static int base_compare(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void recovery_remove_leftovers(struct recovery *recovery, const struct buffer *names)
{
    for (size_t at = 0; at < names->size;) {
        const char *name = (const char *)names->data + at;
        _cleanup_(freep) char *path = xasprintf("%s/%s", recovery->dir, name);
        recovery->env->ops->path_unlink(recovery->env, path);
        at += strlen(name) + 1;
    }
}

static int recovery_add(struct recovery *recovery, int64_t base)
{
    _cleanup_(freep) char *path = segment_path(recovery->dir, base, ".log");
    struct env_stat stat;
    int r = recovery->env->ops->path_stat(recovery->env, path, &stat);
    if (r < 0)
        return error_trace(r);
    if (stat.size > SEGMENT_SIZE_MAX)
        return error_trace(-EFBIG);
    struct segment *segment = segment_new(recovery->files, base);
    segment->size = segment->synced_size = segment->warm_pos = stat.size;
    segment->created_ms = stat.mtime_ms;
    if (!list_empty(&recovery->segments)) {
        struct segment *before = list_entry(recovery->segments.prev, struct segment, link);
        before->end = before->synced_end = base;
    }
    list_append(&recovery->segments, &segment->link);
    return 0;
}

static int recovery_list(struct recovery *recovery)
{
    struct listing listing = {.recovery = recovery};
    struct env *env = recovery->env;
    int r = env->ops->dir_list(env, recovery->dir, recovery_on_name, &listing);
    if (r >= 0 && listing.swaps)
        r = cleaner_swap_recover(env, recovery->dir, recovery->label);
    if (r >= 0 && listing.swaps) {
        listing.count = listing.leftovers.size = 0;
        recovery->snapshots.count = 0;
        r = env->ops->dir_list(env, recovery->dir, recovery_on_name, &listing);
    }
    if (r >= 0 && listing.count > 0)
        qsort(listing.bases, listing.count, sizeof(*listing.bases), base_compare);
    for (size_t i = 0; r >= 0 && i < listing.count; i++)
        r = recovery_add(recovery, listing.bases[i]);
    if (r >= 0)
        recovery_remove_leftovers(recovery, &listing.leftovers);
    free(listing.bases);
    buffer_deinit(&listing.leftovers);
    return error_trace(r);
}

static void recovery_drop(struct segment *segment)
{
    list_remove(&segment->link);
    segment_unref(segment);
}

/* --- one segment --- */

struct scan {
    struct recovery *recovery;
    struct segment *segment;
    struct file *file;
    struct walk walk;
    struct index *index;
    uint64_t pos;
    int64_t expected;  /* offset of the next batch; -1: not known yet */
    uint8_t *piece;    /* the walk's buffer, RECOVERY_PIECE_SIZE bytes */
    const char *fault; /* why the scan ended early */
    bool last;
    int promised; /* whether the sidecar covers what is above the recovery point; -1: not known */
    uint64_t promised_end;
};

/* A batch larger than the walk's buffer, in pieces. */
static int scan_crc_large(struct scan *scan, uint64_t pos, const struct batch_header *header)
{
    uint64_t at = pos + BATCH_POS_ATTRIBUTES, end = pos + batch_size(header);
    uint32_t crc = 0;
    while (at < end) {
        size_t size = end - at < RECOVERY_PIECE_SIZE ? (size_t)(end - at) : RECOVERY_PIECE_SIZE;
        const uint8_t *bytes;
        int r = walk_bytes(&scan->walk, at, size, &bytes);
        if (r != 0)
            return r < 0 ? r : 1;
        crc = crc32c(crc, bytes, size);
        at += size;
    }
    return crc == header->crc ? 0 : 1;
}

/* 0: valid, 1: not, -errno. */
static int scan_crc(struct scan *scan, uint64_t pos, const struct batch_header *header)
{
    const uint8_t *bytes;
    if (batch_size(header) > RECOVERY_PIECE_SIZE)
        return scan_crc_large(scan, pos, header);
    int r = walk_bytes(&scan->walk, pos, batch_size(header), &bytes);
    if (r != 0)
        return r < 0 ? r : 1;
    return batch_crc_valid(bytes, header) || canary(TAIL_BELIEVED) ? 0 : 1;
}

static struct checksums_place recovery_place(const struct recovery *recovery, int64_t base)
{
    return (struct checksums_place){recovery->env, recovery->dir, base, recovery->owner};
}

/* Nothing can have been written since the stop. */
static bool recovery_strict(const struct recovery *recovery)
{
    return recovery->clean && !recovery->weak;
}

/* Whether what lies at scan->pos was on the medium once: then damage is no reason to cut. Of the
 * last segment, only the recovery point knows how far it went. */
static bool scan_promised(struct scan *scan)
{
    int64_t reached = scan->expected >= 0 ? scan->expected : scan->segment->base;
    if (canary(CUT_TOO_LOW))
        return false;
    if (reached < scan->recovery->recovery_point)
        return true;
    if (scan->last)
        return false;
    if (scan->promised < 0) {
        struct checksums_place place = recovery_place(scan->recovery, scan->segment->base);
        struct checksums *sums;
        scan->promised = checksums_load(&place, &sums) == 0;
        if (scan->promised > 0) {
            scan->promised_end = sums->log_size;
            free(sums);
        }
    }
    return scan->promised > 0 && scan->pos < scan->promised_end;
}

/* Whether the batch may stand here. 0, 1 (fault says why) or -errno. */
static int scan_judge(struct scan *scan, const struct batch_header *header)
{
    const struct segment *segment = scan->segment;
    int64_t expected = scan->expected >= 0 ? scan->expected : segment->base;
    if (header->base_offset < expected || batch_last_offset(header) - segment->base > INT32_MAX)
        scan->fault = "its offset goes back or too far";
    else if (batch_last_offset(header) < scan->recovery->recovery_point)
        return 0; /* was judged in an earlier life */
    else if (recovery_strict(scan->recovery))
        scan->fault = "it was not there at the clean stop";
    else if (header->base_offset > expected && scan->expected >= 0 &&
             segment->base >= scan->recovery->gaps_end)
        scan->fault = "its offset does not follow the one before";
    else {
        int r = scan_crc(scan, scan->pos, header);
        if (r <= 0)
            return r;
        scan->fault = "its checksum is wrong";
    }
    return 1;
}

/* The next valid batch behind a break below the recovery point. 0 (pos is there), 1 or -errno. */
static int scan_resync(struct scan *scan)
{
    uint64_t from = scan->pos;
    for (uint64_t pos = from + 1; pos + BATCH_HEADER_SIZE <= scan->walk.end; pos++) {
        struct batch_header header;
        int r = walk_header(&scan->walk, pos, &header, NULL);
        if (r == 0 && header.base_offset >= scan->expected &&
            batch_last_offset(&header) - scan->segment->base <= INT32_MAX &&
            !(recovery_strict(scan->recovery) &&
                batch_last_offset(&header) >= scan->recovery->recovery_point))
            r = scan_crc(scan, pos, &header);
        else if (r == 0)
            r = WALK_E_BAD;
        if (r < 0)
            return r;
        if (r != 0)
            continue;
        log_error("partition.damaged",
            "partition=%s segment=%" PRId64 " pos=%" PRIu64 " size=%" PRIu64
            " first_missing=%" PRId64 " next_offset=%" PRId64,
            scan->recovery->label, scan->segment->base, from, pos - from, scan->expected,
            header.base_offset);
        scan->pos = pos;
        scan->expected = -1;
        scan->segment->damaged = true;
        scan->index->gap = UINT32_MAX; /* an entry right behind the damage */
        return 0;
    }
    return 1;
}

static void scan_accept(struct scan *scan, const struct batch_header *header, bool indexed)
{
    struct segment *segment = scan->segment;
    if (indexed)
        scan->index->gap = batch_size(header); /* its entry is there already */
    else
        index_note(
            scan->index, segment->base, header, scan->pos, scan->recovery->index_interval_size);
    scan->pos += batch_size(header);
    scan->expected = batch_last_offset(header) + 1;
    if (scan->expected <= scan->recovery->recovery_point) {
        segment->synced_size = scan->pos;
        segment->synced_end = scan->expected;
    }
}

/* Walks from scan->pos. 0: to the end, 1: broken at scan->pos, -errno. `anchored`: the batch there
 * has an index entry. */
static int scan_walk(struct scan *scan, bool anchored)
{
    for (;; anchored = false) {
        struct batch_header header;
        int r = walk_header(&scan->walk, scan->pos, &header, NULL);
        if (r == WALK_E_END)
            return 0;
        if (r == WALK_E_BAD)
            scan->fault = "there is no whole batch";
        if (r == 0)
            r = scan_judge(scan, &header);
        if (r < 0)
            return r;
        if (r == 0) {
            scan_accept(scan, &header, anchored);
            continue;
        }
        if (!scan_promised(scan))
            return 1;
        r = scan_resync(scan);
        if (r != 0)
            return r;
    }
}

/* The index as far as it is believed, and where to go on from. */
static int scan_start(struct scan *scan, bool *ret_anchored)
{
    struct recovery *recovery = scan->recovery;
    struct segment *segment = scan->segment;
    struct batch_header header;
    *ret_anchored = false;
    scan->expected = -1;
    scan->pos = 0;
    segment->synced_size = 0;
    segment->synced_end = segment->base;
    int r =
        index_load(recovery->env, recovery->dir, segment->base, segment->size, false, &scan->index);
    if (r < 0)
        return r;
    if (r == 0) {
        struct index_offset entry =
            index_find_delta(scan->index, recovery->recovery_point - 1 - segment->base);
        r = entry.pos == 0 ? 1 : walk_header(&scan->walk, entry.pos, &header, NULL);
        if (r == 0 && batch_last_offset(&header) - segment->base == (int64_t)entry.delta) {
            index_cut(scan->index, (uint64_t)entry.pos + 1);
            scan->pos = entry.pos;
            *ret_anchored = true;
            return 0;
        }
        index_unref(scan->index);
    }
    scan->index = index_new();
    if (segment->base >= recovery->gaps_end)
        scan->expected = segment->base;
    return r < 0 ? r : 0;
}

/* Cuts the segment at scan->pos, which is above the recovery point. */
static int scan_cut(struct scan *scan)
{
    struct recovery *recovery = scan->recovery;
    struct segment *segment = scan->segment;
    log_warn("partition.tail_cut",
        "partition=%s segment=%" PRId64 " pos=%" PRIu64 " size=%" PRIu64 " log_end=%" PRId64
        " reason=\"%s\"",
        recovery->label, segment->base, scan->pos, segment->size - scan->pos,
        scan->expected >= 0 ? scan->expected : segment->base, scan->fault);
    /* A sidecar that knows more would be wrong about what comes next. */
    struct checksums_place place = recovery_place(recovery, segment->base);
    int r = checksums_unlink(&place);
    if (r >= 0)
        r = recovery->env->ops->file_truncate(recovery->env, scan->file->fd, scan->pos);
    recovery->changed = true;
    segment->size = scan->pos;
    return error_trace(r);
}

static void scan_keep(struct scan *scan, bool last)
{
    struct segment *segment = scan->segment;
    segment->end = scan->expected >= 0 ? scan->expected : segment->base;
    segment->warm_pos = segment->size;
    segment->max_timestamp = scan->index->max_timestamp;
    if (last) {
        struct batch_header first;
        if (walk_header(&scan->walk, 0, &first, NULL) == 0)
            segment->first_timestamp = first.max_timestamp;
        segment->index = index_ref(scan->index);
        return;
    }
    index_seal(scan->index);
    int r = index_save(scan->recovery->env, scan->recovery->dir, segment->base, scan->index);
    if (r < 0) /* only a cache */
        log_debug("index.not_saved", "partition=%s segment=%" PRId64, scan->recovery->label,
            segment->base);
}

/* Whether it is the log that the sidecar was made of. */
static int scan_check_end(struct scan *scan)
{
    struct checksums_place place = recovery_place(scan->recovery, scan->segment->base);
    int r = checksums_fit_end(&place, scan->file, scan->segment->size);
    if (r > 0)
        scan->fault = "it is not what the sidecar knows";
    return r;
}

static int scan_run(struct scan *scan, bool last)
{
    struct recovery *recovery = scan->recovery;
    struct segment *segment = scan->segment;
    bool anchored;
    walk_init(&scan->walk, scan->file, segment->size);
    walk_lend(&scan->walk, scan->piece, RECOVERY_PIECE_SIZE);
    int r = scan_start(scan, &anchored);
    if (r < 0)
        return r;
    if (!recovery->clean) {
        recovery->env->ops->file_forget(
            recovery->env, scan->file->fd, scan->pos, segment->size - scan->pos);
        walk_lend(&scan->walk, scan->piece, RECOVERY_PIECE_SIZE); /* it forgets, too */
    }
    r = scan_walk(scan, anchored);
    if (r == 0 && last && recovery_strict(recovery) && segment->size > 0)
        r = scan_check_end(scan);
    if (r < 0)
        return r;
    int64_t reached = scan->expected >= 0 ? scan->expected : segment->base;
    int cut = 0;
    if (r > 0 && !recovery_strict(recovery) && !scan_promised(scan))
        cut = scan_cut(scan);
    else if (r > 0)
        segment->damaged = scan->segment->stuck = true;
    if (segment->damaged && r > 0)
        log_error("partition.damaged",
            "partition=%s segment=%" PRId64 " pos=%" PRIu64 " first_missing=%" PRId64
            " next_offset=none",
            recovery->label, segment->base, scan->pos, reached);
    if (cut < 0)
        return cut;
    scan_keep(scan, last || r > 0);
    return r;
}

/* 0: whole, 1: ended early (cut, or damaged below the recovery point), -errno. */
static int recovery_scan(struct recovery *recovery, struct segment *segment, bool last)
{
    struct scan scan = {.recovery = recovery, .segment = segment, .last = last, .promised = -1};
    int r = segment_open(segment, recovery->dir, &scan.file);
    if (r < 0)
        return error_trace(r);
    scan.piece = xmalloc(RECOVERY_PIECE_SIZE);
    r = scan_run(&scan, last);
    index_unref(scan.index);
    file_unref(scan.file);
    free(scan.piece);
    return r;
}

/* --- the log --- */

/* Files behind the end of the log; what they hold was never promised. */
static int recovery_remove_behind(struct recovery *recovery, struct segment *segment)
{
    while (segment->link.next != &recovery->segments && !canary(BEHIND_CUT_KEPT)) {
        struct segment *doomed = list_entry(segment->link.next, struct segment, link);
        log_warn("partition.segment_removed",
            "partition=%s segment=%" PRId64 " size=%" PRIu64 " reason=\"it lies behind the cut\"",
            recovery->label, doomed->base, doomed->size);
        int r = segment_unlink(recovery->env, recovery->dir, doomed->base);
        if (r < 0)
            return error_trace(r);
        recovery_drop(doomed);
        recovery->changed = true;
    }
    return 0;
}

/* The first one that may hold something at or above the recovery point. */
static struct segment *recovery_first(struct recovery *recovery)
{
    struct list_link *link = recovery->segments.prev;
    while (link->prev != &recovery->segments &&
           list_entry(link, struct segment, link)->base > recovery->recovery_point)
        link = link->prev;
    return list_entry(link, struct segment, link);
}

/* Scans what has to be; ends with the active segment known. */
static int recovery_scan_all(struct recovery *recovery)
{
    struct segment *segment = recovery_first(recovery);
    for (;;) {
        bool last = segment->link.next == &recovery->segments;
        int64_t next_base = last ? 0 : list_entry(segment->link.next, struct segment, link)->base;
        int r = recovery_scan(recovery, segment, last);
        if (r < 0)
            return r;
        bool below = segment->end < recovery->recovery_point || segment->stuck;
        bool hole = !last && next_base != segment->end;
        if (last)
            break;
        bool gap = segment->base < recovery->gaps_end && next_base > segment->end;
        if (below || (r == 0 && (!hole || gap))) {
            /* Sealed for good; damage or a hole below the recovery point stays as it is. */
            index_unref(steal(&segment->index));
            segment->end = next_base;
        } else {
            if (segment->index == NULL)
                r = recovery_scan(recovery, segment, true);
            return r < 0 ? r : recovery_remove_behind(recovery, segment);
        }
        segment = list_entry(segment->link.next, struct segment, link);
    }
    return 0;
}

static int recovery_add_fresh(struct recovery *recovery, int64_t base)
{
    struct segment *segment = segment_new(recovery->files, base);
    _cleanup_(freep) char *path = segment_path(recovery->dir, base, ".log");
    struct file *file;
    int r = files_open(recovery->files, &segment->slot, path,
        ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_EXCLUSIVE, &file);
    if (r < 0) {
        segment_unref(segment);
        return error_trace(r);
    }
    file_unref(file);
    segment->created_ms = env_real_ms(recovery->env);
    segment->index = index_new();
    list_append(&recovery->segments, &segment->link);
    recovery->changed = true;
    return 0;
}

/* The log goes on at `base`, in a file of its own; the one before it is sealed as it is. */
static int recovery_go_on_at(struct recovery *recovery, int64_t base)
{
    struct segment *last = list_entry(recovery->segments.prev, struct segment, link);
    log_error("partition.hole",
        "partition=%s from=%" PRId64 " to=%" PRId64 " reason=\"the log ends before its recovery "
        "point\"",
        recovery->label, last->end, base);
    index_unref(steal(&last->index));
    last->end = last->synced_end = base;
    last->synced_size = last->size;
    return recovery_add_fresh(recovery, base);
}

/* A file in which nothing of this partition can be: it is kept, but under another name. */
static int recovery_set_aside(struct recovery *recovery, struct segment *segment)
{
    _cleanup_(freep) char *path = segment_path(recovery->dir, segment->base, ".log");
    _cleanup_(freep) char *aside = segment_path(recovery->dir, segment->base, ".log.stray");
    log_error("partition.mixed_up",
        "partition=%s segment=%" PRId64 " reason=\"it was empty at the clean stop; it is kept as "
        "%s\"",
        recovery->label, segment->base, aside);
    int r = recovery->env->ops->path_rename(recovery->env, path, aside);
    if (r >= 0)
        recovery_drop(segment);
    recovery->changed = true;
    return error_trace(r);
}

static int recovery_finish(struct recovery *recovery)
{
    struct segment *last = list_entry(recovery->segments.prev, struct segment, link);
    recovery->log_end = last->end;
    if (recovery->log_end < recovery->recovery_point && recovery->weak && !last->damaged)
        recovery->recovery_point = recovery->log_end;
    recovery->durable_end = recovery->recovery_point;
    int r = 0;
    if (last->stuck && last->base >= recovery->recovery_point) {
        r = recovery_set_aside(recovery, last);
        if (r == 0 && !list_empty(&recovery->segments)) {
            last = list_entry(recovery->segments.prev, struct segment, link);
            if (last->end > recovery->recovery_point)
                recovery->recovery_point = last->end;
        }
        if (r == 0)
            r = recovery_add_fresh(recovery, recovery->recovery_point);
        recovery->log_end = recovery->recovery_point;
    } else if (recovery->log_end < recovery->recovery_point || last->stuck) {
        r = recovery_go_on_at(recovery, recovery->recovery_point);
        recovery->log_end = recovery->recovery_point;
    }
    struct segment *first = list_entry(recovery->segments.next, struct segment, link);
    if (recovery->log_start > recovery->log_end)
        recovery->log_start = 0;
    if (recovery->log_start < first->base)
        recovery->log_start = first->base;
    if (recovery->durable_end < recovery->log_start)
        recovery->durable_end = recovery->log_start;
    return r;
}

int recovery_run(struct recovery *recovery)
{
    assert(list_empty(&recovery->segments));
    int r = recovery_list(recovery);
    if (recovery->recovery_point < recovery->log_start && !recovery->weak)
        recovery->recovery_point = recovery->log_start;
    if (r == 0 && list_empty(&recovery->segments)) {
        int64_t base = recovery->recovery_point > recovery->log_start ? recovery->recovery_point
                                                                      : recovery->log_start;
        recovery->log_end = recovery->durable_end = recovery->log_start = base;
        recovery->changed =
            snapshot_drop_above(recovery->env, recovery->dir, &recovery->snapshots, base);
        return 0;
    }
    if (r == 0)
        r = recovery_scan_all(recovery);
    if (r == 0)
        r = recovery_finish(recovery);
    if (r == 0 &&
        snapshot_drop_above(recovery->env, recovery->dir, &recovery->snapshots, recovery->log_end))
        recovery->changed = true;
    if (r < 0) {
        struct segment *segment, *next;
        list_for_each_entry_safe (segment, next, &recovery->segments, link)
            recovery_drop(segment);
    }
    return error_trace(r);
}
