// SPDX-License-Identifier: BSD-2-Clause
/*
 * Kafka's files are text: a version (0), the number of entries, then "topic partition offset" per
 * line. Ours is text, too:
 *
 *   0                                  version
 *   3a5f0c11                           CRC-32C of all that follows, in hexadecimal
 *   -1 1234567 ...                     per file of Kafka's: the CRC-32C that it had before, and
 *                                      has now (-1: there was none)
 *   2                                  number of entries
 *   orders-0 71442 0 0 0 0             label, recovery point, log start, cleaned end, end of the
 *                                      gaps, weak
 *
 * All are replaced atomically, ours first. So each of Kafka's is as ours says, now or before; which
 * one does not matter, for what counts is in ours. A file that is not so was damaged. But when none
 * of them is, somebody else wrote them: Kafka ran on the directory. Then, and where there is no
 * sound file of ours, what Kafka's files say is all there is. It is believed where it does no harm
 * if it is wrong ("weak"): recovery then looks at more than it would have to, and nothing is
 * deleted or given up because of it. A file of theirs that does not parse is passed over.
 *
 * A label that was removed stays in the files until the next write. That is harmless as long as its
 * directory is gone, and wrong once there is a new one: then a stop would apply the old partition's
 * marks to the new one's log. So whoever makes a directory calls checkpoint_forget first; thousands
 * of deletions and creations share one write.
 */
#include "store/checkpoint.h"

#include "base/crc32c.h"
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
#define CHECKPOINT_OWN_FILE      "odradek-checkpoint"

/* Kafka's, in the order in which they are written. */
enum { CHECKPOINT_RECOVERY, CHECKPOINT_START, CHECKPOINT_CLEANER, CHECKPOINT_FILES };
static const struct checkpoint_kind {
    const char *name;
    size_t field_at; /* of struct checkpoint_mark */
} checkpoint_kinds[CHECKPOINT_FILES] = {
    [CHECKPOINT_RECOVERY] = {CHECKPOINT_RECOVERY_FILE,
        offsetof(struct checkpoint_mark, recovery_point)},
    [CHECKPOINT_START] = {CHECKPOINT_START_FILE, offsetof(struct checkpoint_mark, log_start)},
    [CHECKPOINT_CLEANER] = {CHECKPOINT_CLEANER_FILE, offsetof(struct checkpoint_mark, cleaned_end)},
};
#define CHECKPOINT_NO_FILE ((int64_t)-1)

static const struct checkpoint_mark checkpoint_unknown = {.gaps_end = INT64_MAX, .weak = true};

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
    pthread_mutex_t write_mutex;    /* one writer at a time; taken before the other */
    bool has_cleaned;               /* the cleaner's file is there; guarded by write_mutex */
    int64_t crcs[CHECKPOINT_FILES]; /* of Kafka's files as they are; guarded by write_mutex */
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
    entry->mark.gaps_end = INT64_MAX;
    entry->mark.weak = true;
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

/* --- Kafka's files: nothing better is known --- */

static void checkpoint_load_weak(
    struct checkpoint *checkpoint, const struct checkpoint_kind *kind, struct buffer *bytes)
{
    buffer_append(bytes, "", 1);
    if (checkpoint_parse(checkpoint, (char *)bytes->data, kind->field_at))
        return;
    map_for_each (&checkpoint->entries, entry)
        *(int64_t *)((char *)entry->value + kind->field_at) = 0;
    log_warn("checkpoint.ignored",
        "file=%s reason=\"it is damaged; partitions are looked through\"", kind->name);
}

/* --- our file --- */

struct checkpoint_own {
    struct buffer text; /* NUL-terminated */
    char *entries;      /* where the lines of partitions begin */
    uint64_t count;
    int64_t before[CHECKPOINT_FILES], now[CHECKPOINT_FILES];
};

/* Takes the line off the text; NULL at its end. */
static char *own_line(char **text)
{
    char *line = *text, *end = line == NULL ? NULL : strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static bool own_parse_crcs(struct checkpoint_own *own, const char *line)
{
    int64_t *before = own->before, *now = own->now;
    return sscanf(line, "%" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
               &before[0], &now[0], &before[1], &now[1], &before[2],
               &now[2]) == 2 * CHECKPOINT_FILES;
}

/* Whether it is whole. */
static bool own_parse(struct checkpoint_own *own)
{
    char *text = (char *)own->text.data, *end = text + own->text.size - 1;
    const char *version = own_line(&text), *crc = own_line(&text);
    char expected[9];
    if (crc == NULL || strcmp(version, "0") != 0)
        return false;
    snprintf(expected, sizeof(expected), "%08x", crc32c(0, text, (size_t)(end - text)));
    if (strcmp(crc, expected) != 0)
        return false;
    const char *crcs = own_line(&text), *count = own_line(&text);
    if (count == NULL || !own_parse_crcs(own, crcs))
        return false;
    own->count = strtoull(count, NULL, 10);
    own->entries = text;
    return true;
}

/* False when there is none that is whole. */
static bool own_read(struct checkpoint *checkpoint, struct checkpoint_own *own)
{
    _cleanup_(freep) char *path = xasprintf("%s/" CHECKPOINT_OWN_FILE, checkpoint->dir);
    int r = small_file_read(checkpoint->env, path, CHECKPOINT_SIZE_MAX, &own->text);
    if (r == -ENOENT)
        return false;
    buffer_append(&own->text, "", 1);
    if (r == 0 && own_parse(own))
        return true;
    log_warn("checkpoint.ignored", "file=" CHECKPOINT_OWN_FILE " reason=\"it is damaged\"");
    return false;
}

static bool own_knows(const struct checkpoint_own *own, int64_t crc)
{
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++) {
        if (crc == own->before[i] || crc == own->now[i])
            return true;
    }
    return false;
}

