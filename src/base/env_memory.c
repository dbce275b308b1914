// SPDX-License-Identifier: BSD-2-Clause
/*
 * An env whose files live in memory and end with it: --ephemeral. Clocks, randomness and sockets
 * are those of the env below. Names are a table under one mutex.
 *
 * A log (`*.log`) is a memfd, because sendfile wants a real descriptor: each open is a duplicate of
 * the table's one, so an unlinked log lives on until the last of them is closed, as on a disk. All
 * other files are small and live in buffers behind descriptors of this env's own (from
 * MEMORY_FD_BASE on), so that a partition costs one descriptor and not four.
 *
 * Nothing here can be synced, and nothing has to be: these calls succeed at once.
 */
#include "base/buffer.h"
#include "base/env.h"
#include "base/error.h"
#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_FD_BASE  (1 << 30)
#define MEMORY_OPEN_MAX 65536 /* small files open at a time */

struct node {
    char *path;
    bool is_dir;
    int memfd; /* -1: not a log */
    struct buffer bytes;
    int64_t mtime_ms;
    unsigned n_refs; /* the name, and each open descriptor */
};

struct memory_env {
    struct env env;
    struct env *base;
    pthread_mutex_t mutex;
    struct map nodes;     /* path -> struct node */
    struct node **opened; /* by descriptor - MEMORY_FD_BASE; NULL: free */
    size_t opened_count;
};

static struct memory_env *memory_of(struct env *env)
{
    return container_of(env, struct memory_env, env);
}

/* --- nodes; the mutex is held --- */

static void node_unref(struct node *node)
{
    assert(node->n_refs > 0);
    if (--node->n_refs > 0)
        return;
    if (node->memfd >= 0)
        close(node->memfd);
    buffer_deinit(&node->bytes);
    free(node->path);
    free(node);
}

static struct node *node_get(struct memory_env *memory, const char *path)
{
    return map_get(&memory->nodes, slice_from_str(path));
}

static void node_put(struct memory_env *memory, struct node *node, char *take_path)
{
    free(node->path);
    node->path = take_path;
    struct node *before = map_put(&memory->nodes, slice_from_str(node->path), node);
    assert(before == NULL);
}

static void node_remove(struct memory_env *memory, struct node *node)
{
    map_remove(&memory->nodes, slice_from_str(node->path));
    node_unref(node);
}

static bool node_parent_exists(struct memory_env *memory, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return true;
    const struct node *parent = map_get(&memory->nodes, slice_make(path, (size_t)(slash - path)));
    return parent != NULL && parent->is_dir;
}

/* What lies in the directory, at any depth; "" when it does not. */
static const char *path_below(const char *path, const char *dir)
{
    size_t size = strlen(dir);
    return strncmp(path, dir, size) == 0 && path[size] == '/' ? path + size + 1 : "";
}

static int node_new(
    struct memory_env *memory, const char *path, bool is_dir, struct node **ret_node)
{
    size_t size = strlen(path);
    if (!node_parent_exists(memory, path))
        return -ENOENT;
    int memfd = -1;
    if (!is_dir && size > 4 && strcmp(path + size - 4, ".log") == 0) {
        memfd = memfd_create("log", MFD_CLOEXEC);
        if (memfd < 0)
            return error_errno();
    }
    struct node *node = xnew(struct node);
    node->is_dir = is_dir;
    node->memfd = memfd;
    node->n_refs = 1;
    node->mtime_ms = memory->base->ops->real_ms(memory->base);
    node_put(memory, node, xstrdup(path));
    *ret_node = node;
    return 0;
}

/* --- descriptors; the mutex is held --- */

