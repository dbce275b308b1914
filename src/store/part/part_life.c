// SPDX-License-Identifier: BSD-2-Clause
/*
 * How a part comes and goes.
 *
 * Open: a part of which nothing lies in the data directory is there at once; its directory is made
 * with the first append. Anything else is recovered on the pool. A directory whose identity file
 * names another topic id is what a deleted topic of the same name left behind: it is set aside and
 * never read. But an identity file that was made for another directory says nothing about this one:
 * files or directories were mixed up, and the part is offline until somebody puts them right.
 *
 * Close: what is pending ends with ENGINE_NOT_OWNER; when nothing is under way any more, index and
 * log are written out, the recovery point moves to the end, and the handle is gone. Delete: the
 * directory is renamed, forgotten by the checkpoint, and removed.
 */
#include "store/part/part.h"

#include "base/canary.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/log.h"
#include "base/small_file.h"
#include "store/cleaner/cleaner.h"
#include "store/integrity/recovery.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#define METADATA_SIZE_MAX 4096

/* --- the directory (pool) --- */

#define METADATA_CRC_KEY "odradek_crc: "
#define METADATA_DIR_KEY "odradek_dir: "

/* False when the checksum is wrong, or missing behind our other line. Kafka neither writes our
 * lines nor minds them. */
static bool metadata_whole(struct slice text)
{
    static const char key[] = METADATA_CRC_KEY, other[] = METADATA_DIR_KEY;
    if (text.data == NULL)
        return true;
    const uint8_t *at = memmem(text.data, text.size, key, sizeof(key) - 1);
    if (at == NULL)
        return memmem(text.data, text.size, other, sizeof(other) - 1) == NULL;
    char expected[9];
    size_t size = (size_t)(at - text.data), left = text.size - size - (sizeof(key) - 1);
    snprintf(expected, sizeof(expected), "%08x", crc32c(0, text.data, size));
    return left >= 8 && memcmp(at + sizeof(key) - 1, expected, 8) == 0;
}

static bool metadata_parse(struct slice text, struct uuid *ret_id)
{
    static const char key[] = "topic_id:";
    if (text.size == 0 || !metadata_whole(text))
        return false;
    const char *at = memmem(text.data, text.size, key, sizeof(key) - 1);
    if (at == NULL)
        return false;
    const char *end = (const char *)text.data + text.size;
    at += sizeof(key) - 1;
    while (at < end && *at == ' ')
        at++;
    return end - at >= UUID_TEXT_SIZE && uuid_from_text(slice_make(at, UUID_TEXT_SIZE), ret_id);
}

/* Whether it was made for this directory, or one that was set aside from there. Kafka's do not say.
 */
static bool metadata_belongs(struct slice text, const char *dir)
{
    static const char key[] = METADATA_DIR_KEY;
    const char *name = strrchr(dir, '/') + 1;
    const char *at = memmem(text.data, text.size, key, sizeof(key) - 1);
    if (at == NULL)
        return true;
    at += sizeof(key) - 1;
    const char *line_end = memchr(at, '\n', (size_t)((const char *)text.data + text.size - at));
    size_t size = line_end == NULL ? 0 : (size_t)(line_end - at);
    return size > 0 && strncmp(name, at, size) == 0 && (name[size] == '\0' || name[size] == '.');
}

int part_dir_id(struct env *env, const char *dir, struct uuid *ret_id)
{
    _cleanup_(freep) char *path = xasprintf("%s/partition.metadata", dir);
    _cleanup_(buffer_deinit) struct buffer text = BUFFER_NULL;
    int r = small_file_read(env, path, METADATA_SIZE_MAX, &text);
    if (r == -ENOENT || r == SMALL_FILE_E_TOO_LARGE)
        return PART_DIR_E_UNKNOWN;
    if (r < 0)
        return error_trace(r);
    if (!metadata_parse(buffer_slice(&text), ret_id))
        return PART_DIR_E_UNKNOWN;
    return metadata_belongs(buffer_slice(&text), dir) ? 0 : PART_DIR_E_MIXED_UP;
}

