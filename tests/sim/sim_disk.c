// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_disk.h"

#include "base/crc32c.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

const char *const sim_call_names[SIM_CALLS] = {"open", "read", "write", "truncate", "sync", "stat",
    "unlink", "rename", "mkdir", "rmdir", "list", "dir_sync", "close", "disk_free", "disk_open",
    "disk_sync"};

/* --- images --- */

static struct sim_inode *image_add(struct sim_image *image, uint32_t inode, bool is_dir)
{
    if (inode >= image->capacity) {
        uint32_t capacity = image->capacity == 0 ? 64 : image->capacity * 2;
        while (inode >= capacity)
            capacity *= 2;
        image->inodes = xrealloc(image->inodes, capacity * sizeof(*image->inodes));
        memset(image->inodes + image->capacity, 0,
            (capacity - image->capacity) * sizeof(*image->inodes));
        image->capacity = capacity;
    }
    if (inode >= image->n_inodes)
        image->n_inodes = inode + 1;
    if (image->inodes[inode] == NULL) {
        image->inodes[inode] = xnew(struct sim_inode);
        image->inodes[inode]->is_dir = is_dir;
    }
    return image->inodes[inode];
}

void sim_image_init(struct sim_image *image)
{
    *image = (struct sim_image){0};
    image_add(image, 0, true);
}

void sim_image_deinit(struct sim_image *image)
{
    for (uint32_t i = 0; i < image->n_inodes; i++) {
        struct sim_inode *inode = image->inodes[i];
        if (inode == NULL)
            continue;
        buffer_deinit(&inode->bytes);
        free(inode->entries);
        free(inode);
    }
    free(image->inodes);
    *image = (struct sim_image){0};
}

static void image_copy_inode(struct sim_image *to, const struct sim_image *from, uint32_t at)
{
    const struct sim_inode *inode = from->inodes[at];
    struct sim_inode *copy = image_add(to, at, inode->is_dir);
    copy->mtime_ms = inode->mtime_ms;
    buffer_append(&copy->bytes, inode->bytes.data, inode->bytes.size);
    if (inode->n_entries == 0)
        return;
    copy->entries = xmalloc(inode->n_entries * sizeof(*copy->entries));
    memcpy(copy->entries, inode->entries, inode->n_entries * sizeof(*copy->entries));
    copy->n_entries = copy->capacity = inode->n_entries;
}

static void image_copy_named(struct sim_image *to, const struct sim_image *from, uint32_t at)
{
    image_copy_inode(to, from, at);
    const struct sim_inode *inode = from->inodes[at];
    for (uint32_t i = 0; i < inode->n_entries; i++)
        image_copy_named(to, from, inode->entries[i].inode);
}

void sim_image_copy(struct sim_image *to, const struct sim_image *from, bool all)
{
    *to = (struct sim_image){0};
    if (!all) {
        image_copy_named(to, from, 0);
        if (to->n_inodes < from->n_inodes) /* numbers are not used twice */
            image_add(to, from->n_inodes - 1, false);
        return;
    }
    for (uint32_t i = 0; i < from->n_inodes; i++) {
        if (from->inodes[i] != NULL)
            image_copy_inode(to, from, i);
    }
}

static uint64_t hash_more(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
    return hash ^ hash >> 29;
}

static uint64_t image_hash_dir(const struct sim_image *image, uint32_t dir)
{
    uint64_t sum = 0;
    const struct sim_inode *at = image->inodes[dir];
    for (uint32_t i = 0; i < at->n_entries; i++) {
        const struct sim_entry *entry = &at->entries[i];
        const struct sim_inode *inode = image->inodes[entry->inode];
        uint64_t hash = crc32c(0, (const uint8_t *)entry->name, strlen(entry->name));
        hash = hash_more(hash, inode->is_dir ? image_hash_dir(image, entry->inode)
                                             : crc32c(0, inode->bytes.data, inode->bytes.size));
        sum += hash_more(hash, inode->bytes.size);
    }
    return sum;
}

