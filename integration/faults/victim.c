// SPDX-License-Identifier: BSD-2-Clause
#include "victim.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VICTIM_START_MS 10000
#define VICTIM_STOP_MS  10000

extern char **environ;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static void path_of(const struct victim *victim, const char *name, char *path)
{
    snprintf(path, VICTIM_PATH_MAX + 16, "%s/%s", victim->dir, name);
}

int victim_init(struct victim *victim, const char *broker, const char *preload, const char *dir)
{
    char path[VICTIM_PATH_MAX + 16];
    *victim = (struct victim){.broker = broker, .preload = preload};
    snprintf(victim->dir, sizeof(victim->dir), "%s", dir);
    path_of(victim, "page", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, PAGE_SIZE_BYTES) < 0)
        return -1;
    victim->page = mmap(NULL, PAGE_SIZE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    setenv(PAGE_ENV, path, 1);
    return victim->page == MAP_FAILED ? -1 : 0;
}

void victim_deinit(struct victim *victim)
{
    victim_kill(victim);
    munmap(victim->page, PAGE_SIZE_BYTES);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat, (void)kind, (void)walk;
    return remove(path);
}

void victim_fresh(struct victim *victim)
{
    char path[VICTIM_PATH_MAX + 16];
    path_of(victim, "data", path);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    path_of(victim, "log", path);
    unlink(path);
    atomic_store(&victim->page->calls, 0);
    victim_doom(victim, 0, false);
}

void victim_doom(struct victim *victim, uint64_t call, bool after)
{
    atomic_store(&victim->page->kill_after, after);
    atomic_store(&victim->page->kill_at, call);
}

/* The broker's environment is ours and the preloaded library. */
static int victim_spawn(struct victim *victim)
{
    char data[VICTIM_PATH_MAX + 32], ready[VICTIM_PATH_MAX + 16], log[VICTIM_PATH_MAX + 16];
    snprintf(data, sizeof(data), "log.dirs=%s/data", victim->dir);
    path_of(victim, "ready", ready);
    path_of(victim, "log", log);
    unlink(ready);
    const char *settings[] = {"listeners=PLAINTEXT://127.0.0.1:0", data,
        "odradek.http.listener=", "log.cleaner.backoff.ms=20", "offsets.topic.num.partitions=2",
        "transaction.state.log.num.partitions=2", "offsets.topic.segment.bytes=8192",
        "transaction.state.log.segment.bytes=8192"};
    const char *arguments[2 * sizeof(settings) / sizeof(*settings) + 4] = {victim->broker};
    int n = 1;
    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
        arguments[n++] = "--override";
        arguments[n++] = settings[i];
    }
    arguments[n++] = "--ready-file";
    arguments[n++] = ready;
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 2, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    posix_spawn_file_actions_adddup2(&files, 2, 1);
    setenv("LD_PRELOAD", victim->preload, 1);
    int r =
        posix_spawn(&victim->pid, victim->broker, &files, NULL, (char *const *)arguments, environ);
    unsetenv("LD_PRELOAD");
    posix_spawn_file_actions_destroy(&files);
    return r;
}

static bool victim_ready(struct victim *victim)
{
    char path[VICTIM_PATH_MAX + 16], text[128] = "";
    path_of(victim, "ready", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    const char *colon = n > 0 ? strrchr(text, ':') : NULL;
    victim->port = colon == NULL ? 0 : (uint16_t)strtoul(colon + 1, NULL, 10);
    return victim->port != 0;
}

int victim_start(struct victim *victim)
{
    double begun = now_ms();
    if (victim_spawn(victim) != 0)
        return VICTIM_FAILED;
    for (;;) {
        int status;
        if (victim_ready(victim)) {
            victim->ready_ms = now_ms() - begun;
            return 0;
        }
        if (waitpid(victim->pid, &status, WNOHANG) == victim->pid) {
            victim->pid = 0;
            return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? VICTIM_DIED : VICTIM_FAILED;
        }
        if (now_ms() - begun > VICTIM_START_MS) {
            victim_kill(victim);
            return VICTIM_FAILED;
        }
        nap();
    }
}

int victim_wait(struct victim *victim)
{
    int status = 0;
    double begun = now_ms();
    while (waitpid(victim->pid, &status, WNOHANG) == 0) {
        if (now_ms() - begun > VICTIM_STOP_MS)
            kill(victim->pid, SIGABRT);
        nap();
    }
    victim->pid = 0;
    return status;
}

int victim_stop(struct victim *victim)
{
    kill(victim->pid, SIGTERM);
    int status = victim_wait(victim);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return VICTIM_DIED;
    return status == 0 ? 0 : VICTIM_FAILED;
}

void victim_kill(struct victim *victim)
{
    if (victim->pid == 0)
        return;
    kill(victim->pid, SIGKILL);
    while (waitpid(victim->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    victim->pid = 0;
}

bool victim_complained(const struct victim *victim, char *ret_line, size_t size)
{
    char path[VICTIM_PATH_MAX + 16];
    bool found = false;
    path_of(victim, "log", path);
    FILE *log = fopen(path, "re");
    if (log == NULL)
        return false;
    while (!found && fgets(ret_line, (int)size, log) != NULL)
        found = strstr(ret_line, "level=error") != NULL || strstr(ret_line, "ssert") != NULL;
    fclose(log);
    if (found)
        ret_line[strcspn(ret_line, "\n")] = '\0';
    return found;
}
