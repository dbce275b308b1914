// SPDX-License-Identifier: BSD-2-Clause
// members HOST:PORT PID PROTOCOL COUNT SIZE PARTITIONS: COUNT members in groups of SIZE, PROTOCOL
// classic or consumer, each over a connection of its own, subscribe to one topic of PARTITIONS. One
// line of JSON: how long from the first join until all groups are stable (`settled_ms`: everybody
// has the same generation or epoch and its part of the partitions, and has said so), and what the
// server's process PID held before (`idle_kib`), with all connections open (`connected_kib`), at
// most (`peak_kib`), when stable (`settled_kib`) and when all had left (`left_kib`).
//
// Every second member leaves with a request, the others by closing their connection. All members
// of a wave act at once, as clients of one rollout do. Failure modes: no stable groups after two
// minutes, or an answer with an error, ends the program.
#include "clock.h"
#include "member.h"
#include "net.h"
#include "process.h"
#include "topic.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define MEMBERS_GIVE_UP_NS 120000000000u
#define MEMBERS_LEFT_NS    5000000000u // and up to this many times, while memory still falls
#define MEMBERS_LEFT_COUNT 6
#define MEMBERS_TICK_NS    20000000u

struct seat {
    struct member member;
    struct net_conn conn;
    bool asking;     // an answer is outstanding
    uint64_t due_ns; // of its next heartbeat
};

struct members {
    struct seat *seats;
    uint32_t count, size, partitions;
    int epoll_fd;
    struct frame_buffer request;
};

static void seat_send(struct seat *seat, const struct frame_buffer *request)
{
    net_send_all(seat->conn.fd, request->data, request->size);
    seat->asking = true;
}

static void seat_hear(struct members *members, struct seat *seat)
{
    const uint8_t *data;
    size_t size;

    (void)net_must(net_conn_fill(&seat->conn), "receive");
    while (net_conn_frame(&seat->conn, &data, &size)) {
        struct frame_reader reader = frame_reader_of(data, size);

        frame_skip(&reader, 4); // correlation id
        seat->asking = false;
        seat->due_ns = clock_now_ns() + (uint64_t)seat->member.beat_ms * 1000000u;
        if (member_hear(&seat->member, &reader, &members->request))
            seat_send(seat, &members->request);
    }
}

// One group: its epoch where all are stable at it and own everything, -1 otherwise.
static int32_t members_group_epoch(const struct seat *seats, uint32_t count, uint32_t partitions)
{
    uint32_t owned = 0;

    for (uint32_t i = 0; i < count; i++) {
        const struct member *member = &seats[i].member;
        if (member->phase != MEMBER_STABLE || member->epoch != seats[0].member.epoch ||
            (member->consumer && !member->told))
            return -1;
        owned += member->owned;
    }
    return owned == partitions ? seats[0].member.epoch : -1;
}

static bool members_settled(const struct members *members)
{
    for (uint32_t i = 0; i < members->count; i += members->size) {
        uint32_t left = members->count - i, size = left < members->size ? left : members->size;
        if (members_group_epoch(&members->seats[i], size, members->partitions) < 0)
            return false;
    }
    return true;
}

static void members_beat(struct members *members)
{
    uint64_t now = clock_now_ns();

    for (uint32_t i = 0; i < members->count; i++) {
        struct seat *seat = &members->seats[i];
        if (seat->asking || seat->member.phase == MEMBER_LEFT || seat->due_ns > now)
            continue;
        member_speak(&seat->member, &members->request);
        seat_send(seat, &members->request);
    }
}

static void members_poll(struct members *members)
{
    struct epoll_event events[256];
    int count = epoll_wait(members->epoll_fd, events, 256, 10);

    for (int i = 0; i < count; i++)
        seat_hear(members, &members->seats[events[i].data.u32]);
}

// Milliseconds from the first join until all is settled.
static double members_run(struct members *members)
{
    uint64_t start = clock_now_ns(), tick = start;

    for (;;) {
        uint64_t now = clock_now_ns();
        if (now >= tick) {
            members_beat(members);
            if (members_settled(members))
                return (double)(now - start) / 1e6;
            tick = now + MEMBERS_TICK_NS;
        }
        if (now - start > MEMBERS_GIVE_UP_NS)
            net_die("members", "not settled within two minutes");
        members_poll(members);
    }
}