static bool own_adopt(struct checkpoint *checkpoint, struct checkpoint_own *own)
{
    char *text = own->entries;
    for (uint64_t i = 0; i < own->count; i++) {
        struct checkpoint_mark mark = {0};
        int at = 0, weak = 0;
        char *line = own_line(&text), *space = line == NULL ? NULL : strchr(line, ' ');
        if (space == NULL ||
            sscanf(space, " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %d%n",
                &mark.recovery_point, &mark.log_start, &mark.cleaned_end, &mark.gaps_end, &weak,
                &at) != 5 ||
            mark.recovery_point < 0 || mark.log_start < 0 || mark.cleaned_end < 0)
            return false;
        mark.weak = weak != 0;
        checkpoint_entry(checkpoint, slice_make(line, (size_t)(space - line)))->mark = mark;
    }
    return true;
}

/* --- start --- */

/* Whether ours counts: unless somebody else wrote the others. (Not that of the cleaner, which Kafka
 * writes only when it has compacted.) */
static bool checkpoint_ours(const struct checkpoint *checkpoint, const struct checkpoint_own *own)
{
    bool any = false;
    for (unsigned i = 0; i < CHECKPOINT_CLEANER; i++) {
        if (checkpoint->crcs[i] == CHECKPOINT_NO_FILE)
            continue;
        if (own_knows(own, checkpoint->crcs[i]))
            return true;
        any = true;
    }
    return !any;
}

/* What is not as it should be is written anew. If that was Kafka after all, and not damage, it may
 * have compacted. */
static void checkpoint_compare(struct checkpoint *checkpoint, const struct checkpoint_own *own)
{
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++) {
        if (checkpoint->crcs[i] == own->now[i])
            continue;
        checkpoint->dirty = true;
        if (checkpoint->crcs[i] == own->before[i])
            continue;
        log_warn("checkpoint.ignored",
            "file=%s reason=\"it is damaged; " CHECKPOINT_OWN_FILE " has it all\"",
            checkpoint_kinds[i].name);
        map_for_each (&checkpoint->entries, item) {
            struct checkpoint_entry *entry = item->value;
            entry->mark.gaps_end = INT64_MAX;
            /* Or ours is the old one. */
            entry->mark.weak = entry->mark.weak || i != CHECKPOINT_CLEANER;
        }
    }
}

static void checkpoint_load(struct checkpoint *checkpoint)
{
    struct buffer files[CHECKPOINT_FILES] = {BUFFER_NULL, BUFFER_NULL, BUFFER_NULL};
    struct checkpoint_own own = {.text = BUFFER_NULL};
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++) {
        _cleanup_(freep) char *path = xasprintf("%s/%s", checkpoint->dir, checkpoint_kinds[i].name);
        int r = small_file_read(checkpoint->env, path, CHECKPOINT_SIZE_MAX, &files[i]);
        checkpoint->crcs[i] =
            r == -ENOENT ? CHECKPOINT_NO_FILE : (int64_t)crc32c(0, files[i].data, files[i].size);
    }
    checkpoint->has_cleaned = checkpoint->crcs[CHECKPOINT_CLEANER] != CHECKPOINT_NO_FILE;
    if (own_read(checkpoint, &own) && checkpoint_ours(checkpoint, &own) &&
        own_adopt(checkpoint, &own)) {
        checkpoint_compare(checkpoint, &own);
    } else {
        for (unsigned i = 0; i < CHECKPOINT_FILES; i++) {
            if (checkpoint->crcs[i] == CHECKPOINT_NO_FILE)
                continue;
            checkpoint_load_weak(checkpoint, &checkpoint_kinds[i], &files[i]);
            checkpoint->dirty = true;
        }
    }
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++)
        buffer_deinit(&files[i]);
    buffer_deinit(&own.text);
}

