// SPDX-License-Identifier: BSD-2-Clause
/*
 *   <base>.log.cleaned            written and synced, not yet valid
 *      | rename, sync of the directory: the commit
 *   <base>-<end>.log.swap         stands for [base, end), whatever else lies there
 *      | unlink of the segments in [base, end) but the first, sync of the directory
 *      | rename over the first, sync of the directory
 *   <base>.log
 *
 * The name tells the end because the file cannot: its last records may be gone. The first old
 * segment stays until the last rename takes its place. After a stop behind the commit, recovery
 * does the rest again. Indexes are caches: the old ones are removed, the new ones are written
 * afterwards.
 *
 * Kafka's own swap files are called <base>.log.swap and reach to their last offset.
 */
#include "store/cleaner/cleaner_swap.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/log.h"
#include "store/integrity/checksums.h"
#include "store/segment/segment.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define SWAP_BASE_DIGITS 20

char *cleaner_swap_cleaned_path(const char *dir, int64_t base)
{
    return segment_path(dir, base, ".log.cleaned");
}

static char *swap_path(const char *dir, int64_t base, int64_t end)
{
    return xasprintf("%s/%020" PRId64 "-%020" PRId64 ".log.swap", dir, base, end);
}

int cleaner_swap_commit(
    struct env *env, const char *dir, int64_t base, int64_t end, bool *ret_stuck)
{
    assert(base < end);
    _cleanup_(freep) char *cleaned = cleaner_swap_cleaned_path(dir, base);
    _cleanup_(freep) char *swap = swap_path(dir, base, end);
    *ret_stuck = false;
    int r = env->ops->path_rename(env, cleaned, swap);
    if (r >= 0)
        r = env->ops->dir_sync(env, dir);
    if (r >= 0)
        return 0;
    /* A swap that is found after the next start would replace what is written until then. */
    int back = env->ops->path_unlink(env, swap);
    if (back >= 0)
        back = env->ops->dir_sync(env, dir);
    *ret_stuck = back < 0 && back != -ENOENT;
    env->ops->path_unlink(env, cleaned);
    return error_trace(r);
}

static int swap_unlink(struct env *env, const char *dir, int64_t base, const char *suffix)
{
    _cleanup_(freep) char *path = segment_path(dir, base, suffix);
    int r = env->ops->path_unlink(env, path);
    return r == -ENOENT ? 0 : error_trace(r);
}

int cleaner_swap_finish(struct env *env, const char *dir, int64_t base, int64_t end,
    const int64_t *bases, unsigned n_bases)
{
    _cleanup_(freep) char *swap = swap_path(dir, base, end);
    _cleanup_(freep) char *log = segment_path(dir, base, ".log");
    int r = swap_unlink(env, dir, base, ".index");
    if (r >= 0)
        r = swap_unlink(env, dir, base, ".timeindex");
    if (r >= 0)
        r = swap_unlink(env, dir, base, CHECKSUMS_SUFFIX);
    if (r >= 0)
        r = swap_unlink(env, dir, base, CHECKSUMS_SEAL_SUFFIX);
    for (unsigned i = 0; i < n_bases && r >= 0; i++) {
        assert(bases[i] >= base && bases[i] < end);
        if (bases[i] != base)
            r = segment_unlink(env, dir, bases[i]);
    }
    if (r >= 0)
        r = env->ops->dir_sync(env, dir);
    if (r >= 0)
        r = env->ops->path_rename(env, swap, log);
    if (r >= 0)
        r = env->ops->dir_sync(env, dir);
    return error_trace(r);
}

/* --- recovery --- */

bool cleaner_swap_is_swap(const char *name)
{
    static const char suffix[] = ".swap";
    size_t size = strlen(name);
    return size > sizeof(suffix) - 1 && strcmp(name + size - (sizeof(suffix) - 1), suffix) == 0;
}

struct swap {
    int64_t base, end; /* end -1: to its last offset */
};

struct swap_listing {
    struct buffer swaps;  /* struct swap */
    struct buffer bases;  /* int64_t: of all segments */
    struct buffer others; /* NUL-terminated names of swapped indexes */
};

