// SPDX-License-Identifier: BSD-2-Clause
/*
 * The file is text: a version (0), the number of entries, then "epoch offset" per line, both
 * ascending. One that is anything else is damaged as a whole: the caller learns the epochs from the
 * batches then.
 */
#include "store/part/epochs.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/small_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#define EPOCHS_FILE     "leader-epoch-checkpoint"
#define EPOCHS_SIZE_MAX ((size_t)1 << 20)

void epochs_deinit(struct epochs *epochs)
{
    free(epochs->starts);
    *epochs = (struct epochs){.starts = NULL};
}

static bool epochs_rises(const struct epochs *epochs, int32_t epoch, int64_t offset)
{
    if (epochs->count == 0)
        return true;
    const struct epoch_start *last = &epochs->starts[epochs->count - 1];
    return epoch > last->epoch && offset >= last->offset;
}

void epochs_add(struct epochs *epochs, int32_t epoch, int64_t offset)
{
    assert(epoch >= 0 && offset >= 0);
    if (!epochs_rises(epochs, epoch, offset))
        return;
    if (epochs->count == EPOCHS_COUNT_MAX)
        memmove(epochs->starts, epochs->starts + 1, --epochs->count * sizeof(*epochs->starts));
    epochs->starts = xrealloc(epochs->starts, (epochs->count + 1) * sizeof(*epochs->starts));
    epochs->starts[epochs->count++] = (struct epoch_start){epoch, offset};
}

/* Takes a number and the one character behind it off the text. */
static bool epochs_take(const char **text, char behind, int64_t max, int64_t *ret_number)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *ret_number = strtoll(*text, &end, 10);
    if (errno != 0 || *end != behind || *ret_number > max)
        return false;
    *text = end + 1;
    return true;
}

/* `end`: where a zero byte stands. */
static bool epochs_parse(struct epochs *epochs, const char *text, const char *end)
{
    int64_t version, count, epoch, offset;
    if (!epochs_take(&text, '\n', 0, &version) || !epochs_take(&text, '\n', INT32_MAX, &count))
        return false;
    for (int64_t i = 0; i < count; i++) {
        if (!epochs_take(&text, ' ', INT32_MAX, &epoch) ||
            !epochs_take(&text, '\n', INT64_MAX, &offset) ||
            !epochs_rises(epochs, (int32_t)epoch, offset))
            return false;
        epochs_add(epochs, (int32_t)epoch, offset);
    }
    return text == end;
}

int epochs_read(struct epochs *epochs, struct env *env, const char *dir)
{
    _cleanup_(freep) char *path = xasprintf("%s/" EPOCHS_FILE, dir);
    _cleanup_(buffer_deinit) struct buffer text = BUFFER_NULL;
    epochs_deinit(epochs);
    int r = small_file_read(env, path, EPOCHS_SIZE_MAX, &text);
    if (r == -ENOENT || r == SMALL_FILE_E_TOO_LARGE)
        return EPOCHS_E_BAD;
    if (r < 0)
        return error_trace(r);
    buffer_append(&text, "", 1);
    if (epochs_parse(epochs, (const char *)text.data, (const char *)text.data + text.size - 1))
        return 0;
    epochs_deinit(epochs);
    return EPOCHS_E_BAD;
}

static void epochs_print(const struct epochs *epochs, struct buffer *text)
{
    buffer_printf(text, "0\n%u\n", epochs->count);
    for (unsigned i = 0; i < epochs->count; i++)
        buffer_printf(
            text, "%" PRId32 " %" PRId64 "\n", epochs->starts[i].epoch, epochs->starts[i].offset);
}

int epochs_write(const struct epochs *epochs, struct env *env, const char *dir)
{
    _cleanup_(freep) char *path = xasprintf("%s/" EPOCHS_FILE, dir);
    _cleanup_(buffer_deinit) struct buffer text = BUFFER_NULL;
    epochs_print(epochs, &text);
    return error_trace(small_file_write_unsynced(env, path, buffer_slice(&text)));
}

int epochs_store(const struct epochs *epochs, struct env *env, const char *dir)
{
    _cleanup_(freep) char *path = xasprintf("%s/" EPOCHS_FILE, dir);
    _cleanup_(buffer_deinit) struct buffer text = BUFFER_NULL;
    epochs_print(epochs, &text);
    return error_trace(small_file_write(env, path, buffer_slice(&text)));
}

void epochs_copy(struct epochs *epochs, const struct epochs *from)
{
    *epochs = (struct epochs){.starts = NULL};
    for (unsigned i = 0; i < from->count; i++)
        epochs_add(epochs, from->starts[i].epoch, from->starts[i].offset);
}

bool epochs_cut(struct epochs *epochs, int64_t log_end)
{
    bool changed = false;
    for (unsigned i = epochs->count; i-- > 0 && epochs->starts[i].offset > log_end;) {
        epochs->starts[i].offset = log_end;
        changed = true;
    }
    return changed;
}

int32_t epochs_last(const struct epochs *epochs)
{
    return epochs->count == 0 ? 0 : epochs->starts[epochs->count - 1].epoch;
}

bool epochs_end(const struct epochs *epochs, int32_t epoch, int64_t log_end, int32_t *ret_epoch,
    int64_t *ret_offset)
{
    if (epoch >= epochs_last(epochs)) {
        *ret_epoch = epochs_last(epochs);
        *ret_offset = log_end;
        return true;
    }
    for (unsigned i = epochs->count; i-- > 1;) {
        if (epochs->starts[i - 1].epoch > epoch)
            continue;
        *ret_epoch = epochs->starts[i - 1].epoch;
        *ret_offset = epochs->starts[i].offset < log_end ? epochs->starts[i].offset : log_end;
        return true;
    }
    return false;
}