int part_dir_check(struct part *part)
{
    struct env *env = part->local->env;
    struct env_stat stat;
    struct uuid id;
    int r = env->ops->path_stat(env, part->dir, &stat);
    if (r == -ENOENT)
        return PART_DIR_E_MISSING;
    if (r < 0)
        return error_trace(r);
    r = part_dir_id(env, part->dir, &id);
    if (r != 0)
        return r;
    bool own = uuid_equal(id, part->id.topic_id) || canary(TOPIC_RESURRECTED);
    return own ? 0 : PART_DIR_E_FOREIGN;
}

static int part_dir_fill(struct part *part)
{
    struct env *env = part->local->env;
    struct uuid_text id = uuid_to_text(part->id.topic_id);
    _cleanup_(freep) char *metadata = xasprintf("%s/partition.metadata", part->dir);
    _cleanup_(freep) char *lines =
        xasprintf("version: 0\ntopic_id: %s\n" METADATA_DIR_KEY "%s\n", id.str, part->label);
    struct slice covered = slice_from_str(lines);
    _cleanup_(freep) char *text =
        xasprintf("%s" METADATA_CRC_KEY "%08x\n", lines, crc32c(0, covered.data, covered.size));
    /* On the medium before there is any log: a directory that does not say whose it is holds
     * nothing (or comes from elsewhere), and what a deleted topic left is never taken for a new
     * one's. */
    return error_trace(small_file_write(env, metadata, slice_from_str(text)));
}

/* Whatever was known of the label is about the other topic. Most likely that was deleted, and the
 * sweep of what is gone removes it; but only its identity file may be wrong. */
static int part_dir_disown(struct part *part)
{
    checkpoint_remove(part->local->checkpoint, part->label);
    return error_trace(local_stray_dir(part->local, part->dir));
}

static int part_dir_claim(struct part *part)
{
    struct env *env = part->local->env;
    int r = part_dir_check(part);
    if (r == PART_DIR_E_FOREIGN || r == PART_DIR_E_MIXED_UP)
        r = part_dir_disown(part);
    if (r >= 0) /* marks of an earlier directory of this name must not outlive it */
        r = r == PART_DIR_E_UNKNOWN ? r : checkpoint_forget(part->local->checkpoint, part->label);
    if (r < 0)
        return error_trace(r);
    if (r != PART_DIR_E_UNKNOWN) {
        r = env->ops->dir_make(env, part->dir);
        if (r < 0 && r != -EEXIST)
            return error_trace(r);
    }
    r = part_dir_fill(part);
    if (r < 0)
        return r;
    struct epochs epochs = {.starts = NULL};
    r = epochs_read(&epochs, env, part->dir);
    if (r == EPOCHS_E_BAD) {
        epochs_add(&epochs, 0, part->log_start);
        r = epochs_write(&epochs, env, part->dir);
    }
    epochs_deinit(&epochs);
    return error_trace(r);
}

int part_dir_make(struct part *part)
{
    pthread_mutex_lock(&part->local->names_mutex);
    int r = part_dir_claim(part);
    pthread_mutex_unlock(&part->local->names_mutex);
    return error_trace(r);
}

/* --- open --- */

struct recover_task {
    struct part_task task;
    struct recovery recovery;
    struct epochs epochs;
    bool exists;
    struct buffer snapshot;
    int64_t snapshot_upto;
    struct damage *damages;
    unsigned n_damages;
    bool disowned; /* what the checkpoint said was about another topic */
};

/* From the first batch of each segment. */
static int epochs_learn(struct recover_task *task)
{
    struct env *env = task->recovery.env;
    struct segment *segment;
    list_for_each_entry (segment, &task->recovery.segments, link) {
        uint8_t bytes[BATCH_HEADER_SIZE];
        struct file *file;
        int r =
            segment->size < sizeof(bytes) ? 1 : segment_open(segment, task->recovery.dir, &file);
        if (r > 0)
            continue;
        if (r < 0)
            return error_trace(r);
        ssize_t n = env->ops->file_pread(env, file->fd, bytes, sizeof(bytes), 0);
        file_unref(file);
        if (n < 0)
            return error_trace((int)n);
        struct batch_header header = batch_header_parse(bytes);
        if ((size_t)n == sizeof(bytes) && batch_header_sane(&header) && header.leader_epoch >= 0 &&
            header.base_offset >= segment->base)
            epochs_add(&task->epochs, header.leader_epoch, header.base_offset);
    }
    if (task->epochs.count == 0)
        epochs_add(&task->epochs, 0, task->recovery.log_start);
    return error_trace(epochs_write(&task->epochs, env, task->recovery.dir));
}

