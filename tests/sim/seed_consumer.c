// SPDX-License-Identifier: BSD-2-Clause
/*
 * A group of the newer protocol (KIP-848) and its model. Its members take and give back partitions
 * by heartbeats; they leave, fall silent, or go without a word. A member works with what it was
 * given until it is told otherwise, its connection breaks, or its session must be over. Checked is
 * that nobody is given what another works with meanwhile, and that in the end all are at one epoch
 * and every partition has one owner.
 */
#include "sim/seed_world.h"

#include "wire/consumer_group_heartbeat.gen.h"
#include "wire/errors.gen.h"

#include <inttypes.h>
#include <stdio.h>

#define GROUP        "movers"
#define REBALANCE_MS 8000
#define BEAT_MS_MAX  1500

static struct seed_consumer *consumer_of(struct sim_client *client)
{
    return container_of(client, struct seed_consumer, client);
}

static void consumer_next(struct seed_consumer *consumer)
{
    sim_client_wake_in(&consumer->client, sim_between(&consumer->world->random, 20, BEAT_MS_MAX));
}

/* It works with nothing any more, and begins anew. */
static void consumer_out(struct seed_consumer *consumer, bool other_id)
{
    consumer->owned = 0;
    consumer->epoch = 0;
    if (other_id)
        snprintf(
            consumer->id, sizeof(consumer->id), "mover-%u-%u", consumer->index, ++consumer->n_ids);
    sim_client_wake_in(&consumer->client, sim_between(&consumer->world->random, 0, 300));
}

/* What it says of itself is still true for the broker: its last sign of life is not too old, its
 * connection is open, and the broker has not lost what it knew. */
static bool consumer_works(const struct seed_consumer *consumer)
{
    const struct seed_world *world = consumer->world;
    return consumer->client.fd >= 0 && sim_net_whole(consumer->client.fd) &&
           consumer->power == world->power && world->disk.fault.n_failed == 0 &&
           world->disk.now_ns < consumer->lease_ns;
}

static void consumer_check_taken(const struct seed_consumer *consumer, unsigned taken)
{
    for (unsigned i = 0; i < SEED_CONSUMERS; i++) {
        const struct seed_consumer *other = &consumer->world->consumers[i];
        if (other != consumer && consumer_works(other))
            sim_check((other->owned & taken) == 0, "%s is given what %s works with (%x of %x)",
                consumer->name, other->name, taken, other->owned);
    }
}

static void consumer_take(struct seed_consumer *consumer,
    const struct consumer_group_heartbeat_response_assignment *assignment)
{
    unsigned given = 0;
    for (int32_t t = 0; t < assignment->topic_partitions_count; t++) {
        const struct consumer_group_heartbeat_response_topic_partitions *topic =
            &assignment->topic_partitions[t];
        consumer->topic_id = topic->topic_id;
        for (int32_t i = 0; i < topic->partitions_count; i++) {
            sim_check(topic->partitions[i] >= 0 && topic->partitions[i] < SEED_PARTITIONS,
                "%s: a strange assignment", consumer->name);
            given |= 1U << topic->partitions[i];
        }
    }
    consumer_check_taken(consumer, given & ~consumer->owned);
    consumer->owned = given;
}

static void consumer_on_beat(struct sim_client *client, const void *reply)
{
    struct seed_consumer *consumer = consumer_of(client);
    const struct consumer_group_heartbeat_response *response = reply;
    switch (response->error_code) {
    case 0: break;
    case KAFKA_ERROR_UNKNOWN_MEMBER_ID:
    case KAFKA_ERROR_FENCED_MEMBER_EPOCH:
    case KAFKA_ERROR_GROUP_ID_NOT_FOUND: consumer_out(consumer, false); return;
    case KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE:
    case KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS:
    case KAFKA_ERROR_NOT_COORDINATOR:
    case KAFKA_ERROR_KAFKA_STORAGE_ERROR:
    case KAFKA_ERROR_UNKNOWN_SERVER_ERROR:
    case KAFKA_ERROR_REQUEST_TIMED_OUT: consumer_next(consumer); return;
    default: sim_violation("%s: the coordinator answers %d", consumer->name, response->error_code);
    }
    sim_check(response->member_epoch >= consumer->epoch, "%s: epoch %" PRId32 " after %" PRId32,
        consumer->name, response->member_epoch, consumer->epoch);
    consumer->epoch = response->member_epoch;
    consumer->lease_ns = consumer->sent_ns + SEED_SESSION_MS * INT64_C(1000000);
    consumer->power = consumer->world->power;
    if (response->assignment != NULL)
        consumer_take(consumer, response->assignment);
    sim_trace((uint64_t)consumer->epoch << 16 | consumer->owned << 8 | consumer->index);
    consumer_next(consumer);
}