static bool swap_parse(const char *name, struct swap *ret_swap)
{
    char base[SWAP_BASE_DIGITS + 1];
    if (segment_parse_name(name, ".log.swap", &ret_swap->base)) {
        ret_swap->end = -1;
        return true;
    }
    if (strlen(name) < 2 * SWAP_BASE_DIGITS + 1 || name[SWAP_BASE_DIGITS] != '-')
        return false;
    memcpy(base, name, SWAP_BASE_DIGITS);
    base[SWAP_BASE_DIGITS] = '\0';
    return segment_parse_name(base, "", &ret_swap->base) &&
           segment_parse_name(name + SWAP_BASE_DIGITS + 1, ".log.swap", &ret_swap->end) &&
           ret_swap->base < ret_swap->end;
}

static int swap_on_name(void *ctx, const char *name)
{
    struct swap_listing *listing = ctx;
    struct swap swap;
    int64_t base;
    size_t size = strlen(name);
    if (size == SWAP_BASE_DIGITS + 4 && segment_parse_name(name, ".log", &base))
        buffer_append(&listing->bases, &base, sizeof(base));
    else if (!cleaner_swap_is_swap(name))
        return 0;
    else if (size > SWAP_BASE_DIGITS && swap_parse(name, &swap))
        buffer_append(&listing->swaps, &swap, sizeof(swap));
    else
        buffer_append(&listing->others, name, size + 1);
    return 0;
}

/* Where Kafka's swap file ends, and its name becomes one of ours. */
static int swap_adopt(struct env *env, const char *dir, struct swap *swap)
{
    _cleanup_(freep) char *path = segment_path(dir, swap->base, ".log.swap");
    struct batch_header header;
    struct env_stat stat;
    struct walk walk;
    int fd = env->ops->file_open(env, path, ENV_OPEN_READ);
    if (fd < 0)
        return error_trace(fd);
    _cleanup_(file_unrefp) struct file *file = file_new(env, fd);
    int r = env->ops->file_stat(env, fd, &stat);
    if (r < 0)
        return error_trace(r);
    swap->end = swap->base + 1;
    walk_init(&walk, file, stat.size);
    for (uint64_t pos = 0; (r = walk_header(&walk, pos, &header, NULL)) == 0;
         pos += batch_size(&header))
        swap->end = batch_last_offset(&header) + 1;
    if (r < 0)
        return error_trace(r);
    _cleanup_(freep) char *ours = swap_path(dir, swap->base, swap->end);
    r = env->ops->path_rename(env, path, ours);
    return error_trace(r < 0 ? r : env->ops->dir_sync(env, dir));
}

static int swap_complete(
    struct env *env, const char *dir, struct swap *swap, const struct swap_listing *listing)
{
    int r = swap->end < 0 ? swap_adopt(env, dir, swap) : 0;
    if (r < 0)
        return r;
    const int64_t *bases = (const void *)listing->bases.data;
    size_t count = listing->bases.size / sizeof(*bases);
    unsigned n_inside = 0;
    _cleanup_(freep) int64_t *inside = xnew_n(int64_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (bases[i] >= swap->base && bases[i] < swap->end)
            inside[n_inside++] = bases[i];
    }
    return cleaner_swap_finish(env, dir, swap->base, swap->end, inside, n_inside);
}

int cleaner_swap_recover(struct env *env, const char *dir, const char *label)
{
    struct swap_listing listing = {BUFFER_NULL, BUFFER_NULL, BUFFER_NULL};
    int r = env->ops->dir_list(env, dir, swap_on_name, &listing);
    struct swap *swaps = (void *)listing.swaps.data;
    for (size_t i = 0; r >= 0 && i < listing.swaps.size / sizeof(*swaps); i++) {
        r = swap_complete(env, dir, &swaps[i], &listing);
        if (r >= 0)
            log_info("partition.swap_completed", "partition=%s from=%" PRId64 " to=%" PRId64, label,
                swaps[i].base, swaps[i].end);
    }
    for (size_t at = 0; r >= 0 && at < listing.others.size;) {
        const char *name = (const char *)listing.others.data + at;
        _cleanup_(freep) char *path = xasprintf("%s/%s", dir, name);
        r = env->ops->path_unlink(env, path);
        at += strlen(name) + 1;
    }
    buffer_deinit(&listing.swaps);
    buffer_deinit(&listing.bases);
    buffer_deinit(&listing.others);
    return error_trace(r < 0 ? r : 0);
}
