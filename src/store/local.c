// SPDX-License-Identifier: BSD-2-Clause
/*
 * The data directory as a whole.
 *
 *   .lock                              held by a kernel lock while a broker uses the directory
 *   .kafka_cleanshutdown               left by a clean stop, removed at the next start
 *   recovery-point-offset-checkpoint   what is on the medium, per partition
 *   log-start-offset-checkpoint        what was deleted, per partition
 *   <topic>-<partition>/               one per partition (docs/disk-format.md)
 *   <random>-delete/                   removed at the next start
 *
 * The marker of a clean stop only tells that the page cache needs not be distrusted; what a log
 * holds above its recovery point is checked in any case.
 */
#include "store/local.h"

#include "base/error.h"
#include "base/log.h"
#include "base/small_file.h"
#include "store/cleaner/cleaner.h"
#include "store/part/part.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#define LOCAL_CLEAN_FILE  ".kafka_cleanshutdown"
#define LOCAL_CLEAN_TEXT  "{\"version\":0,\"brokerEpoch\":-1}"
#define LOCAL_DELETE_TAIL "-delete"
#define LOCAL_STRAY_TAIL  "-stray"

#define HOME_SYNC_AGAIN_MS 100

struct home *local_home(struct local *local, struct loop *loop)
{
    unsigned index = loop_index(loop);
    assert(index < local->n_homes && local->homes[index].loop == loop);
    return &local->homes[index];
}

/* --- timers of a home --- */

struct checkpoint_work {
    struct offload_work work;
    struct checkpoint *checkpoint;
    int result;
};

static void checkpoint_on_run(struct offload_work *base)
{
    struct checkpoint_work *work = container_of(base, struct checkpoint_work, work);
    work->result = checkpoint_write(work->checkpoint);
}

static void checkpoint_on_done(struct offload_work *base)
{
    struct checkpoint_work *work = container_of(base, struct checkpoint_work, work);
    if (work->result < 0)
        log_warn("checkpoint.failed", "error=\"%s\"", log_errno(-work->result).str);
    free(work);
}

static void home_on_checkpoint(struct timer *timer)
{
    struct home *home = container_of(timer, struct home, checkpoint_timer);
    if (checkpoint_dirty(home->local->checkpoint)) {
        struct checkpoint_work *work = xnew(struct checkpoint_work);
        work->checkpoint = home->local->checkpoint;
        offload_submit(home->local->offload, &work->work, home->loop, home->local->checkpoint,
            checkpoint_on_run, checkpoint_on_done);
    }
    timer_start(timer, home->loop, LOCAL_CHECKPOINT_MS, home_on_checkpoint);
}

void home_note_durable(struct home *home, uint64_t size)
{
    atomic_fetch_sub(&home->local->unsynced_size, (int64_t)size);
    home->durable_size += size;
    if (home->durable_size < LOCAL_CHECKPOINT_SIZE)
        return;
    home->durable_size = 0;
    timer_start(&home->checkpoint_timer, home->loop, 0, home_on_checkpoint);
}

struct space_work {
    struct offload_work work;
    struct home *home;
};

static void home_on_space(struct timer *timer);

static void local_look_at_space(struct local *local)
{
    uint64_t free_size, total_size;
    int r = local->env->ops->disk_free(local->env, local->dir, &free_size, &total_size);
    uint64_t reserve = local->space_reserve;
    if (r >= 0 && total_size / 20 < reserve)
        reserve = total_size / 20;
    bool full = r >= 0 && free_size < reserve;
    atomic_fetch_sub(&local->unsynced_size, atomic_load(&local->unsynced_size) / 16);
    atomic_store(&local->space_left, r < 0 ? INT64_MAX : (int64_t)free_size - (int64_t)reserve);
    if (atomic_exchange(&local->full, full) == full)
        return;
    if (full)
        log_error("storage.full",
            "dir=%s free=%" PRIu64 " text=\"appends are refused until there is room\"", local->dir,
            free_size);
    else
        log_info("storage.resumed", "dir=%s free=%" PRIu64, local->dir, free_size);
}

static void space_on_run(struct offload_work *base)
{
    local_look_at_space(container_of(base, struct space_work, work)->home->local);
}