/* Everything each time, so that the answer says everything, too. */
static void consumer_beat(struct seed_consumer *consumer)
{
    struct sim_client *client = &consumer->client;
    struct consumer_group_heartbeat_request *request =
        sim_client_request(client, &consumer_group_heartbeat_api_codec);
    struct consumer_group_heartbeat_request_topic_partitions *topic =
        sim_client_alloc(client, sizeof(*topic));
    struct slice *names = sim_client_alloc(client, sizeof(*names));
    consumer_group_heartbeat_request_topic_partitions_init(topic);
    names[0] = SLICE_LIT(SEED_TOPIC);
    request->group_id = SLICE_LIT(GROUP);
    request->member_id = slice_from_str(consumer->id);
    request->member_epoch = consumer->epoch;
    request->rebalance_timeout_ms = REBALANCE_MS;
    request->subscribed_topic_names = names;
    request->subscribed_topic_names_count = 1;
    request->topic_partitions = topic;
    request->topic_partitions_count = consumer->owned != 0;
    topic->topic_id = consumer->topic_id;
    topic->partitions = sim_client_alloc(client, sizeof(int32_t) * SEED_PARTITIONS);
    for (int32_t i = 0; i < SEED_PARTITIONS; i++) {
        if ((consumer->owned & 1U << i) != 0)
            topic->partitions[topic->partitions_count++] = i;
    }
    consumer->sent_ns = consumer->world->disk.now_ns;
    sim_client_send(
        client, &consumer_group_heartbeat_api_codec, 1, request, 5000, consumer_on_beat);
}

static void consumer_on_left(struct sim_client *client, const void *reply)
{
    (void)reply;
    struct seed_consumer *consumer = consumer_of(client);
    consumer_out(consumer, true);
    sim_client_wake_in(client, sim_between(&consumer->world->random, 0, 5000));
}

static void consumer_leave(struct seed_consumer *consumer)
{
    struct sim_client *client = &consumer->client;
    struct consumer_group_heartbeat_request *request =
        sim_client_request(client, &consumer_group_heartbeat_api_codec);
    consumer->owned = 0;
    request->group_id = SLICE_LIT(GROUP);
    request->member_id = slice_from_str(consumer->id);
    request->member_epoch = -1;
    request->rebalance_timeout_ms = -1;
    request->subscribed_topic_names_count = -1;
    request->topic_partitions_count = -1;
    sim_client_send(
        client, &consumer_group_heartbeat_api_codec, 1, request, 5000, consumer_on_left);
}

static void consumer_on_wake(struct sim_client *client)
{
    struct seed_consumer *consumer = consumer_of(client);
    struct sim_random *random = &consumer->world->random;
    uint64_t choice = sim_below(random, 100);
    if (client->fd < 0) /* it broke in the meantime; the broker may have drawn its conclusions */
        consumer->lease_ns = 0;
    if (!consumer->world->topic_made) {
        sim_client_wake_in(client, 300);
    } else if (consumer->world->healing || consumer->epoch == 0 || choice >= 8) {
        consumer_beat(consumer);
    } else if (choice < 3) {
        consumer_leave(consumer);
    } else if (choice < 5) { /* gone without a word */
        sim_client_cut(client);
        consumer_out(consumer, true);
        sim_client_wake_in(client, sim_between(random, 0, 15000));
    } else { /* silent for longer than its session */
        sim_client_wake_in(client, sim_between(random, 5000, 12000));
    }
}

/* The broker takes a member whose connection is gone for dead after a moment. */
static void consumer_on_broken(struct sim_client *client)
{
    struct seed_consumer *consumer = consumer_of(client);
    consumer_out(consumer, sim_chance(&consumer->world->random, 30));
}

void seed_consumers_init(struct seed_world *world)
{
    for (unsigned i = 0; i < SEED_CONSUMERS; i++) {
        struct seed_consumer *consumer = &world->consumers[i];
        snprintf(consumer->name, sizeof(consumer->name), "mover-%u", i);
        snprintf(consumer->id, sizeof(consumer->id), "mover-%u-0", i);
        consumer->world = world;
        consumer->index = i;
        sim_client_init(&consumer->client, &world->disk, consumer->name);
        consumer->client.on_wake = consumer_on_wake;
        consumer->client.on_broken = consumer_on_broken;
    }
}

void seed_check_consumers(struct seed_world *world)
{
    unsigned owned = 0;
    for (unsigned i = 0; i < SEED_CONSUMERS; i++) {
        const struct seed_consumer *consumer = &world->consumers[i];
        sim_check(consumer->epoch > 0 && consumer->epoch == world->consumers[0].epoch,
            "%s is at epoch %" PRId32 " in the end, another at %" PRId32, consumer->name,
            consumer->epoch, world->consumers[0].epoch);
        sim_check((owned & consumer->owned) == 0, "two owners in the end");
        owned |= consumer->owned;
    }
    sim_check(owned == (1U << SEED_PARTITIONS) - 1, "partitions that nobody works with in the end");
}