uint64_t sim_image_hash(const struct sim_image *image)
{
    return image_hash_dir(image, 0);
}

static struct sim_entry *dir_find(struct sim_inode *dir, const char *name, size_t size)
{
    for (uint32_t i = 0; i < dir->n_entries; i++) {
        if (strncmp(dir->entries[i].name, name, size) == 0 && dir->entries[i].name[size] == '\0')
            return &dir->entries[i];
    }
    return NULL;
}

static void dir_put(struct sim_inode *dir, const char *name, uint32_t inode)
{
    size_t size = strlen(name);
    assert(size > 0 && size < SIM_NAME_SIZE_MAX);
    struct sim_entry *entry = dir_find(dir, name, size);
    if (entry == NULL) {
        if (dir->n_entries == dir->capacity) {
            dir->capacity = dir->capacity == 0 ? 16 : dir->capacity * 2;
            dir->entries = xrealloc(dir->entries, dir->capacity * sizeof(*dir->entries));
        }
        entry = &dir->entries[dir->n_entries++];
        memset(entry, 0, sizeof(*entry));
        memcpy(entry->name, name, size + 1);
    }
    entry->inode = inode;
}

static void dir_drop(struct sim_inode *dir, struct sim_entry *entry)
{
    *entry = dir->entries[--dir->n_entries];
}

struct sim_path {
    uint32_t dir;     /* the one that the last name is in */
    const char *name; /* "": the root itself */
    int64_t inode;    /* -1: there is none */
};

static int image_walk(struct sim_image *image, const char *path, struct sim_path *ret_path)
{
    uint32_t dir = 0;
    while (*path == '/')
        path++;
    if (*path == '\0') {
        *ret_path = (struct sim_path){0, path, 0};
        return 0;
    }
    for (;;) {
        size_t size = strcspn(path, "/");
        struct sim_entry *entry = dir_find(image->inodes[dir], path, size);
        if (path[size] == '\0') {
            *ret_path = (struct sim_path){dir, path, entry == NULL ? -1 : (int64_t)entry->inode};
            return 0;
        }
        if (entry == NULL)
            return -ENOENT;
        if (!image->inodes[entry->inode]->is_dir)
            return -ENOTDIR;
        dir = entry->inode;
        path += size + 1;
    }
}

struct sim_inode *sim_image_find(struct sim_image *image, const char *path)
{
    struct sim_path found;
    if (image_walk(image, path, &found) < 0 || found.inode < 0)
        return NULL;
    return image->inodes[found.inode];
}

static void bytes_resize(struct buffer *bytes, uint64_t size)
{
    if (size > bytes->size) {
        uint8_t *at = buffer_reserve(bytes, (size_t)size - bytes->size);
        memset(at, 0, (size_t)size - bytes->size);
    }
    bytes->size = (size_t)size;
}

/* --- the log --- */

void sim_log_deinit(struct sim_log *log)
{
    free(log->ops);
    buffer_deinit(&log->data);
    *log = (struct sim_log){0};
}

static void apply_rename(
    struct sim_image *image, const struct sim_log *log, const struct sim_op *op)
{
    const char *from = (const char *)log->data.data + op->name;
    const char *to = (const char *)log->data.data + op->to;
    struct sim_inode *dir = image->inodes[op->dir];
    struct sim_entry *entry = dir_find(dir, from, strlen(from));
    if (entry != NULL && entry->inode == op->inode)
        dir_drop(dir, entry);
    image_add(image, op->inode, op->is_dir);
    dir_put(dir, to, op->inode);
}

static void apply_bytes(struct sim_image *image, const struct sim_log *log, const struct sim_op *op)
{
    struct sim_inode *inode = image_add(image, op->inode, false);
    inode->mtime_ms = op->at_ms;
    if (op->type == SIM_OP_TRUNCATE) {
        bytes_resize(&inode->bytes, op->size);
        return;
    }
    if (inode->bytes.size < op->pos + op->size)
        bytes_resize(&inode->bytes, op->pos + op->size);
    memcpy(inode->bytes.data + op->pos, log->data.data + op->data, (size_t)op->size);
}