static int fd_new(struct memory_env *memory, struct node *node)
{
    if (node->memfd >= 0) {
        int fd = fcntl(node->memfd, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? error_errno() : fd;
    }
    size_t at = 0;
    while (at < memory->opened_count && memory->opened[at] != NULL)
        at++;
    if (at == MEMORY_OPEN_MAX)
        return -EMFILE;
    if (at == memory->opened_count) {
        size_t count = memory->opened_count == 0 ? 16 : memory->opened_count * 2;
        memory->opened = xrealloc(memory->opened, count * sizeof(struct node *));
        memset(memory->opened + at, 0, (count - at) * sizeof(struct node *));
        memory->opened_count = count;
    }
    memory->opened[at] = node;
    node->n_refs++;
    return MEMORY_FD_BASE + (int)at;
}

static struct node *fd_node(struct memory_env *memory, int fd)
{
    size_t at = (size_t)(fd - MEMORY_FD_BASE);
    assert(at < memory->opened_count && memory->opened[at] != NULL);
    return memory->opened[at];
}

/* --- clocks, randomness --- */

static int64_t memory_monotonic_ns(struct env *env)
{
    struct env *base = memory_of(env)->base;
    return base->ops->monotonic_ns(base);
}

static int64_t memory_real_ms(struct env *env)
{
    struct env *base = memory_of(env)->base;
    return base->ops->real_ms(base);
}

static void memory_random(struct env *env, void *data, size_t size)
{
    struct env *base = memory_of(env)->base;
    base->ops->random(base, data, size);
}

/* --- files --- */

static int memory_open_node(struct memory_env *memory, const char *path, unsigned flags)
{
    struct node *node = node_get(memory, path);
    if (node != NULL && node->is_dir)
        return -EISDIR;
    if (node != NULL && (flags & ENV_OPEN_EXCLUSIVE) != 0)
        return -EEXIST;
    if (node == NULL) {
        int r = (flags & ENV_OPEN_CREATE) != 0 ? node_new(memory, path, false, &node) : -ENOENT;
        if (r < 0)
            return r;
    }
    if ((flags & ENV_OPEN_TRUNCATE) != 0) {
        node->bytes.size = 0;
        if (node->memfd >= 0 && ftruncate(node->memfd, 0) < 0)
            return error_errno();
    }
    return fd_new(memory, node);
}

static int memory_file_open(struct env *env, const char *path, unsigned flags)
{
    struct memory_env *memory = memory_of(env);
    assert(((flags & ENV_OPEN_READ) != 0) != ((flags & ENV_OPEN_WRITE) != 0));
    pthread_mutex_lock(&memory->mutex);
    int r = memory_open_node(memory, path, flags);
    pthread_mutex_unlock(&memory->mutex);
    return r;
}

static int memory_file_close(struct env *env, int fd)
{
    struct memory_env *memory = memory_of(env);
    if (fd < MEMORY_FD_BASE)
        return memory->base->ops->file_close(memory->base, fd);
    pthread_mutex_lock(&memory->mutex);
    node_unref(fd_node(memory, fd));
    memory->opened[fd - MEMORY_FD_BASE] = NULL;
    pthread_mutex_unlock(&memory->mutex);
    return 0;
}

static ssize_t memory_file_pread(struct env *env, int fd, void *data, size_t size, uint64_t pos)
{
    struct memory_env *memory = memory_of(env);
    if (fd < MEMORY_FD_BASE)
        return memory->base->ops->file_pread(memory->base, fd, data, size, pos);
    pthread_mutex_lock(&memory->mutex);
    const struct buffer *bytes = &fd_node(memory, fd)->bytes;
    size_t left = pos < bytes->size ? bytes->size - (size_t)pos : 0;
    size = size < left ? size : left;
    if (size > 0)
        memcpy(data, bytes->data + pos, size);
    pthread_mutex_unlock(&memory->mutex);
    return (ssize_t)size;
}

/* Zeros up to there when it grows. */
static void bytes_resize(struct buffer *bytes, size_t size)
{
    if (size > bytes->size)
        memset(buffer_reserve(bytes, size - bytes->size), 0, size - bytes->size);
    bytes->size = size;
}

static int memory_file_pwritev(
    struct env *env, int fd, const struct iovec *iov, int n_iov, uint64_t pos)
{
    struct memory_env *memory = memory_of(env);
    if (fd < MEMORY_FD_BASE)
        return memory->base->ops->file_pwritev(memory->base, fd, iov, n_iov, pos);
    pthread_mutex_lock(&memory->mutex);
    struct buffer *bytes = &fd_node(memory, fd)->bytes;
    for (int i = 0; i < n_iov; i++) {
        if (pos + iov[i].iov_len > bytes->size)
            bytes_resize(bytes, (size_t)pos + iov[i].iov_len);
        if (iov[i].iov_len > 0)
            memcpy(bytes->data + pos, iov[i].iov_base, iov[i].iov_len);
        pos += iov[i].iov_len;
    }
    pthread_mutex_unlock(&memory->mutex);
    return 0;
}

static int memory_file_truncate(struct env *env, int fd, uint64_t size)
{
    struct memory_env *memory = memory_of(env);
    if (fd < MEMORY_FD_BASE)
        return memory->base->ops->file_truncate(memory->base, fd, size);
    pthread_mutex_lock(&memory->mutex);
    bytes_resize(&fd_node(memory, fd)->bytes, (size_t)size);
    pthread_mutex_unlock(&memory->mutex);
    return 0;
}

static int memory_file_sync(struct env *env, int fd)
{
    (void)env;
    (void)fd;
    return 0;
}

static void node_stat(struct memory_env *memory, const struct node *node, struct env_stat *ret_stat)
{
    *ret_stat = (struct env_stat){
        .size = node->bytes.size, .mtime_ms = node->mtime_ms, .is_dir = node->is_dir};
    struct env_stat log;
    if (node->memfd >= 0 && memory->base->ops->file_stat(memory->base, node->memfd, &log) == 0)
        ret_stat->size = log.size;
}

static int memory_file_stat(struct env *env, int fd, struct env_stat *ret_stat)
{
    struct memory_env *memory = memory_of(env);
    if (fd < MEMORY_FD_BASE)
        return memory->base->ops->file_stat(memory->base, fd, ret_stat);
    pthread_mutex_lock(&memory->mutex);
    node_stat(memory, fd_node(memory, fd), ret_stat);
    pthread_mutex_unlock(&memory->mutex);
    return 0;
}

/* Nobody else can have it. */
static int memory_file_lock(struct env *env, int fd)
{
    (void)env;
    (void)fd;
    return 0;
}

static void memory_file_forget(struct env *env, int fd, uint64_t pos, uint64_t size)
{
    (void)env;
    (void)fd;
    (void)pos;
    (void)size;
}

/* --- names --- */

static int memory_path_stat(struct env *env, const char *path, struct env_stat *ret_stat)
{
    struct memory_env *memory = memory_of(env);
    pthread_mutex_lock(&memory->mutex);
    const struct node *node = node_get(memory, path);
    if (node != NULL)
        node_stat(memory, node, ret_stat);
    pthread_mutex_unlock(&memory->mutex);
    return node == NULL ? -ENOENT : 0;
}

static int memory_path_unlink(struct env *env, const char *path)
{
    struct memory_env *memory = memory_of(env);
    pthread_mutex_lock(&memory->mutex);
    struct node *node = node_get(memory, path);
    int r = node == NULL ? -ENOENT : node->is_dir ? -EISDIR : 0;
    if (r == 0)
        node_remove(memory, node);
    pthread_mutex_unlock(&memory->mutex);
    return r;
}

/* The node and what lies below it get new names. */
static void memory_rename_tree(struct memory_env *memory, const char *from, const char *to)
{
    size_t count = 0;
    struct node **moved = xnew_n(struct node *, memory->nodes.count);
    map_for_each (&memory->nodes, entry) {
        struct node *node = entry->value;
        if (strcmp(node->path, from) == 0 || path_below(node->path, from)[0] != '\0')
            moved[count++] = node;
    }
    for (size_t i = 0; i < count; i++) {
        const char *below = path_below(moved[i]->path, from);
        char *path = below[0] == '\0' ? xstrdup(to) : xasprintf("%s/%s", to, below);
        map_remove(&memory->nodes, slice_from_str(moved[i]->path));
        node_put(memory, moved[i], path);
    }
    free(moved);
}

static int memory_path_rename(struct env *env, const char *from, const char *to)
{
    struct memory_env *memory = memory_of(env);
    pthread_mutex_lock(&memory->mutex);
    struct node *node = node_get(memory, from), *target = node_get(memory, to);
    int r = 0;
    if (node == NULL || !node_parent_exists(memory, to))
        r = -ENOENT;
    else if (target != NULL && (target->is_dir || node->is_dir))
        r = -EEXIST;
    else if (target != node && target != NULL)
        node_remove(memory, target);
    if (r == 0 && target != node)
        memory_rename_tree(memory, from, to);
    pthread_mutex_unlock(&memory->mutex);
    return r;
}

static int memory_dir_make(struct env *env, const char *path)
{
    struct memory_env *memory = memory_of(env);
    struct node *node;
    pthread_mutex_lock(&memory->mutex);
    int r = node_get(memory, path) != NULL ? -EEXIST : node_new(memory, path, true, &node);
    pthread_mutex_unlock(&memory->mutex);
    return r;
}

/* The names directly in the directory, NUL-terminated; the mutex is held. */
static int memory_collect(struct memory_env *memory, const char *path, struct buffer *ret_names)
{
    const struct node *dir = node_get(memory, path);
    if (dir == NULL || !dir->is_dir)
        return dir == NULL ? -ENOENT : -ENOTDIR;
    map_for_each (&memory->nodes, entry) {
        const struct node *node = entry->value;
        const char *name = path_below(node->path, path);
        if (name[0] != '\0' && strchr(name, '/') == NULL)
            buffer_append(ret_names, name, strlen(name) + 1);
    }
    return 0;
}

static int memory_dir_remove(struct env *env, const char *path)
{
    struct memory_env *memory = memory_of(env);
    _cleanup_(buffer_deinit) struct buffer names = BUFFER_NULL;
    pthread_mutex_lock(&memory->mutex);
    int r = memory_collect(memory, path, &names);
    if (r == 0 && names.size > 0)
        r = -ENOTEMPTY;
    if (r == 0)
        node_remove(memory, node_get(memory, path));
    pthread_mutex_unlock(&memory->mutex);
    return r;
}

static int memory_dir_list(struct env *env, const char *path, env_dir_fn fn, void *ctx)
{
    struct memory_env *memory = memory_of(env);
    _cleanup_(buffer_deinit) struct buffer names = BUFFER_NULL;
    pthread_mutex_lock(&memory->mutex);
    int r = memory_collect(memory, path, &names);
    pthread_mutex_unlock(&memory->mutex);
    for (size_t at = 0; r == 0 && at < names.size; at += strlen((const char *)names.data + at) + 1)
        r = fn(ctx, (const char *)names.data + at);
    return r;
}

static int memory_dir_sync(struct env *env, const char *path)
{
    (void)env;
    (void)path;
    return 0;
}

static int memory_disk_open(struct env *env, const char *dir)
{
    return memory_file_open(env, dir, ENV_OPEN_READ);
}

/* Memory that the page cache uses is free, too, but nobody says how much that is. */
static int memory_disk_free(
    struct env *env, const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    (void)env;
    (void)path;
    uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    *ret_free = *ret_total = (uint64_t)sysconf(_SC_PHYS_PAGES) * page_size;
    return 0;
}

/* --- sockets: as they are below --- */

static int memory_sock_listen(
    struct env *env, const struct sockaddr *address, socklen_t size, int backlog, bool reuse_port)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_listen(base, address, size, backlog, reuse_port);
}