static int recover_epochs(struct recover_task *task)
{
    int r = epochs_read(&task->epochs, task->recovery.env, task->recovery.dir);
    if (r == 0 && task->epochs.count > 0 && epochs_cut(&task->epochs, task->recovery.log_end))
        return error_trace(epochs_write(&task->epochs, task->recovery.env, task->recovery.dir));
    if (r == 0 && task->epochs.count > 0)
        return 0;
    return r < 0 ? r : epochs_learn(task);
}

static void recover_run(struct part_task *base)
{
    struct recover_task *task = container_of(base, struct recover_task, task);
    struct part *part = base->part;
    int r = part_dir_check(part);
    if (r == PART_DIR_E_FOREIGN) {
        log_warn("partition.stale", "partition=%s reason=\"it belongs to another topic id\"",
            part->label);
        r = part_dir_disown(part);
        task->recovery.recovery_point = task->recovery.log_start = 0;
        task->disowned = true;
        r = r < 0 ? r : PART_DIR_E_MISSING;
    }
    if (r == PART_DIR_E_MIXED_UP) {
        log_error("partition.mixed_up",
            "partition=%s reason=\"its partition.metadata was made for another directory\"",
            part->label);
        r = -EUCLEAN;
    }
    task->exists = r != PART_DIR_E_MISSING;
    if (r == PART_DIR_E_UNKNOWN)
        r = part_dir_fill(part);
    if (r == 0)
        r = recovery_run(&task->recovery);
    if (r == 0 && task->exists)
        r = recover_epochs(task);
    if (r == 0 && task->exists)
        task->snapshot_upto = snapshot_find(part->local->env, part->dir, &task->recovery.snapshots,
            task->recovery.log_end, &task->snapshot);
    if (r == 0 && task->exists)
        r = quarantine_load(part->local->env, part->dir, &task->damages, &task->n_damages);
    base->result = r < 0 ? r : 0;
}

/* Whoever compacted it before us: what comes from now on has no gaps. */
static void recover_gaps(struct part *part, int64_t gaps_end)
{
    bool known = gaps_end <= part->log_end;
    bool compacted = part->config.cleanup_compact || part->cleaned_end > 0;
    part->gaps_end = known ? gaps_end : compacted ? part->log_end : 0;
}

static void recover_adopt(struct part *part, struct recover_task *task)
{
    const struct recovery *recovery = &task->recovery;
    struct segment *segment, *next;
    list_for_each_entry_safe (segment, next, &task->recovery.segments, link) {
        list_remove(&segment->link);
        part_add_segment(part, segment);
    }
    if (task->disowned)
        part->cleaned_end = task->recovery.gaps_end = 0;
    part->epochs = task->epochs;
    task->epochs = (struct epochs){.starts = NULL};
    part->dir_exists = task->exists;
    /* Names that the process before this one made may be in the kernel's memory only. */
    part->dir_dirty = task->exists && (recovery->changed || !recovery->clean);
    part->log_start = recovery->log_start;
    part->log_end = part->written_end = recovery->log_end;
    part->durable_end = recovery->durable_end;
    if (part->cleaned_end > part->durable_end)
        part->cleaned_end = part->durable_end;
    part->start_weak = recovery->weak && part->log_start > 0;
    recover_gaps(part, recovery->gaps_end);
    part->sync_wanted = recovery->changed || part->durable_end < part->written_end;
    part->damages = steal(&task->damages);
    part->n_damages = task->n_damages;
    part->snapshot = task->snapshot;
    part->snapshot_upto = task->snapshot_upto;
    part->snapshot_known = true;
    task->snapshot = BUFFER_NULL;
    part_set_phase(part, PART_OWNED);
    if (task->exists)
        part_mark(part);
    part_trim(part);
    part->acquire_pending = true;
    part_complete(part);
    part_sync(part);
}