void sim_op_apply(struct sim_image *image, const struct sim_log *log, const struct sim_op *op)
{
    if (op->type == SIM_OP_WRITE || op->type == SIM_OP_TRUNCATE) {
        apply_bytes(image, log, op);
        return;
    }
    const char *name = (const char *)log->data.data + op->name;
    struct sim_inode *dir = image_add(image, op->dir, true);
    struct sim_entry *entry;
    switch (op->type) {
    case SIM_OP_LINK:
        image_add(image, op->inode, op->is_dir)->mtime_ms = op->at_ms;
        dir_put(dir, name, op->inode);
        break;
    case SIM_OP_UNLINK:
        entry = dir_find(dir, name, strlen(name));
        if (entry != NULL && entry->inode == op->inode)
            dir_drop(dir, entry);
        break;
    case SIM_OP_RENAME: apply_rename(image, log, op); break;
    default: break;
    }
}

static struct sim_disk *disk_of(struct env *env)
{
    return container_of(env, struct sim_disk, env);
}

static size_t log_put(struct sim_log *log, const void *data, size_t size)
{
    size_t at = log->data.size;
    buffer_append(&log->data, data, size);
    return at;
}

static void disk_record(struct sim_disk *disk, const struct sim_op *op)
{
    struct sim_log *log = &disk->log;
    if (log->count == log->capacity) {
        log->capacity = log->capacity == 0 ? 256 : log->capacity * 2;
        log->ops = xrealloc(log->ops, log->capacity * sizeof(*log->ops));
    }
    log->ops[log->count++] = *op;
}

static int64_t disk_real_ms(struct env *env)
{
    struct sim_disk *disk = disk_of(env);
    return disk->now_ns / 1000000 + disk->real_ms_offset;
}

/* Applies an operation to what the process sees and, when recording, keeps it. */
static void disk_do(struct sim_disk *disk, struct sim_op *op)
{
    op->at_ms = disk_real_ms(&disk->env);
    sim_op_apply(&disk->image, &disk->log, op);
    disk->n_changes++;
    if (disk->recording) {
        disk_record(disk, op);
        disk->log.data_kept = disk->log.data.size;
    } else {
        disk->log.data.size = disk->log.data_kept;
    }
}

/* --- faults --- */

static void disk_note_site(struct sim_disk *disk, enum sim_call call, const void *site)
{
    for (unsigned i = 0; i < disk->n_sites; i++) {
        if (disk->sites[i].site == site && disk->sites[i].call == call) {
            disk->sites[i].count++;
            return;
        }
    }
    assert(disk->n_sites < SIM_SITES_MAX);
    disk->sites[disk->n_sites++] = (struct sim_site){site, call, 1};
}

static bool disk_changes(enum sim_call call)
{
    return call == SIM_CALL_WRITE || call == SIM_CALL_TRUNCATE || call == SIM_CALL_SYNC ||
           (call >= SIM_CALL_UNLINK && call <= SIM_CALL_RMDIR) || call == SIM_CALL_DIR_SYNC ||
           call == SIM_CALL_DISK_SYNC;
}

