// SPDX-License-Identifier: BSD-2-Clause
/*
 * The files are text: a version (0), the number of entries, then "topic partition offset" per
 * line. They are replaced atomically, so they are whole or old. One that does not parse is ignored
 * with a warning: recovery then looks at more than it would have to.
 *
 * A label that was removed stays in the files until the next write. That is harmless as long as its
 * directory is gone, and wrong once there is a new one: then a stop would apply the old partition's
 * marks to the new one's log. So whoever makes a directory calls checkpoint_forget first; thousands
 * of deletions and creations share one write.
 */
#include "store/checkpoint.h"

#include "base/error.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/small_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#define CHECKPOINT_SIZE_MAX      (256U << 20) /* bytes of one file */
#define CHECKPOINT_RECOVERY_FILE "recovery-point-offset-checkpoint"
#define CHECKPOINT_START_FILE    "log-start-offset-checkpoint"
#define CHECKPOINT_CLEANER_FILE  "cleaner-offset-checkpoint"

struct checkpoint_entry {
    struct checkpoint_mark mark;
    char label[];
};

/* A label that was removed, but that the files may still know. */
struct checkpoint_ghost {
    uint64_t generation; /* a write that began later does not have it any more */
    char label[];
};

struct checkpoint {
    struct env *env;
    char *dir;
    pthread_mutex_t mutex; /* guards what follows */
    struct map entries;    /* label -> struct checkpoint_entry */
    struct map ghosts;     /* label -> struct checkpoint_ghost */
    uint64_t generation;   /* of the table; grows with each write */
    bool dirty;
    pthread_mutex_t write_mutex; /* one writer at a time; taken before the other */
    bool has_cleaned;            /* the cleaner's file is there; guarded by write_mutex */
};

static struct checkpoint_entry *checkpoint_entry(struct checkpoint *checkpoint, struct slice label)
{
    struct checkpoint_entry *entry = map_get(&checkpoint->entries, label);
    if (entry == NULL) {
        entry = xcalloc(1, sizeof(*entry) + label.size + 1);
        memcpy(entry->label, label.data, label.size);
        map_put(&checkpoint->entries, slice_make(entry->label, label.size), entry);
    }
    return entry;
}

/* "topic partition offset" of one line; false when it is something else. */
static bool checkpoint_parse_line(struct checkpoint *checkpoint, char *line, size_t field_at)
{
    char *offset_at = strrchr(line, ' ');
    if (offset_at == NULL)
        return false;
    *offset_at++ = '\0';
    char *partition_at = strrchr(line, ' ');
    if (partition_at == NULL || partition_at == line)
        return false;
    *partition_at = '-';
    char *end;
    errno = 0;
    long long offset = strtoll(offset_at, &end, 10);
    if (errno != 0 || end == offset_at || *end != '\0' || offset < 0)
        return false;
    struct checkpoint_entry *entry = checkpoint_entry(checkpoint, slice_from_str(line));
    *(int64_t *)((char *)&entry->mark + field_at) = offset;
    return true;
}

static bool checkpoint_parse(struct checkpoint *checkpoint, char *text, size_t field_at)
{
    char *rest = NULL;
    char *version = strtok_r(text, "\n", &rest);
    char *count = version == NULL ? NULL : strtok_r(NULL, "\n", &rest);
    if (count == NULL || strcmp(version, "0") != 0)
        return false;
    unsigned long long expected = strtoull(count, NULL, 10), seen = 0;
    for (char *line = strtok_r(NULL, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest), seen++) {
        if (!checkpoint_parse_line(checkpoint, line, field_at))
            return false;
    }
    return seen == expected;
}

/* False: there is no such file. */
static bool checkpoint_load(struct checkpoint *checkpoint, const char *name, size_t field_at)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s", checkpoint->dir, name);
    _cleanup_(buffer_deinit) struct buffer bytes = BUFFER_NULL;
    int r = small_file_read(checkpoint->env, path, CHECKPOINT_SIZE_MAX, &bytes);
    if (r == -ENOENT)
        return false;
    buffer_append(&bytes, "", 1);
    if (r != 0 || !checkpoint_parse(checkpoint, (char *)bytes.data, field_at)) {
        map_for_each (&checkpoint->entries, entry)
            *(int64_t *)((char *)entry->value + field_at) = 0;
        log_warn("checkpoint.ignored",
            "file=%s reason=\"it is damaged; partitions are looked through\"", path);
    }
    return true;
}

