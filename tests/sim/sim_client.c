// SPDX-License-Identifier: BSD-2-Clause
#include "sim/sim_client.h"

#include "base/bytes.h"
#include "sim/sim_report.h"
#include "wire/header.h"

#include <assert.h>

void sim_client_init(struct sim_client *client, struct sim_disk *disk, const char *name)
{
    client->disk = disk;
    client->name = name;
    client->fd = -1;
    arena_init(&client->arena, SIZE_MAX);
}

void *sim_client_alloc(struct sim_client *client, size_t size)
{
    uint8_t *at = arena_xalloc_n(&client->arena, size, 1);
    memset(at, 0, size);
    return at;
}

void *sim_client_request(struct sim_client *client, const struct api *api)
{
    arena_deinit(&client->arena);
    arena_init(&client->arena, SIZE_MAX);
    void *message = sim_client_alloc(client, api->request_size);
    api->init_request(message);
    return message;
}

static void client_write(
    struct sim_client *client, const struct api *api, int16_t version, const void *request)
{
    struct writer writer = WRITER_NULL;
    struct request_header header = {.api_key = api->key,
        .api_version = version,
        .correlation_id = ++client->correlation,
        .client_id = slice_from_str(client->name)};
    assert(client->api == NULL && version >= api->version_min && version <= api->version_max);
    if (client->fd < 0)
        client->fd = sim_net_connect();
    writer_int32(&writer, 0);
    header_encode_request(&writer, version >= api->flexible_since, &header);
    api->encode_request(&writer, version, request);
    bytes_put_u32(writer.buffer.data, (uint32_t)writer.buffer.size - 4);
    sim_net_send(client->fd, writer.buffer.data, writer.buffer.size);
    writer_deinit(&writer);
}

void sim_client_send(struct sim_client *client, const struct api *api, int16_t version,
    const void *request, int64_t timeout_ms,
    void (*on_reply)(struct sim_client *client, const void *reply))
{
    client_write(client, api, version, request);
    client->api = api;
    client->version = version;
    client->on_reply = on_reply;
    client->deadline_ns = client->disk->now_ns + timeout_ms * 1000000;
}

void sim_client_send_only(
    struct sim_client *client, const struct api *api, int16_t version, const void *request)
{
    client_write(client, api, version, request);
}

void sim_client_wake_in(struct sim_client *client, int64_t ms)
{
    client->wake_ns = client->disk->now_ns + ms * 1000000;
}

void sim_client_cut(struct sim_client *client)
{
    if (client->fd >= 0)
        sim_net_cut(client->fd);
    client->fd = -1;
    client->api = NULL;
}

static void client_read(struct sim_client *client)
{
    const struct api *api = client->api;
    struct reader reader = reader_make(buffer_slice(&client->frame));
    int32_t correlation;
    bool flexible = header_response_flexible(api->key, client->version, api->flexible_since);
    sim_check(header_decode_response(&reader, flexible, &correlation) &&
                  correlation == client->correlation,
        "%s: an answer out of order", client->name);
    void *reply = sim_client_alloc(client, api->response_size);
    api->init_response(reply);
    sim_check(api->decode_response(&reader, client->version, &client->arena, reply),
        "%s: the answer to %s cannot be read: %s", client->name, api->name, reader.fault);
    client->api = NULL;
    client->on_reply(client, reply);
}

bool sim_client_poll(struct sim_client *client)
{
    if (client->api != NULL && sim_net_receive(client->fd, &client->frame)) {
        client_read(client);
        return true;
    }
    if (client->api != NULL &&
        (sim_net_ended(client->fd) || client->disk->now_ns >= client->deadline_ns)) {
        sim_client_cut(client);
        client->on_broken(client);
        return true;
    }
    if (client->api == NULL && client->disk->now_ns >= client->wake_ns) {
        if (client->fd >= 0 && sim_net_ended(client->fd))
            sim_client_cut(client);
        client->wake_ns = INT64_MAX;
        client->on_wake(client);
        return true;
    }
    return false;
}

int64_t sim_client_next_ns(const struct sim_client *client)
{
    return client->api != NULL ? client->deadline_ns : client->wake_ns;
}