struct checkpoint *checkpoint_new(struct env *env, const char *dir)
{
    struct checkpoint *checkpoint = xnew(struct checkpoint);
    checkpoint->env = env;
    checkpoint->dir = xstrdup(dir);
    pthread_mutex_init(&checkpoint->mutex, NULL);
    pthread_mutex_init(&checkpoint->write_mutex, NULL);
    checkpoint_load(checkpoint);
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
    struct checkpoint_mark mark = entry == NULL ? checkpoint_unknown : entry->mark;
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

/* With the mutex held: the lines of our file behind the checksums of the others. */
static void checkpoint_print_own(struct checkpoint *checkpoint, struct buffer *ret_bytes)
{
    buffer_printf(ret_bytes, "%zu\n", checkpoint->entries.count);
    map_for_each (&checkpoint->entries, item) {
        const struct checkpoint_entry *entry = item->value;
        const struct checkpoint_mark *mark = &entry->mark;
        buffer_printf(ret_bytes, "%s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d\n",
            entry->label, mark->recovery_point, mark->log_start, mark->cleaned_end, mark->gaps_end,
            mark->weak);
    }
}

static int checkpoint_write_file(
    struct checkpoint *checkpoint, const char *name, const struct buffer *bytes)
{
    _cleanup_(freep) char *path = xasprintf("%s/%s", checkpoint->dir, name);
    return error_trace(small_file_write(checkpoint->env, path, buffer_slice(bytes)));
}

/* With the write mutex held. `files`: what Kafka's are about to be; NULL: it stays as it is. */
static int checkpoint_write_own(struct checkpoint *checkpoint, const struct buffer *lines,
    const struct buffer *const files[CHECKPOINT_FILES])
{
    _cleanup_(buffer_deinit) struct buffer rest = BUFFER_NULL, text = BUFFER_NULL;
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++) {
        int64_t before = checkpoint->crcs[i];
        int64_t now =
            files[i] == NULL ? before : (int64_t)crc32c(0, files[i]->data, files[i]->size);
        buffer_printf(
            &rest, "%" PRId64 " %" PRId64 "%c", before, now, i + 1 < CHECKPOINT_FILES ? ' ' : '\n');
    }
    buffer_append_slice(&rest, buffer_slice(lines));
    buffer_printf(&text, "0\n%08x\n", crc32c(0, rest.data, rest.size));
    buffer_append_slice(&text, buffer_slice(&rest));
    return checkpoint_write_file(checkpoint, CHECKPOINT_OWN_FILE, &text);
}

static int checkpoint_write_all(struct checkpoint *checkpoint, const struct buffer *lines,
    const struct buffer *const files[CHECKPOINT_FILES])
{
    int r = checkpoint_write_own(checkpoint, lines, files);
    for (unsigned i = 0; i < CHECKPOINT_FILES && r == 0; i++) {
        if (files[i] == NULL)
            continue;
        r = checkpoint_write_file(checkpoint, checkpoint_kinds[i].name, files[i]);
        if (r == 0)
            checkpoint->crcs[i] = (int64_t)crc32c(0, files[i]->data, files[i]->size);
    }
    return r;
}

int checkpoint_write(struct checkpoint *checkpoint)
{
    struct buffer texts[CHECKPOINT_FILES] = {BUFFER_NULL, BUFFER_NULL, BUFFER_NULL};
    _cleanup_(buffer_deinit) struct buffer lines = BUFFER_NULL;
    pthread_mutex_lock(&checkpoint->write_mutex);
    pthread_mutex_lock(&checkpoint->mutex);
    if (!checkpoint->dirty) { /* the writer before this one took it along */
        pthread_mutex_unlock(&checkpoint->mutex);
        pthread_mutex_unlock(&checkpoint->write_mutex);
        return 0;
    }
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++)
        checkpoint_print(
            checkpoint, checkpoint_kinds[i].field_at, i != CHECKPOINT_CLEANER, &texts[i]);
    checkpoint_print_own(checkpoint, &lines);
    checkpoint->dirty = false;
    uint64_t generation = ++checkpoint->generation;
    pthread_mutex_unlock(&checkpoint->mutex);
    checkpoint->has_cleaned =
        checkpoint->has_cleaned || texts[CHECKPOINT_CLEANER].size > sizeof("0\n0\n") - 1;
    const struct buffer *const files[CHECKPOINT_FILES] = {&texts[CHECKPOINT_RECOVERY],
        &texts[CHECKPOINT_START], checkpoint->has_cleaned ? &texts[CHECKPOINT_CLEANER] : NULL};
    int r = checkpoint_write_all(checkpoint, &lines, files);
    pthread_mutex_lock(&checkpoint->mutex);
    if (r < 0)
        checkpoint->dirty = true;
    else
        checkpoint_bury(checkpoint, generation);
    pthread_mutex_unlock(&checkpoint->mutex);
    pthread_mutex_unlock(&checkpoint->write_mutex);
    for (unsigned i = 0; i < CHECKPOINT_FILES; i++)
        buffer_deinit(&texts[i]);
    return r;
}