static void recover_done(struct part_task *base)
{
    struct recover_task *task = container_of(base, struct recover_task, task);
    struct part *part = base->part;
    if (part->phase == PART_OPENING && base->result < 0) {
        part_go_offline(part, base->result, "open");
        part_complete(part);
    } else if (part->phase == PART_OPENING) {
        recover_adopt(part, task);
    }
    struct segment *segment, *next; /* closed meanwhile, or what came after the log failed */
    list_for_each_entry_safe (segment, next, &task->recovery.segments, link) {
        list_remove(&segment->link);
        segment_unref(segment);
    }
    buffer_deinit(&task->snapshot);
    epochs_deinit(&task->epochs);
    free(task->damages);
    free(task);
}

static void part_recover(struct part *part)
{
    struct recover_task *task = xnew(struct recover_task);
    task->snapshot_upto = -1;
    struct local *local = part->local;
    struct checkpoint_mark mark = checkpoint_get(local->checkpoint, part->label);
    bool compacted = part->config.cleanup_compact || mark.cleaned_end > 0;
    task->recovery = (struct recovery){
        .env = local->env,
        .files = local->files,
        .dir = part->dir,
        .label = part->label,
        .owner = part->owner,
        .recovery_point = mark.recovery_point,
        .log_start = mark.log_start,
        .index_interval_size = part->index_interval_size,
        .clean = local->was_clean,
        .gaps_end = mark.gaps_end != INT64_MAX || compacted ? mark.gaps_end : 0,
        .weak = mark.weak,
    };
    part->cleaned_end = mark.cleaned_end;
    list_init(&task->recovery.segments);
    part_task_submit(part, &task->task, false, recover_run, recover_done);
}

static struct part *part_new(struct home *home, const struct part_id *id, const char *label)
{
    struct part *part = xnew(struct part);
    part->local = home->local;
    part->home = home;
    part->id = *id;
    part->owner = checksums_owner(id->topic_id, id->partition);
    part->label = xstrdup(label);
    part->dir = xasprintf("%s/%s", home->local->dir, label);
    list_init(&part->segments);
    list_init(&part->pending);
    list_init(&part->waiting);
    list_init(&part->flushes);
    list_init(&part->answers);
    for (unsigned i = 0; i < PART_OUTCOMES; i++)
        list_init(&part->outcomes[i]);
    part_forget_recent(part);
    return part;
}

static void part_free(struct part *part)
{
    while (!list_empty(&part->segments))
        part_drop_segment(part, part_active(part));
    part_segments_changed(part);
    buffer_deinit(&part->snapshot);
    free(part->damages);
    assert(list_empty(&part->pending) && list_empty(&part->waiting));
    assert(list_empty(&part->flushes) && list_empty(&part->answers) && part->file == NULL);
    home_remove(part->home, part);
    free(part->label);
    free(part->dir);
    epochs_deinit(&part->epochs);
    free(part);
}

struct part *part_open(struct engine *engine, struct loop *loop, const struct part_id *id,
    const char *label, bool fresh, const struct part_config *config, const struct engine_sink *sink,
    void *ctx)
{
    struct local *local = container_of(engine, struct local, engine);
    loop_assert_owner(loop);
    assert(strchr(label, '/') == NULL && label[0] != '\0' && strrchr(label, '-') != NULL);
    struct part *part = part_new(local_home(local, loop), id, label);
    part->sink = sink;
    part->ctx = ctx;
    part->config = *config;
    part->index_interval_size = config->index_interval_size;
    home_add(part->home, part);
    if (fresh)
        checkpoint_remove(local->checkpoint, label);
    struct checkpoint_mark mark = checkpoint_get(local->checkpoint, label);
    bool known = mark.recovery_point > 0 || mark.log_start > 0;
    if (!fresh && (known || map_get(&local->dirs, slice_from_str(label)) != NULL)) {
        part_recover(part);
    } else {
        part_set_phase(part, PART_OWNED);
        part->acquire_pending = true;
        part_complete_soon(part);
    }
    return part;
}