/* First thing of each call: 0 or the -errno it fails with. */
static int disk_enter(struct sim_disk *disk, enum sim_call call, const void *site)
{
    if (disk->dead)
        return call == SIM_CALL_CLOSE ? 0 : -EIO;
    disk->n_calls++;
    disk->trace = hash_more(disk->trace, (uint64_t)call << 32 ^ (uint64_t)disk->now_ns);
    if (disk->keep_sites)
        disk_note_site(disk, call, site);
    if (disk->crash_after > 0 && disk_changes(call) && --disk->crash_after == 0) {
        assert(disk->crash_jump != NULL);
        longjmp(*disk->crash_jump, 1);
    }
    struct sim_fault *fault = &disk->fault;
    if (fault->error == 0 || (fault->site != NULL && fault->site != site) ||
        (fault->calls != 0 && (fault->calls & 1U << call) == 0))
        return 0;
    uint64_t n = fault->n_matched++;
    if (n < fault->after || (n > fault->after && !fault->for_good))
        return 0;
    fault->n_failed++;
    /* A file that cannot be opened to be synced counts as one, unless only descriptors are short.
     */
    bool open_failed = call == SIM_CALL_OPEN && fault->error != EMFILE && fault->error != ENOMEM;
    if ((call == SIM_CALL_SYNC || call == SIM_CALL_DIR_SYNC || call == SIM_CALL_DISK_SYNC ||
            open_failed) &&
        disk->sync_failed_at == SIZE_MAX)
        disk->sync_failed_at = disk->log.count;
    return -fault->error;
}

#define ENTER(call) disk_enter(disk, (call), __builtin_return_address(0))

/* --- files --- */

static int64_t disk_monotonic_ns(struct env *env)
{
    return disk_of(env)->now_ns;
}

static void disk_random(struct env *env, void *data, size_t size)
{
    uint8_t *at = data;
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)sim_next(&disk_of(env)->random);
}

static int disk_fd(struct sim_disk *disk, uint32_t inode)
{
    for (int i = 0; i < SIM_OPEN_MAX; i++) {
        if (disk->opened[i].used)
            continue;
        disk->opened[i].used = true;
        disk->opened[i].inode = inode;
        disk->n_open++;
        return SIM_FD_BASE + i;
    }
    return -EMFILE;
}

static uint32_t disk_inode(const struct sim_disk *disk, int fd)
{
    assert(fd >= SIM_FD_BASE && fd < SIM_FD_BASE + SIM_OPEN_MAX);
    assert(disk->opened[fd - SIM_FD_BASE].used);
    return disk->opened[fd - SIM_FD_BASE].inode;
}

static void disk_link(struct sim_disk *disk, const struct sim_path *path, bool is_dir)
{
    struct sim_op op = {.type = SIM_OP_LINK,
        .inode = disk->image.n_inodes,
        .dir = path->dir,
        .is_dir = is_dir,
        .name = log_put(&disk->log, path->name, strlen(path->name) + 1)};
    disk_do(disk, &op);
}

static int disk_file_open(struct env *env, const char *name, unsigned flags)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path path;
    int r = ENTER(SIM_CALL_OPEN);
    if (r == 0)
        r = image_walk(&disk->image, name, &path);
    if (r < 0)
        return r;
    if (path.inode < 0) {
        if ((flags & ENV_OPEN_CREATE) == 0)
            return -ENOENT;
        disk_link(disk, &path, false);
        path.inode = disk->image.n_inodes - 1;
    } else if (disk->image.inodes[path.inode]->is_dir) {
        return (flags & ENV_OPEN_WRITE) != 0 ? -EISDIR : disk_fd(disk, (uint32_t)path.inode);
    } else if ((flags & ENV_OPEN_EXCLUSIVE) != 0) {
        return -EEXIST;
    } else if ((flags & ENV_OPEN_TRUNCATE) != 0) {
        struct sim_op op = {.type = SIM_OP_TRUNCATE, .inode = (uint32_t)path.inode};
        disk_do(disk, &op);
    }
    return disk_fd(disk, (uint32_t)path.inode);
}

static int disk_file_close(struct env *env, int fd)
{
    struct sim_disk *disk = disk_of(env);
    disk_inode(disk, fd);
    disk->opened[fd - SIM_FD_BASE].used = false;
    disk->n_open--;
    return ENTER(SIM_CALL_CLOSE);
}