static int memory_sock_accept(
    struct env *env, int fd, struct sockaddr_storage *ret_address, socklen_t *ret_size)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_accept(base, fd, ret_address, ret_size);
}

static ssize_t memory_sock_recv(struct env *env, int fd, void *data, size_t size)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_recv(base, fd, data, size);
}

static ssize_t memory_sock_send(
    struct env *env, int fd, const struct iovec *iov, int n_iov, bool more)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_send(base, fd, iov, n_iov, more);
}

static ssize_t memory_sock_send_file(
    struct env *env, int fd, int file_fd, uint64_t pos, size_t size, bool more)
{
    struct env *base = memory_of(env)->base;
    assert(file_fd < MEMORY_FD_BASE);
    return base->ops->sock_send_file(base, fd, file_fd, pos, size, more);
}

static int memory_sock_address(struct env *env, int fd, bool of_peer,
    struct sockaddr_storage *ret_address, socklen_t *ret_size)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_address(base, fd, of_peer, ret_address, ret_size);
}

static int memory_sock_set_buffers(struct env *env, int fd, int send_size, int receive_size)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_set_buffers(base, fd, send_size, receive_size);
}

static int memory_sock_close(struct env *env, int fd)
{
    struct env *base = memory_of(env)->base;
    return base->ops->sock_close(base, fd);
}