void part_configure(struct part *part, const struct part_config *config)
{
    loop_assert_owner(part->home->loop);
    part->config = *config;
    home_schedule(part->home, part);
}

void part_get_state(struct part *part, struct part_state *ret_state)
{
    loop_assert_owner(part->home->loop);
    *ret_state = (struct part_state){
        .log_start = part->log_start,
        .high_watermark = canary(HIGH_WATERMARK_EARLY) ? part->log_end : part->written_end,
        .log_end = part->log_end,
        .durable_end = part->durable_end,
        .leader_epoch = epochs_last(&part->epochs),
        .owned = part_ready(part) == ENGINE_OK,
        .size = part->size,
    };
}

/* --- close and delete --- */

struct end_task {
    struct part_task task;
    struct segment *active;
    struct index *index;
    unsigned n_dirty;
    struct segment **dirty;
    struct end_sidecar {
        struct segment *segment;
        struct sidecar_wish wish;
    } * sidecars; /* of the dirty ones and the active one */
    unsigned n_sidecars;
};

static int end_write_out(struct part *part, struct end_task *task)
{
    struct env *env = part->local->env;
    int r = 0;
    for (unsigned i = 0; i < task->n_dirty && r >= 0; i++) {
        struct file *file;
        r = segment_open(task->dirty[i], part->dir, &file);
        if (r < 0)
            break;
        r = env->ops->file_sync(env, file->fd);
        file_unref(file);
    }
    if (r >= 0 && task->index != NULL)
        r = index_save(env, part->dir, task->active->base, task->index);
    for (unsigned i = 0; i < task->n_sidecars && r >= 0; i++) {
        struct end_sidecar *it = &task->sidecars[i];
        part_make_sidecar(part, it->segment, &it->wish);
    }
    if (r >= 0)
        r = part_sync_names(part);
    return error_trace(r);
}

struct stray_search {
    struct part *part;
    char *found; /* path */
};

static int stray_on_name(void *ctx, const char *name)
{
    struct stray_search *search = ctx;
    struct part *part = search->part;
    size_t size = strlen(part->label);
    struct uuid id;
    if (strncmp(name, part->label, size) != 0 || name[size] != '.')
        return 0;
    char *path = xasprintf("%s/%s", part->local->dir, name);
    if (part_dir_id(part->local->env, path, &id) == 0 && uuid_equal(id, part->id.topic_id)) {
        search->found = path;
        return 1;
    }
    free(path);
    return 0;
}

/* The successor came first and set the part's directory aside. */
static int end_remove_stray(struct part *part)
{
    struct env *env = part->local->env;
    struct stray_search search = {.part = part};
    int r = env->ops->dir_list(env, part->local->dir, stray_on_name, &search);
    if (search.found != NULL)
        r = local_remove_dir(part->local, search.found);
    free(search.found);
    return r < 0 ? error_trace(r) : 0;
}

/* A topic of the same name may have come meanwhile: what is there is only removed when it is the
 * part's own (or does not say, and the part made it). */
static int end_remove(struct part *part)
{
    _cleanup_(freep) char *doomed = NULL;
    struct local *local = part->local;
    pthread_mutex_lock(&local->names_mutex);
    int r = part_dir_check(part);
    if (r == 0 || (r == PART_DIR_E_UNKNOWN && part->dir_exists)) {
        checkpoint_remove(local->checkpoint, part->label);
        r = local_doom_dir(local, part->dir, &doomed);
    }
    pthread_mutex_unlock(&local->names_mutex);
    if (r < 0)
        return error_trace(r);
    if (doomed == NULL)
        return part->dir_exists ? end_remove_stray(part) : 0;
    return error_trace(local_remove_doomed(local, doomed));
}

static void end_run(struct part_task *base)
{
    struct end_task *task = container_of(base, struct end_task, task);
    struct part *part = base->part;
    if (part->deleting)
        base->result = end_remove(part);
    else if (part->dir_exists && part->error == 0)
        base->result = end_write_out(part, task);
    else
        base->result = part->error;
}