/* Goes on looking, more often while appends are refused. */
static void space_on_done(struct offload_work *base)
{
    struct space_work *work = container_of(base, struct space_work, work);
    struct home *home = work->home;
    bool full = atomic_load(&home->local->full);
    free(work);
    if (home->n_parts > 0 && (home->space_wanted || full))
        timer_start(&home->space_timer, home->loop, full ? LOCAL_SPACE_FULL_MS : LOCAL_SPACE_MS,
            home_on_space);
    home->space_wanted = false;
}

static void home_on_space(struct timer *timer)
{
    struct home *home = container_of(timer, struct home, space_timer);
    struct space_work *work = xnew(struct space_work);
    work->home = home;
    offload_submit(home->local->offload, &work->work, home->loop, &home->space_timer, space_on_run,
        space_on_done);
}

void home_watch_space(struct home *home)
{
    home->space_wanted = true;
    if (!timer_running(&home->space_timer))
        timer_start(&home->space_timer, home->loop, LOCAL_SPACE_MS, home_on_space);
}

void home_note_written(struct home *home, uint64_t size)
{
    struct local *local = home->local;
    home_watch_space(home);
    atomic_fetch_add(&local->unsynced_size, (int64_t)size);
    int64_t left = atomic_fetch_sub(&local->space_left, (int64_t)size) - (int64_t)size;
    if (left >= 0 || atomic_exchange(&local->full, true))
        return;
    log_error(
        "storage.full", "dir=%s text=\"appends are refused until there is room\"", local->dir);
    timer_start(&home->space_timer, home->loop, LOCAL_SPACE_FULL_MS, home_on_space);
}

static void home_on_retention(struct timer *timer)
{
    struct home *home = container_of(timer, struct home, retention_timer);
    struct part *part;
    list_for_each_entry (part, &home->parts, link)
        part_retain(part);
    timer_start(timer, home->loop, home->local->retention_check_ms, home_on_retention);
}

static void home_on_clean(struct timer *timer)
{
    home_clean(container_of(timer, struct home, cleaner_timer));
}

/* Sleeps until the first part is due; parts are few in which flush.ms is set. */
static void home_on_flush(struct timer *timer)
{
    struct home *home = container_of(timer, struct home, flush_timer);
    struct part *part;
    int64_t delay_ms = INT64_MAX, now_ms = loop_now_ms(home->loop);
    list_for_each_entry (part, &home->parts, link) {
        int64_t flush_ms = part->config.flush_ms;
        if (flush_ms == INT64_MAX)
            continue;
        int64_t left_ms =
            part->dirty_since_ms == 0 ? flush_ms : part->dirty_since_ms + flush_ms - now_ms;
        if (left_ms <= 0) {
            part->sync_wanted = true;
            part_sync(part);
            left_ms = flush_ms;
        }
        delay_ms = left_ms < delay_ms ? left_ms : delay_ms;
    }
    if (delay_ms != INT64_MAX)
        timer_start(timer, home->loop, delay_ms < 1 ? 1 : delay_ms, home_on_flush);
}

static void home_on_sync_again(struct timer *timer)
{
    struct home *home = container_of(timer, struct home, sync_timer);
    struct part *part, *next;
    list_for_each_entry_safe (part, next, &home->parts, link) {
        if (part->sync_wanted)
            part_sync(part);
    }
}

void home_sync_again(struct home *home)
{
    if (!timer_running(&home->sync_timer))
        timer_start(&home->sync_timer, home->loop, HOME_SYNC_AGAIN_MS, home_on_sync_again);
}

void home_schedule(struct home *home, struct part *part)
{
    if (part->config.flush_ms != INT64_MAX && !timer_running(&home->flush_timer))
        timer_start(&home->flush_timer, home->loop, 1, home_on_flush);
}

void home_add(struct home *home, struct part *part)
{
    list_append(&home->parts, &part->link);
    if (home->n_parts++ == 0) {
        home_note_time(home);
        home_scrub_soon(home);
        timer_start(&home->checkpoint_timer, home->loop, LOCAL_CHECKPOINT_MS, home_on_checkpoint);
        timer_start(
            &home->retention_timer, home->loop, home->local->retention_check_ms, home_on_retention);
        if (home->local->cleaner_backoff_ms > 0)
            timer_start(
                &home->cleaner_timer, home->loop, home->local->cleaner_backoff_ms, home_on_clean);
    }
    home_schedule(home, part);
}