static ssize_t disk_file_pread(struct env *env, int fd, void *data, size_t size, uint64_t pos)
{
    struct sim_disk *disk = disk_of(env);
    const struct sim_inode *inode = disk->image.inodes[disk_inode(disk, fd)];
    int r = ENTER(SIM_CALL_READ);
    if (r < 0 || inode->is_dir)
        return r < 0 ? r : -EISDIR;
    if (pos >= inode->bytes.size || size == 0)
        return 0;
    if (size > inode->bytes.size - pos)
        size = inode->bytes.size - (size_t)pos;
    memcpy(data, inode->bytes.data + pos, size);
    return (ssize_t)size;
}

static int disk_file_pwritev(
    struct env *env, int fd, const struct iovec *iov, int n_iov, uint64_t pos)
{
    struct sim_disk *disk = disk_of(env);
    uint32_t inode = disk_inode(disk, fd);
    bool dead = disk->dead;
    int r = ENTER(SIM_CALL_WRITE);
    if (dead)
        return r;
    struct sim_op op = {.type = SIM_OP_WRITE, .inode = inode, .pos = pos};
    op.data = disk->log.data.size;
    for (int i = 0; i < n_iov; i++)
        buffer_append(&disk->log.data, iov[i].iov_base, iov[i].iov_len);
    op.size = disk->log.data.size - op.data;
    if (r < 0) /* some of it got through */
        op.size = op.size == 0 ? 0 : sim_below(&disk->random, op.size);
    if (op.size > 0)
        disk_do(disk, &op);
    return r;
}

static int disk_file_truncate(struct env *env, int fd, uint64_t size)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_op op = {.type = SIM_OP_TRUNCATE, .inode = disk_inode(disk, fd), .size = size};
    int r = ENTER(SIM_CALL_TRUNCATE);
    if (r == 0)
        disk_do(disk, &op);
    return r;
}

static int disk_file_sync(struct env *env, int fd)
{
    struct sim_disk *disk = disk_of(env);
    bool dead = disk->dead;
    struct sim_op op = {.type = SIM_OP_SYNC, .inode = disk_inode(disk, fd)};
    struct sim_inode *inode = disk->image.inodes[op.inode];
    int r = ENTER(SIM_CALL_SYNC);
    if (r == 0 && inode->sync_error)
        r = -EIO;
    if (r < 0)
        op.type = SIM_OP_SYNC_FAILED;
    if (!dead)
        inode->sync_error = false;
    if (!dead && disk->recording)
        disk_record(disk, &op);
    return r;
}

static int disk_stat(struct sim_disk *disk, uint32_t at, struct env_stat *ret_stat)
{
    const struct sim_inode *inode = disk->image.inodes[at];
    *ret_stat = (struct env_stat){
        .size = inode->bytes.size, .mtime_ms = inode->mtime_ms, .is_dir = inode->is_dir};
    return 0;
}

static int disk_file_stat(struct env *env, int fd, struct env_stat *ret_stat)
{
    struct sim_disk *disk = disk_of(env);
    int r = ENTER(SIM_CALL_STAT);
    return r < 0 ? r : disk_stat(disk, disk_inode(disk, fd), ret_stat);
}

static int disk_file_lock(struct env *env, int fd)
{
    struct sim_disk *disk = disk_of(env);
    disk_inode(disk, fd);
    return disk->dead ? -EIO : 0;
}

static void disk_file_forget(struct env *env, int fd, uint64_t pos, uint64_t size)
{
    (void)env;
    (void)fd;
    (void)pos;
    (void)size;
}

/* --- names --- */

static int disk_path_stat(struct env *env, const char *name, struct env_stat *ret_stat)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path path;
    int r = ENTER(SIM_CALL_STAT);
    if (r == 0)
        r = image_walk(&disk->image, name, &path);
    if (r < 0 || path.inode < 0)
        return r < 0 ? r : -ENOENT;
    return disk_stat(disk, (uint32_t)path.inode, ret_stat);
}