static void members_connect(struct members *members, const char *host, uint16_t port)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    members->epoll_fd = net_must(epoll_create1(EPOLL_CLOEXEC), "epoll");
    for (uint32_t i = 0; i < members->count; i++) {
        struct seat *seat = &members->seats[i];
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};

        net_conn_init(&seat->conn, net_must(net_connect(host, port), "connect"));
        if (epoll_ctl(members->epoll_fd, EPOLL_CTL_ADD, seat->conn.fd, &event) < 0)
            net_die("epoll", strerror(errno));
    }
}

static void members_leave(struct members *members)
{
    for (uint32_t i = 0; i < members->count; i += 2) {
        member_speak_leave(&members->seats[i].member, &members->request);
        seat_send(&members->seats[i], &members->request);
    }
    for (uint32_t i = 0; i < members->count; i += 2) {
        struct seat *seat = &members->seats[i];
        const uint8_t *data;
        size_t size;

        while (seat->asking) {
            net_await_frame(&seat->conn, &data, &size);
            seat->asking = false;
        }
    }
    for (uint32_t i = 0; i < members->count; i++) {
        net_conn_deinit(&members->seats[i].conn);
        member_deinit(&members->seats[i].member);
    }
}

static void members_init(struct members *members, const char *topic, bool consumer)
{
    members->seats = calloc(members->count, sizeof(*members->seats));
    assert(members->seats != NULL);
    for (uint32_t i = 0; i < members->count; i++) {
        struct member *member = &members->seats[i].member;

        member_init(member, topic, members->partitions, consumer);
        (void)snprintf(member->group, sizeof(member->group), "%.8s-%u-%u",
            consumer ? "consumer" : "classic", members->size, i / members->size);
        if (consumer) // the client makes the id up; the classic broker does
            (void)snprintf(member->id, sizeof(member->id), "member-%d-%u", (int)getpid(), i);
    }
}

// What the server holds when it has noticed that all are gone: on a busy machine that takes a
// while.
static uint64_t members_wait_left(pid_t pid)
{
    uint64_t before = UINT64_MAX, kib = 0;

    for (unsigned i = 0; i < MEMBERS_LEFT_COUNT; i++) {
        clock_sleep_until_ns(clock_now_ns() + MEMBERS_LEFT_NS);
        kib = process_kib(pid, "status", "VmRSS:");
        if (kib > before / 10 * 9)
            break;
        before = kib;
    }
    return kib;
}

int main(int argc, char **argv)
{
    struct members members = {0};
    struct options options = {.host = "127.0.0.1", .topic = "members", .create = true};
    uint64_t idle, connected, settled, left;
    double took;
    pid_t pid;

    if (argc != 7 || strrchr(argv[1], ':') == NULL)
        net_die("usage", "members HOST:PORT PID classic|consumer COUNT SIZE PARTITIONS");
    options.port = (uint32_t)atoi(strrchr(argv[1], ':') + 1);
    options.partitions = members.partitions = (uint32_t)atoi(argv[6]);
    members.count = (uint32_t)atoi(argv[4]);
    members.size = (uint32_t)atoi(argv[5]);
    assert(members.count > 0 && members.size > 0);
    pid = (pid_t)atoi(argv[2]);
    topic_prepare(&options);
    members_init(&members, options.topic, strcmp(argv[3], "consumer") == 0);
    idle = process_kib(pid, "status", "VmRSS:");
    members_connect(&members, options.host, (uint16_t)options.port);
    connected = process_kib(pid, "status", "VmRSS:");
    took = members_run(&members);
    settled = process_kib(pid, "status", "VmRSS:");
    members_leave(&members);
    left = members_wait_left(pid);
    printf("{\"mode\":\"members\",\"protocol\":\"%s\",\"members\":%u,\"size\":%u,"
           "\"settled_ms\":%.1f,\"idle_kib\":%llu,\"connected_kib\":%llu,\"peak_kib\":%llu,"
           "\"settled_kib\":%llu,\"left_kib\":%llu}\n",
        argv[3], members.count, members.size, took, (unsigned long long)idle,
        (unsigned long long)connected, (unsigned long long)process_kib(pid, "status", "VmHWM:"),
        (unsigned long long)settled, (unsigned long long)left);
    free(members.seats);
    frame_buffer_deinit(&members.request);
    return 0;
}
