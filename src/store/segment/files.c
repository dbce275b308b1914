// SPDX-License-Identifier: BSD-2-Clause
#include "store/segment/files.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>

#define FILES_GIVEN_UP 16 /* when an open fails for want of descriptors */

struct files {
    struct env *env;
    unsigned open_max;
    pthread_mutex_t mutex;
    unsigned n_open;
    struct list_link lru; /* of slots; the most recently used comes last */
};

static void file_free(struct ref *ref)
{
    struct file *file = container_of(ref, struct file, ref);
    file->env->ops->file_close(file->env, file->fd);
    free(file);
}

struct file *file_new(struct env *env, int take_fd)
{
    assert(take_fd >= 0);
    struct file *file = xnew(struct file);
    ref_init(&file->ref, file_free);
    file->env = env;
    file->fd = take_fd;
    return file;
}

void file_unref(struct file *file)
{
    if (file != NULL)
        ref_put(&file->ref);
}

struct files *files_new(struct env *env, unsigned open_max)
{
    assert(open_max > 0);
    struct files *files = xnew(struct files);
    files->env = env;
    files->open_max = open_max;
    pthread_mutex_init(&files->mutex, NULL);
    list_init(&files->lru);
    return files;
}

void files_free(struct files *files)
{
    if (files == NULL)
        return;
    assert(list_empty(&files->lru));
    pthread_mutex_destroy(&files->mutex);
    free(files);
}

struct file *files_get(struct files *files, struct files_slot *slot)
{
    struct file *file = NULL;
    pthread_mutex_lock(&files->mutex);
    if (slot->file != NULL) {
        file = file_ref(slot->file);
        list_remove(&slot->link);
        list_append(&files->lru, &slot->link);
    }
    pthread_mutex_unlock(&files->mutex);
    return file;
}

/* With the mutex held: the slot is closed; its reference is the caller's to give back. */
static struct file *files_take(struct files *files, struct files_slot *slot)
{
    struct file *file = steal(&slot->file);
    assert(file != NULL && files->n_open > 0);
    list_remove(&slot->link);
    files->n_open--;
    return file;
}

/* Fills the slot unless somebody was faster. Returns a reference; *ret_retired must be given back
 * outside of the mutex, because closing may take its time. */
static struct file *files_fill(
    struct files *files, struct files_slot *slot, struct file *take_file, struct file **ret_retired)
{
    if (slot->file != NULL) {
        *ret_retired = take_file;
        return file_ref(slot->file);
    }
    *ret_retired = NULL;
    if (files->n_open >= files->open_max)
        *ret_retired =
            files_take(files, list_entry(list_first(&files->lru), struct files_slot, link));
    slot->file = take_file;
    list_append(&files->lru, &slot->link);
    files->n_open++;
    return file_ref(take_file);
}

/* Descriptors ran out elsewhere in the process (or the machine): a part of those kept here goes. */
static bool files_give_up(struct files *files)
{
    struct file *given[FILES_GIVEN_UP];
    unsigned count = 0;
    pthread_mutex_lock(&files->mutex);
    while (count < FILES_GIVEN_UP && !list_empty(&files->lru))
        given[count++] =
            files_take(files, list_entry(list_first(&files->lru), struct files_slot, link));
    pthread_mutex_unlock(&files->mutex);
    for (unsigned i = 0; i < count; i++)
        file_unref(given[i]);
    return count > 0;
}

int files_open(struct files *files, struct files_slot *slot, const char *path, unsigned flags,
    struct file **ret_file)
{
    struct file *file = files_get(files, slot), *retired;
    if (file != NULL) {
        *ret_file = file;
        return 0;
    }
    int fd = files->env->ops->file_open(files->env, path, flags);
    if ((fd == -EMFILE || fd == -ENFILE) && files_give_up(files))
        fd = files->env->ops->file_open(files->env, path, flags);
    if (fd < 0)
        return error_trace(fd);
    file = file_new(files->env, fd);
    pthread_mutex_lock(&files->mutex);
    *ret_file = files_fill(files, slot, file, &retired);
    pthread_mutex_unlock(&files->mutex);
    file_unref(retired);
    return 0;
}

void files_close(struct files *files, struct files_slot *slot)
{
    struct file *file = NULL;
    pthread_mutex_lock(&files->mutex);
    if (slot->file != NULL)
        file = files_take(files, slot);
    pthread_mutex_unlock(&files->mutex);
    file_unref(file);
}

unsigned files_open_count(struct files *files)
{
    pthread_mutex_lock(&files->mutex);
    unsigned n_open = files->n_open;
    pthread_mutex_unlock(&files->mutex);
    return n_open;
}