static int disk_remove(struct sim_disk *disk, const char *name, bool is_dir)
{
    struct sim_path path;
    int r = image_walk(&disk->image, name, &path);
    if (r < 0 || path.inode < 0)
        return r < 0 ? r : -ENOENT;
    const struct sim_inode *inode = disk->image.inodes[path.inode];
    if (inode->is_dir != is_dir)
        return is_dir ? -ENOTDIR : -EISDIR;
    if (inode->n_entries > 0)
        return -ENOTEMPTY;
    struct sim_op op = {.type = SIM_OP_UNLINK,
        .inode = (uint32_t)path.inode,
        .dir = path.dir,
        .is_dir = is_dir,
        .name = log_put(&disk->log, path.name, strlen(path.name) + 1)};
    disk_do(disk, &op);
    return 0;
}

static int disk_path_unlink(struct env *env, const char *name)
{
    struct sim_disk *disk = disk_of(env);
    int r = ENTER(SIM_CALL_UNLINK);
    return r < 0 ? r : disk_remove(disk, name, false);
}

static int disk_dir_remove(struct env *env, const char *name)
{
    struct sim_disk *disk = disk_of(env);
    int r = ENTER(SIM_CALL_RMDIR);
    return r < 0 ? r : disk_remove(disk, name, true);
}

static int disk_path_rename(struct env *env, const char *from, const char *to)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path source, target;
    int r = ENTER(SIM_CALL_RENAME);
    if (r == 0)
        r = image_walk(&disk->image, from, &source);
    if (r == 0)
        r = image_walk(&disk->image, to, &target);
    if (r < 0 || source.inode < 0)
        return r < 0 ? r : -ENOENT;
    assert(source.dir == target.dir);
    bool is_dir = disk->image.inodes[source.inode]->is_dir;
    if (target.inode >= 0 && disk->image.inodes[target.inode]->is_dir)
        return is_dir ? -ENOTEMPTY : -EISDIR;
    struct sim_op op = {.type = SIM_OP_RENAME,
        .inode = (uint32_t)source.inode,
        .dir = source.dir,
        .is_dir = is_dir,
        .name = log_put(&disk->log, source.name, strlen(source.name) + 1),
        .to = log_put(&disk->log, target.name, strlen(target.name) + 1)};
    disk_do(disk, &op);
    return 0;
}

static int disk_dir_make(struct env *env, const char *name)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path path;
    int r = ENTER(SIM_CALL_MKDIR);
    if (r == 0)
        r = image_walk(&disk->image, name, &path);
    if (r < 0 || path.inode >= 0)
        return r < 0 ? r : -EEXIST;
    disk_link(disk, &path, true);
    return 0;
}

static int disk_dir_list(struct env *env, const char *name, env_dir_fn fn, void *ctx)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path path;
    int r = ENTER(SIM_CALL_LIST);
    if (r == 0)
        r = image_walk(&disk->image, name, &path);
    if (r < 0 || path.inode < 0)
        return r < 0 ? r : -ENOENT;
    const struct sim_inode *dir = disk->image.inodes[path.inode];
    if (!dir->is_dir)
        return -ENOTDIR;
    for (uint32_t i = 0; i < dir->n_entries && r == 0; i++)
        r = fn(ctx, dir->entries[i].name);
    return r;
}

static int disk_dir_sync(struct env *env, const char *name)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path path;
    int r = ENTER(SIM_CALL_DIR_SYNC);
    if (r == 0)
        r = image_walk(&disk->image, name, &path);
    if (r < 0 || path.inode < 0)
        return r < 0 ? r : -ENOENT;
    struct sim_op op = {.type = SIM_OP_DIR_SYNC, .dir = (uint32_t)path.inode};
    if (disk->recording)
        disk_record(disk, &op);
    return 0;
}

static int disk_disk_open(struct env *env, const char *name)
{
    struct sim_disk *disk = disk_of(env);
    struct sim_path path;
    int r = ENTER(SIM_CALL_DISK_OPEN);
    if (r == 0)
        r = image_walk(&disk->image, name, &path);
    if (r < 0 || path.inode < 0)
        return r < 0 ? r : -ENOENT;
    return disk_fd(disk, (uint32_t)path.inode);
}