void home_remove(struct home *home, struct part *part)
{
    assert(home->n_parts > 0);
    list_remove(&part->link);
    if (--home->n_parts > 0)
        return;
    timer_stop(&home->checkpoint_timer);
    timer_stop(&home->retention_timer);
    timer_stop(&home->cleaner_timer);
    timer_stop(&home->scrub_timer);
    timer_stop(&home->flush_timer);
    timer_stop(&home->sync_timer);
    timer_stop(&home->space_timer);
}

/* --- directories --- */

static int local_collect_name(void *ctx, const char *name)
{
    buffer_append(ctx, name, strlen(name) + 1);
    return 0;
}

static int local_empty_dir(struct env *env, const char *path)
{
    _cleanup_(buffer_deinit) struct buffer names = BUFFER_NULL;
    int r = env->ops->dir_list(env, path, local_collect_name, &names);
    for (size_t at = 0; r >= 0 && at < names.size;) {
        const char *name = (const char *)names.data + at;
        _cleanup_(freep) char *file = xasprintf("%s/%s", path, name);
        r = env->ops->path_unlink(env, file);
        at += strlen(name) + 1;
    }
    return error_trace(r);
}

static int local_remove_renamed(struct local *local, const char *path)
{
    int r = local_empty_dir(local->env, path);
    if (r >= 0)
        r = local->env->ops->dir_remove(local->env, path);
    return error_trace(r);
}

int local_stray_dir(struct local *local, const char *path)
{
    struct env *env = local->env;
    uint64_t random;
    env->ops->random(env, &random, sizeof(random));
    _cleanup_(freep) char *stray = xasprintf("%s.%016" PRIx64 LOCAL_STRAY_TAIL, path, random);
    int r = env->ops->path_rename(env, path, stray);
    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = env->ops->dir_sync(env, local->dir);
    return error_trace(r);
}

int local_doom_dir(struct local *local, const char *path, char **ret_doomed)
{
    struct env *env = local->env;
    uint64_t random[2];
    env->ops->random(env, random, sizeof(random));
    _cleanup_(freep) char *doomed = xasprintf(
        "%s/%016" PRIx64 "%016" PRIx64 LOCAL_DELETE_TAIL, local->dir, random[0], random[1]);
    int r = env->ops->path_rename(env, path, doomed);
    *ret_doomed = r < 0 ? NULL : steal(&doomed);
    return r == -ENOENT ? 0 : error_trace(r);
}

int local_remove_doomed(struct local *local, const char *doomed)
{
    if (doomed == NULL)
        return 0;
    int r = local->env->ops->dir_sync(local->env, local->dir);
    return error_trace(r < 0 ? r : local_remove_renamed(local, doomed));
}

int local_remove_dir(struct local *local, const char *path)
{
    _cleanup_(freep) char *doomed = NULL;
    int r = local_doom_dir(local, path, &doomed);
    return error_trace(r < 0 ? r : local_remove_doomed(local, doomed));
}

/* --- start --- */

static int local_on_name(void *ctx, const char *name)
{
    struct local *local = ctx;
    char *copy = xstrdup(name);
    char *before = map_put(&local->dirs, slice_from_str(copy), copy);
    assert(before == NULL);
    return 0;
}

static bool local_has_dir(void *ctx, const char *label)
{
    struct local *local = ctx;
    return map_get(&local->dirs, slice_from_str(label)) != NULL;
}

static int local_lock(struct local *local)
{
    _cleanup_(freep) char *path = xasprintf("%s/.lock", local->dir);
    local->lock_fd = local->env->ops->file_open(local->env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE);
    if (local->lock_fd < 0)
        return error_trace(local->lock_fd);
    int r = local->env->ops->file_lock(local->env, local->lock_fd);
    if (r == -EWOULDBLOCK)
        log_error("storage.locked", "dir=%s reason=\"another process uses it\"", local->dir);
    return r;
}

/* Of each home: an error is told once per descriptor, and only if that was opened before. */
static void local_open_disk(struct local *local)
{
    for (unsigned i = 0; local->sync_disk_min > 0 && i < local->n_homes; i++)
        local->homes[i].disk_fd = local->env->ops->disk_open(local->env, local->dir);
}