struct checkpoint *checkpoint_new(struct env *env, const char *dir)
{
    struct checkpoint *checkpoint = xnew(struct checkpoint);
    checkpoint->env = env;
    checkpoint->dir = xstrdup(dir);
    pthread_mutex_init(&checkpoint->mutex, NULL);
    pthread_mutex_init(&checkpoint->write_mutex, NULL);
    checkpoint_load(
        checkpoint, CHECKPOINT_RECOVERY_FILE, offsetof(struct checkpoint_mark, recovery_point));
    checkpoint_load(checkpoint, CHECKPOINT_START_FILE, offsetof(struct checkpoint_mark, log_start));
    checkpoint->has_cleaned = checkpoint_load(
        checkpoint, CHECKPOINT_CLEANER_FILE, offsetof(struct checkpoint_mark, cleaned_end));
    return checkpoint;
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (checkpoint == NULL)
        return;
    map_for_each (&checkpoint->entries, entry)
        free(entry->value);
    map_deinit(&checkpoint->entries);
    map_for_each (&checkpoint->ghosts, entry)
        free(entry->value);
    map_deinit(&checkpoint->ghosts);
    pthread_mutex_destroy(&checkpoint->mutex);
    pthread_mutex_destroy(&checkpoint->write_mutex);
    free(checkpoint->dir);
    free(checkpoint);
}

struct checkpoint_mark checkpoint_get(struct checkpoint *checkpoint, const char *label)
{
    pthread_mutex_lock(&checkpoint->mutex);
    struct checkpoint_entry *entry = map_get(&checkpoint->entries, slice_from_str(label));
    struct checkpoint_mark mark = entry == NULL ? (struct checkpoint_mark){0, 0, 0} : entry->mark;
    pthread_mutex_unlock(&checkpoint->mutex);
    return mark;
}

void checkpoint_set(
    struct checkpoint *checkpoint, const char *label, const struct checkpoint_mark *mark)
{
    assert(mark->recovery_point >= 0 && mark->log_start >= 0 && mark->cleaned_end >= 0);
    pthread_mutex_lock(&checkpoint->mutex);
    checkpoint_entry(checkpoint, slice_from_str(label))->mark = *mark;
    checkpoint->dirty = true;
    pthread_mutex_unlock(&checkpoint->mutex);
}

/* With the mutex held. */
static void checkpoint_haunt(struct checkpoint *checkpoint, const char *label)
{
    struct checkpoint_ghost *ghost = map_get(&checkpoint->ghosts, slice_from_str(label));
    if (ghost == NULL) {
        size_t size = strlen(label);
        ghost = xcalloc(1, sizeof(*ghost) + size + 1);
        memcpy(ghost->label, label, size);
        map_put(&checkpoint->ghosts, slice_make(ghost->label, size), ghost);
    }
    ghost->generation = checkpoint->generation;
    checkpoint->dirty = true;
}

/* With the mutex held: a write that began with this generation is on the medium. */
static void checkpoint_bury(struct checkpoint *checkpoint, uint64_t generation)
{
    struct map left = MAP_NULL;
    if (checkpoint->ghosts.count == 0)
        return;
    map_for_each (&checkpoint->ghosts, item) {
        struct checkpoint_ghost *ghost = item->value;
        if (ghost->generation >= generation)
            map_put(&left, slice_from_str(ghost->label), ghost);
        else
            free(ghost);
    }
    map_deinit(&checkpoint->ghosts);
    checkpoint->ghosts = left;
}

void checkpoint_remove(struct checkpoint *checkpoint, const char *label)
{
    pthread_mutex_lock(&checkpoint->mutex);
    struct checkpoint_entry *entry = map_remove(&checkpoint->entries, slice_from_str(label));
    if (entry != NULL)
        checkpoint_haunt(checkpoint, label);
    pthread_mutex_unlock(&checkpoint->mutex);
    free(entry);
}

int checkpoint_forget(struct checkpoint *checkpoint, const char *label)
{
    pthread_mutex_lock(&checkpoint->mutex);
    bool known = map_get(&checkpoint->ghosts, slice_from_str(label)) != NULL;
    pthread_mutex_unlock(&checkpoint->mutex);
    return known ? checkpoint_write(checkpoint) : 0;
}

