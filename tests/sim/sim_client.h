// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * sim_client: a client of the simulated broker: one connection, one request at a time, on the same
 * codec as the broker. Replies, the end of the connection and the time it asked for come as calls
 * from sim_client_poll.
 */
#include "base/arena.h"
#include "sim/sim_net.h"
#include "wire/api.h"

struct sim_client {
    struct sim_disk *disk; /* its clock */
    const char *name;
    int fd; /* -1: not connected */
    int32_t correlation;
    const struct api *api; /* waiting for its answer; NULL: idle */
    int16_t version;
    int64_t deadline_ns; /* of the answer */
    int64_t wake_ns;     /* idle: when it wants to do something */
    struct arena arena;  /* of requests and replies, until the next */
    struct buffer frame;
    void (*on_reply)(struct sim_client *client, const void *reply);
    void (*on_broken)(struct sim_client *client); /* no answer; the connection is gone */
    void (*on_wake)(struct sim_client *client);
};

void sim_client_init(struct sim_client *client, struct sim_disk *disk, const char *name);
/* A message in the client's arena; what was there before is gone. */
void *sim_client_request(struct sim_client *client, const struct api *api);
void *sim_client_alloc(struct sim_client *client, size_t size);
void sim_client_send(struct sim_client *client, const struct api *api, int16_t version,
    const void *request, int64_t timeout_ms,
    void (*on_reply)(struct sim_client *client, const void *reply));
/* Without an answer (Produce with acks=0). */
void sim_client_send_only(
    struct sim_client *client, const struct api *api, int16_t version, const void *request);
void sim_client_wake_in(struct sim_client *client, int64_t ms);
void sim_client_cut(struct sim_client *client);
/* True when something came of it. */
bool sim_client_poll(struct sim_client *client);
int64_t sim_client_next_ns(const struct sim_client *client);
