// SPDX-License-Identifier: BSD-2-Clause
/*
 * eventlog: an event log inside one program. A writer appends orders; two readers follow the same
 * log independently, each at its own pace: one prints what comes in, the other adds up, starting
 * over from the first event each time the program runs.
 *
 *   eventlog [directory]
 */
#include "odradek_log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define EVENTS 10

static struct odradek_bytes text(const char *str)
{
    return (struct odradek_bytes){str, strlen(str)};
}

/* Follows the log from its end on: only what is new. */
static void *follow(void *arg)
{
    struct odradek_reader *reader = arg;
    struct odradek_record record;
    for (int i = 0; i < EVENTS; i++) {
        if (odradek_reader_next(reader, 5000, &record) != 0)
            break;
        printf("follower: offset %" PRId64 ": %.*s bought %.*s\n", record.offset,
            (int)record.key.size, (const char *)record.key.data, (int)record.value.size,
            (const char *)record.value.data);
    }
    return NULL;
}

static int append(struct odradek_log *log)
{
    static const char *const customers[] = {"ada", "grace", "edsger"};
    const struct odradek_header source = {text("source"), text("shop")};
    for (int i = 0; i < EVENTS; i++) {
        char value[32];
        snprintf(value, sizeof(value), "%d apples", i + 1);
        struct odradek_record record = {
            .key = text(customers[i % 3]),
            .value = text(value),
            .headers = &source,
            .n_headers = 1,
        };
        /* The last one waits for the medium, and what came before is there with it. */
        int r = odradek_log_append(log, &record, 1, i == EVENTS - 1 ? ODRADEK_DURABLE : 0, NULL);
        if (r != 0)
            return r;
    }
    return 0;
}

/* From the first event there is, as a report would that is run now and then. */
static void replay(struct odradek_log *log)
{
    struct odradek_reader *reader = odradek_reader_open(log, odradek_log_start(log));
    struct odradek_record record;
    int64_t count = 0;
    while (odradek_reader_next(reader, 0, &record) == 0)
        count++;
    odradek_reader_close(reader);
    printf("replay: %" PRId64 " orders since the beginning\n", count);
}

int main(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : "eventlog-data";
    struct odradek_log *log;
    int r = odradek_log_open(dir, NULL, &log);
    if (r < 0) {
        fprintf(stderr, "%s cannot be opened: %s\n", dir, strerror(-r));
        return 1;
    }
    struct odradek_reader *reader = odradek_reader_open(log, odradek_log_end(log));
    pthread_t follower;
    if (pthread_create(&follower, NULL, follow, reader) != 0)
        return 1;
    r = append(log);
    pthread_join(follower, NULL);
    odradek_reader_close(reader);
    if (r == 0)
        replay(log);
    odradek_log_close(log);
    return r == 0 ? 0 : 1;
}
