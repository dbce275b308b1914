// SPDX-License-Identifier: BSD-2-Clause
// Start time: from fork to the first accepted connection and to the first answered ApiVersions, on
// a directory that does not exist yet; then the memory of the idle process, and how long SIGTERM
// takes. The port is one that the kernel has just handed out and taken back, so that connecting can
// be tried from the first instant on; a connect that is refused is tried again 50 us later. Failure
// modes: no connection within 60 s ends the program (and the child).
#include "mode.h"

#include "clock.h"
#include "net.h"
#include "process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_RETRY_NS    50000u
#define START_TIMEOUT_NS  60000000000u
#define START_IDLE_NS     1500000000u
#define START_ARGS_MAX    64
#define START_ARG_SIZE    512
#define START_REPEATS_MAX 64

struct start_sample {
    double accept_ms;
    double answer_ms;
    double stop_ms;
    uint64_t rss_kib;
    uint64_t pss_kib;
};

static uint16_t start_free_port(void)
{
    uint16_t port;

    close(net_must(net_listen(0, &port), "listen"));
    return port;
}

// Copies `argument` with {port} and {dir} filled in.
static void start_fill(char *ret_text, const char *argument, uint16_t port, const char *dir)
{
    size_t size = 0;

    ret_text[0] = '\0';
    while (*argument != '\0' && size + 1u < START_ARG_SIZE) {
        int put;

        if (strncmp(argument, "{port}", 6) == 0) {
            put = snprintf(ret_text + size, START_ARG_SIZE - size, "%u", port);
            argument += 6;
        } else if (strncmp(argument, "{dir}", 5) == 0) {
            put = snprintf(ret_text + size, START_ARG_SIZE - size, "%s", dir);
            argument += 5;
        } else {
            put = snprintf(ret_text + size, START_ARG_SIZE - size, "%c", *argument++);
        }
        size += (size_t)put;
    }
    if (size >= START_ARG_SIZE)
        net_die("argument too long", argument);
}

static pid_t start_child(char **argv)
{
    pid_t pid = fork();

    if (pid == 0) {
        int null_fd = open("/dev/null", O_RDWR);
        if (null_fd >= 0) {
            (void)dup2(null_fd, 1);
            (void)dup2(null_fd, 2);
        }
        execvp(argv[0], argv);
        _exit(127);
    }
    return net_must(pid < 0 ? -errno : pid, "fork");
}

static int start_connect(pid_t pid, const struct options *options, uint16_t port, uint64_t start_ns)
{
    for (;;) {
        int fd = net_connect(options->host, port), status;

        if (fd >= 0)
            return fd;
        if (waitpid(pid, &status, WNOHANG) == pid)
            net_die("start", "the server ended before it accepted");
        if (clock_now_ns() - start_ns > START_TIMEOUT_NS) {
            (void)kill(pid, SIGKILL);
            net_die("start", "no connection within 60 s");
        }
        clock_sleep_until_ns(clock_now_ns() + START_RETRY_NS);
    }
}

static void start_ask(int fd)
{
    struct frame_buffer request = {0};
    struct net_conn conn;
    const uint8_t *data;
    size_t size;

    net_conn_init(&conn, fd);
    frame_begin(&request, FRAME_API_API_VERSIONS, 0, false, 1);
    frame_end(&request);
    net_send_all(fd, request.data, request.size);
    net_await_frame(&conn, &data, &size);
    net_conn_deinit(&conn);
    frame_buffer_deinit(&request);
}

static struct start_sample start_once(const struct options *options, char **argv, const char *dir)
{
    char texts[START_ARGS_MAX][START_ARG_SIZE], *filled[START_ARGS_MAX + 1] = {0};
    struct start_sample sample = {0};
    uint16_t port = start_free_port();
    uint64_t start_ns;
    pid_t pid;
    int fd, status;

    for (unsigned i = 0; argv[i] != NULL; i++) {
        if (i == START_ARGS_MAX)
            net_die("start", "too many arguments");
        start_fill(texts[i], argv[i], port, dir);
        filled[i] = texts[i];
    }
    start_ns = clock_now_ns();
    pid = start_child(filled);
    fd = start_connect(pid, options, port, start_ns);
    sample.accept_ms = (double)(clock_now_ns() - start_ns) / 1e6;
    start_ask(fd);
    sample.answer_ms = (double)(clock_now_ns() - start_ns) / 1e6;
    clock_sleep_until_ns(clock_now_ns() + START_IDLE_NS);
    sample.rss_kib = process_kib(pid, "status", "VmRSS:");
    sample.pss_kib = process_kib(pid, "smaps_rollup", "Pss:");
    start_ns = clock_now_ns();
    (void)kill(pid, SIGTERM);
    (void)waitpid(pid, &status, 0);
    sample.stop_ms = (double)(clock_now_ns() - start_ns) / 1e6;
    return sample;
}

static void start_print(const struct start_sample *samples, uint32_t count)
{
    printf("{\"mode\":\"start\",\"samples\":[");
    for (uint32_t i = 0; i < count; i++)
        printf("%s{\"accept_ms\":%.3f,\"answer_ms\":%.3f,\"stop_ms\":%.3f,\"rss_kib\":%llu,"
               "\"pss_kib\":%llu}",
            i > 0 ? "," : "", samples[i].accept_ms, samples[i].answer_ms, samples[i].stop_ms,
            (unsigned long long)samples[i].rss_kib, (unsigned long long)samples[i].pss_kib);
    printf("]}\n");
}

void start_mode(const struct options *options, char **argv)
{
    struct start_sample samples[START_REPEATS_MAX];
    char base[] = "bench-start-XXXXXX", dir[sizeof(base) + 16];
    uint32_t count = options->count < START_REPEATS_MAX ? options->count : START_REPEATS_MAX;

    if (argv[0] == NULL)
        net_die("start", "wants a command after --");
    if (mkdtemp(base) == NULL)
        net_die("temporary directory", strerror(errno));
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(dir, sizeof(dir), "%s/%u", base, i);
        samples[i] = start_once(options, argv, dir);
    }
    start_print(samples, count);
    // The directories are the caller's to remove: it runs this in a scratch directory.
}