static int local_start(struct local *local)
{
    int r = local_lock(local);
    if (r < 0)
        return r;
    local_open_disk(local);
    r = local->env->ops->dir_list(local->env, local->dir, local_on_name, local);
    if (r < 0)
        return error_trace(r);
    local->checkpoint = checkpoint_new(local->env, local->dir);
    checkpoint_filter(local->checkpoint, local_has_dir, local);
    local->was_clean = local_has_dir(local, LOCAL_CLEAN_FILE);
    if (local->was_clean) {
        _cleanup_(freep) char *path = xasprintf("%s/" LOCAL_CLEAN_FILE, local->dir);
        r = local->env->ops->path_unlink(local->env, path);
    }
    return error_trace(r);
}

/* --- end --- */

static void local_discard(struct local *local)
{
    map_for_each (&local->dirs, entry)
        free(entry->value);
    map_deinit(&local->dirs);
    checkpoint_free(local->checkpoint);
    pthread_mutex_destroy(&local->names_mutex);
    files_free(local->files);
    if (local->lock_fd >= 0)
        local->env->ops->file_close(local->env, local->lock_fd);
    for (unsigned i = 0; i < local->n_homes; i++) {
        if (local->homes[i].disk_fd >= 0)
            local->env->ops->file_close(local->env, local->homes[i].disk_fd);
    }
    free(local->dir);
    free(local);
}

static void local_free(struct engine *engine)
{
    struct local *local = container_of(engine, struct local, engine);
    for (unsigned i = 0; i < local->n_homes; i++)
        assert(local->homes[i].n_parts == 0);
    int r = checkpoint_write(local->checkpoint);
    if (r == 0 && !atomic_load(&local->close_failed)) {
        _cleanup_(freep) char *path = xasprintf("%s/" LOCAL_CLEAN_FILE, local->dir);
        r = small_file_write(local->env, path, SLICE_LIT(LOCAL_CLEAN_TEXT));
    }
    if (r < 0)
        log_warn("storage.unclean", "dir=%s error=\"%s\"", local->dir, log_errno(-r).str);
    local_discard(local);
}

static const struct engine_ops local_ops = {
    .free = local_free,
    .part_open = part_open,
    .part_close = part_close,
    .part_delete = part_delete,
    .part_configure = part_configure,
    .part_get_state = part_get_state,
    .part_append = part_append,
    .part_read = part_read,
    .part_offset_for_time = part_offset_for_time,
    .part_max_timestamp = part_max_timestamp,
    .part_epoch_end = part_epoch_end,
    .part_raise_epoch = part_raise_epoch,
    .part_set_log_start = part_set_log_start,
    .part_flush = part_flush,
    .part_replay = part_replay,
    .part_snapshot_put = part_snapshot_put,
    .part_aborted_put = part_aborted_put,
    .part_snapshot_get = part_snapshot_get,
};

int engine_local_new(const struct engine_local_config *config, struct engine **ret_engine)
{
    assert(config->n_loops > 0 && config->files_open_max > 0);
    struct local *local = xcalloc(1, sizeof(*local) + config->n_loops * sizeof(struct home));
    local->engine.ops = &local_ops;
    local->env = config->env;
    local->offload = config->offload;
    local->dir = xstrdup(config->dir);
    local->lock_fd = -1;
    local->sync_all = config->sync_all;
    local->syncs_max = config->n_loops > 1 ? LOCAL_SYNCS_MAX : LOCAL_SYNCS_SINGLE_MAX;
    local->index_save_min =
        config->index_save_min > 0 ? config->index_save_min : LOCAL_INDEX_SAVE_SIZE;
    local->sync_disk_min = config->sync_disk_min;
    local->space_reserve = config->space_reserve;
    atomic_store(&local->space_left, INT64_MAX);
    local->scrub_rate = config->scrub_rate;
    local->retention_check_ms = config->retention_check_ms;
    local->cleaner_backoff_ms = config->cleaner_backoff_ms;
    local->cleaner_threads =
        config->cleaner_threads < LOCAL_CLEANERS_MAX ? config->cleaner_threads : LOCAL_CLEANERS_MAX;
    local->cleaner_threads = local->cleaner_threads < 1 ? 1 : local->cleaner_threads;
    local->cleaner_map_size_max = config->cleaner_map_size_max / local->cleaner_threads;
    local->cleaner_piece_size = config->cleaner_buffer_size / local->cleaner_threads / 2;
    local->cleaner_rate = config->cleaner_rate;
    pthread_mutex_init(&local->names_mutex, NULL);
    local->files = files_new(config->env, config->files_open_max);
    local->n_homes = config->n_loops;
    for (unsigned i = 0; i < config->n_loops; i++) {
        local->homes[i].local = local;
        local->homes[i].loop = config->loops[i];
        list_init(&local->homes[i].parts);
        local->homes[i].scrub_round = 1;
        list_init(&local->homes[i].indexed);
        list_init(&local->homes[i].syncs_due);
        local->homes[i].disk_fd = -1;
    }
    int r = local_start(local);
    if (r < 0) {
        local_discard(local);
        return r;
    }
    local_look_at_space(local);
    *ret_engine = &local->engine;
    return 0;
}