static bool inode_dirty(const struct sim_disk *disk, uint32_t inode)
{
    for (size_t i = disk->log.count; i > 0; i--) {
        const struct sim_op *op = &disk->log.ops[i - 1];
        if (op->type == SIM_OP_DISK_SYNC)
            return false;
        if (op->inode != inode || op->type > SIM_OP_SYNC_FAILED)
            continue;
        return op->type == SIM_OP_WRITE || op->type == SIM_OP_TRUNCATE;
    }
    return false;
}

/* The bytes of every file; of names nothing is promised here. A failure is told again by the files
 * that lost something. */
static int disk_disk_sync(struct env *env, int fd)
{
    struct sim_disk *disk = disk_of(env);
    bool dead = disk->dead;
    (void)disk_inode(disk, fd);
    int r = ENTER(SIM_CALL_DISK_SYNC);
    struct sim_op op = {.type = SIM_OP_DISK_SYNC};
    if (r == 0 && !dead && disk->recording)
        disk_record(disk, &op);
    for (uint32_t i = 0; r < 0 && !dead && disk->recording && i < disk->image.n_inodes; i++) {
        op = (struct sim_op){.type = SIM_OP_SYNC_FAILED, .inode = i};
        if (disk->image.inodes[i] == NULL || !inode_dirty(disk, i))
            continue;
        disk->image.inodes[i]->sync_error = true;
        disk_record(disk, &op);
    }
    return r;
}

static int disk_disk_free(
    struct env *env, const char *path, uint64_t *ret_free, uint64_t *ret_total)
{
    struct sim_disk *disk = disk_of(env);
    (void)path;
    *ret_free = disk->free_size;
    *ret_total = (uint64_t)1 << 40;
    return ENTER(SIM_CALL_DISK_FREE);
}

const struct env_ops sim_disk_ops = {
    .monotonic_ns = disk_monotonic_ns,
    .real_ms = disk_real_ms,
    .random = disk_random,
    .file_open = disk_file_open,
    .file_close = disk_file_close,
    .file_pread = disk_file_pread,
    .file_pwritev = disk_file_pwritev,
    .file_truncate = disk_file_truncate,
    .file_sync = disk_file_sync,
    .file_stat = disk_file_stat,
    .file_lock = disk_file_lock,
    .file_forget = disk_file_forget,
    .path_stat = disk_path_stat,
    .path_unlink = disk_path_unlink,
    .path_rename = disk_path_rename,
    .dir_make = disk_dir_make,
    .dir_remove = disk_dir_remove,
    .dir_list = disk_dir_list,
    .dir_sync = disk_dir_sync,
    .disk_open = disk_disk_open,
    .disk_sync = disk_disk_sync,
    .disk_free = disk_disk_free,
};

/* --- life --- */

void sim_disk_init(struct sim_disk *disk, uint64_t seed)
{
    *disk = (struct sim_disk){.env = {.ops = &sim_disk_ops},
        .random = {seed},
        .now_ns = 1000000000,
        .sync_failed_at = SIZE_MAX,
        .real_ms_offset = 1700000000000,
        .free_size = (uint64_t)1 << 39};
    sim_image_init(&disk->image);
}

void sim_disk_deinit(struct sim_disk *disk)
{
    sim_image_deinit(&disk->image);
    sim_log_deinit(&disk->log);
}

void sim_disk_reboot(struct sim_disk *disk, struct sim_image *take_image)
{
    sim_image_deinit(&disk->image);
    disk->image = *take_image;
    *take_image = (struct sim_image){0};
    disk->log.count = disk->log.data.size = disk->log.data_kept = 0;
    memset(disk->opened, 0, sizeof(disk->opened));
    disk->n_open = 0;
    disk->dead = false;
    disk->fault = (struct sim_fault){0};
    disk->crash_after = 0;
    disk->sync_failed_at = SIZE_MAX;
}