void checkpoint_filter(
    struct checkpoint *checkpoint, bool (*keep)(void *ctx, const char *label), void *ctx)
{
    struct map kept = MAP_NULL;
    pthread_mutex_lock(&checkpoint->mutex);
    map_for_each (&checkpoint->entries, item) {
        struct checkpoint_entry *entry = item->value;
        if (keep(ctx, entry->label)) {
            map_put(&kept, slice_from_str(entry->label), entry);
        } else {
            checkpoint_haunt(checkpoint, entry->label);
            free(entry);
        }
    }
    map_deinit(&checkpoint->entries);
    checkpoint->entries = kept;
    pthread_mutex_unlock(&checkpoint->mutex);
}

bool checkpoint_dirty(struct checkpoint *checkpoint)
{
    pthread_mutex_lock(&checkpoint->mutex);
    bool dirty = checkpoint->dirty;
    pthread_mutex_unlock(&checkpoint->mutex);
    return dirty;
}

/* With the mutex held. `zeros`: entries that say nothing are listed, too. */
static void checkpoint_print(
    struct checkpoint *checkpoint, size_t field_at, bool zeros, struct buffer *ret_bytes)
{
    _cleanup_(buffer_deinit) struct buffer lines = BUFFER_NULL;
    size_t count = 0;
    map_for_each (&checkpoint->entries, item) {
        const struct checkpoint_entry *entry = item->value;
        int64_t offset = *(const int64_t *)((const char *)&entry->mark + field_at);
        const char *dash = strrchr(entry->label, '-');
        assert(dash != NULL);
        if (!zeros && offset == 0)
            continue;
        buffer_printf(&lines, "%.*s %s %" PRId64 "\n", (int)(dash - entry->label), entry->label,
            dash + 1, offset);
        count++;
    }
    buffer_printf(ret_bytes, "0\n%zu\n", count);
    buffer_append_slice(ret_bytes, buffer_slice(&lines));
}

static int checkpoint_write_file(
    struct checkpoint *checkpoint, const char *name, const struct buffer *bytes)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s", checkpoint->dir, name);
    return error_trace(small_file_write(checkpoint->env, path, buffer_slice(bytes)));
}

int checkpoint_write(struct checkpoint *checkpoint)
{
    _cleanup_(buffer_deinit) struct buffer points = BUFFER_NULL, starts = BUFFER_NULL;
    _cleanup_(buffer_deinit) struct buffer cleaned = BUFFER_NULL;
    pthread_mutex_lock(&checkpoint->write_mutex);
    pthread_mutex_lock(&checkpoint->mutex);
    if (!checkpoint->dirty) { /* the writer before this one took it along */
        pthread_mutex_unlock(&checkpoint->mutex);
        pthread_mutex_unlock(&checkpoint->write_mutex);
        return 0;
    }
    checkpoint_print(checkpoint, offsetof(struct checkpoint_mark, recovery_point), true, &points);
    checkpoint_print(checkpoint, offsetof(struct checkpoint_mark, log_start), true, &starts);
    checkpoint_print(checkpoint, offsetof(struct checkpoint_mark, cleaned_end), false, &cleaned);
    checkpoint->dirty = false;
    uint64_t generation = ++checkpoint->generation;
    pthread_mutex_unlock(&checkpoint->mutex);
    int r = checkpoint_write_file(checkpoint, CHECKPOINT_RECOVERY_FILE, &points);
    if (r == 0)
        r = checkpoint_write_file(checkpoint, CHECKPOINT_START_FILE, &starts);
    if (r == 0 && (checkpoint->has_cleaned || cleaned.size > sizeof("0\n0\n") - 1)) {
        checkpoint->has_cleaned = true;
        r = checkpoint_write_file(checkpoint, CHECKPOINT_CLEANER_FILE, &cleaned);
    }
    pthread_mutex_lock(&checkpoint->mutex);
    if (r < 0)
        checkpoint->dirty = true;
    else
        checkpoint_bury(checkpoint, generation);
    pthread_mutex_unlock(&checkpoint->mutex);
    pthread_mutex_unlock(&checkpoint->write_mutex);
    return r;
}