/* --- what belongs to nobody --- */

/* The partition's number when the name is one of a partition's directory, else -1. */
static int32_t local_partition_of(const char *name)
{
    const char *dash = strrchr(name, '-');
    if (dash == NULL || dash == name || dash[1] < '0' || dash[1] > '9')
        return -1;
    char *end;
    errno = 0;
    long partition = strtol(dash + 1, &end, 10);
    return errno != 0 || *end != '\0' || partition > INT32_MAX ? -1 : (int32_t)partition;
}

static bool local_is_stray(const char *name)
{
    size_t size = strlen(name), tail = sizeof(LOCAL_STRAY_TAIL) - 1;
    return size > tail && strcmp(name + size - tail, LOCAL_STRAY_TAIL) == 0;
}

static bool local_is_gone(const struct uuid *gone, size_t n_gone, struct uuid topic_id)
{
    for (size_t i = 0; i < n_gone; i++) {
        if (uuid_equal(gone[i], topic_id))
            return true;
    }
    return false;
}

static int local_sweep_dir(
    struct local *local, const char *name, const struct uuid *gone, size_t n_gone)
{
    struct part_id id = {.partition = local_partition_of(name)};
    if (id.partition < 0 && !local_is_stray(name))
        return 0;
    _cleanup_(freep) char *path = xasprintf("%s/%s", local->dir, name);
    int r = part_dir_id(local->env, path, &id.topic_id);
    if (r == PART_DIR_E_UNKNOWN || r == PART_DIR_E_MIXED_UP || r == -ENOTDIR)
        return 0; /* not to be judged */
    if (r < 0 || !local_is_gone(gone, n_gone, id.topic_id))
        return r;
    log_info("partition.swept", "dir=%s reason=\"its topic is gone\"", path);
    checkpoint_remove(local->checkpoint, name);
    return local_remove_dir(local, path);
}

int engine_local_sweep(struct engine *engine, const struct uuid *gone, size_t n_gone)
{
    struct local *local = container_of(engine, struct local, engine);
    int result = 0;
    map_for_each (&local->dirs, entry) {
        const char *name = entry->value;
        size_t size = strlen(name), tail = sizeof(LOCAL_DELETE_TAIL) - 1;
        int r;
        if (size > tail && strcmp(name + size - tail, LOCAL_DELETE_TAIL) == 0) {
            _cleanup_(freep) char *path = xasprintf("%s/%s", local->dir, name);
            r = local_remove_renamed(local, path);
            r = r == -ENOENT ? 0 : r;
        } else {
            r = local_sweep_dir(local, name, gone, n_gone);
        }
        result = result < 0 ? result : r;
    }
    /* What it knew of partitions that are gone must not be taken for others of their name. */
    int r = checkpoint_write(local->checkpoint);
    result = result < 0 ? result : r;
    return result < 0 ? result : 0;
}

int engine_local_dirs(struct engine *engine, bool (*wanted)(void *ctx, struct slice topic),
    void (*found)(void *ctx, const struct engine_local_dir *dir), void *ctx)
{
    struct local *local = container_of(engine, struct local, engine);
    map_for_each (&local->dirs, entry) {
        const char *name = entry->value;
        struct engine_local_dir dir = {.partition = local_partition_of(name)};
        dir.topic = slice_make(name, strlen(name));
        if (dir.partition >= 0)
            dir.topic.size = (size_t)(strrchr(name, '-') - name);
        if (dir.partition < 0 || !wanted(ctx, dir.topic))
            continue;
        _cleanup_(freep) char *path = xasprintf("%s/%s", local->dir, name);
        int r = part_dir_id(local->env, path, &dir.topic_id);
        if (r == -ENOTDIR)
            continue;
        if (r < 0)
            return error_trace(r);
        dir.owned = r == 0;
        dir.compacted = checkpoint_get(local->checkpoint, name).cleaned_end > 0;
        found(ctx, &dir);
    }
    return 0;
}