static void end_finish(struct part *part, int result)
{
    struct engine_call *call = part->close_call;
    if (result >= 0 && part->dir_exists && !part->deleting) {
        part->durable_end = part->written_end;
        part_mark(part);
    } else if (result < 0) {
        part->local->close_failed = true;
        log_error("partition.end_failed", "partition=%s during=%s error=\"%s\"", part->label,
            part->deleting ? "delete" : "close", log_errno(-result).str);
    }
    part_free(part);
    if (call != NULL)
        call->done(call, result < 0 ? ENGINE_STORAGE : ENGINE_OK);
}

/* The part goes with its last task, so this one is not counted and ends it. */
static void end_done(struct offload_work *work)
{
    struct end_task *task = container_of(work, struct end_task, task.work);
    struct part *part = task->task.part;
    int result = task->task.result;
    segment_unref(task->active);
    index_unref(task->index);
    for (unsigned i = 0; i < task->n_dirty; i++)
        segment_unref(task->dirty[i]);
    free(task->dirty);
    for (unsigned i = 0; i < task->n_sidecars; i++)
        segment_unref(task->sidecars[i].segment);
    free(task->sidecars);
    free(task);
    end_finish(part, result);
}

static void end_on_run(struct offload_work *work)
{
    struct part_task *task = container_of(work, struct part_task, work);
    end_run(task);
}

static void end_note_sidecar(struct part *part, struct end_task *task, struct segment *segment)
{
    if (segment->size > 0)
        task->sidecars[task->n_sidecars++] =
            (struct end_sidecar){segment_ref(segment), part_sidecar_wish(part, segment)};
}

static void end_start(struct part *part)
{
    struct end_task *task = xnew(struct end_task);
    struct segment *segment;
    task->task.part = part;
    task->dirty = xnew_n(struct segment *, part->n_segments);
    task->sidecars = xnew_n(struct end_sidecar, part->n_segments);
    struct segment *active = part_active(part);
    list_for_each_entry (segment, &part->segments, link) {
        bool dirty = segment->size > segment->synced_size;
        if (dirty)
            task->dirty[task->n_dirty++] = segment_ref(segment);
        if (dirty || segment == active)
            end_note_sidecar(part, task, segment);
    }
    if (active != NULL && part->error == 0) {
        index_seal(active->index);
        task->active = segment_ref(active);
        task->index = index_ref(active->index);
    }
    offload_submit(
        part->local->offload, &task->task.work, part->home->loop, part, end_on_run, end_done);
}

void part_end_step(struct part *part)
{
    if (part->phase != PART_CLOSING || part->ending || part->n_tasks > 0 || part->flush_deferred ||
        part->complete_deferred)
        return;
    part->ending = true;
    if (part->dir_exists || part->deleting)
        end_start(part);
    else
        end_finish(part, part->error);
}

static void part_end(struct part *part, struct engine_call *call, bool deleting)
{
    loop_assert_owner(part->home->loop);
    assert(part->phase != PART_CLOSING);
    part->close_call = call;
    part->deleting = deleting;
    part_clean_cancel(part);
    if (part->phase == PART_REPAIRING) /* the file is not what is believed: recovery has to look */
        part->error = -EIO;
    part_set_phase(part, PART_CLOSING);
    part_sync_forget(part);
    part_settle(part, &part->pending, PART_DONE_NOT_OWNER);
    part->pending_size = 0;
    part_settle(part, &part->waiting, PART_DONE_NOT_OWNER);
    struct engine_call *flush, *next;
    list_for_each_entry_safe (flush, next, &part->flushes, link) {
        list_remove(&flush->link);
        part_answer(part, flush, ENGINE_NOT_OWNER);
    }
    part_complete_soon(part); /* ends it when nothing is under way */
}

void part_close(struct part *part, struct engine_call *call)
{
    part_end(part, call, false);
}

void part_delete(struct part *part, struct engine_call *call)
{
    part_end(part, call, true);
}