static const struct env_ops memory_ops = {
    .monotonic_ns = memory_monotonic_ns,
    .real_ms = memory_real_ms,
    .random = memory_random,
    .file_open = memory_file_open,
    .file_close = memory_file_close,
    .file_pread = memory_file_pread,
    .file_pwritev = memory_file_pwritev,
    .file_truncate = memory_file_truncate,
    .file_sync = memory_file_sync,
    .file_stat = memory_file_stat,
    .file_lock = memory_file_lock,
    .file_forget = memory_file_forget,
    .path_stat = memory_path_stat,
    .path_unlink = memory_path_unlink,
    .path_rename = memory_path_rename,
    .dir_make = memory_dir_make,
    .dir_remove = memory_dir_remove,
    .dir_list = memory_dir_list,
    .dir_sync = memory_dir_sync,
    .disk_open = memory_disk_open,
    .disk_sync = memory_file_sync,
    .disk_free = memory_disk_free,
    .sock_listen = memory_sock_listen,
    .sock_accept = memory_sock_accept,
    .sock_recv = memory_sock_recv,
    .sock_send = memory_sock_send,
    .sock_send_file = memory_sock_send_file,
    .sock_address = memory_sock_address,
    .sock_set_buffers = memory_sock_set_buffers,
    .sock_close = memory_sock_close,
};

struct env *env_memory_new(struct env *base)
{
    struct memory_env *memory = xnew(struct memory_env);
    memory->env.ops = &memory_ops;
    memory->base = base;
    pthread_mutex_init(&memory->mutex, NULL);
    return &memory->env;
}

void env_memory_free(struct env *env)
{
    if (env == NULL)
        return;
    struct memory_env *memory = memory_of(env);
    map_for_each (&memory->nodes, entry) {
        struct node *node = entry->value;
        assert(node->n_refs == 1);
        node_unref(node);
    }
    map_deinit(&memory->nodes);
    pthread_mutex_destroy(&memory->mutex);
    free(memory->opened);
    free(memory);
}
