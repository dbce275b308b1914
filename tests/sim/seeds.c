// SPDX-License-Identifier: BSD-2-Clause
/*
 * Seeds: the whole broker (net, handlers, coordinators, engine) on two loops and a pool that the
 * scheduler runs on one thread, over disk, clock and network of the simulation. A seed is a history
 * of some minutes with crashes (the process in the middle of any call that changes the disk, or the
 * power with what that may leave), calls that fail, delays, cut connections and clocks that jump;
 * then a time in which nothing fails any more, and the final checks.
 *
 * Each seed is a process of its own: a crash leaves the broker's memory where it is.
 */
#include "sim/seed_world.h"
#include "sim/sim.h"
#include "sim/sim_crash.h"

#include "api/api_table.h"
#include "api/api_versions.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/config/config.h"
#include "broker/config/settings.h"
#include "net/net.h"
#include "wire/create_topics.gen.h"
#include "wire/errors.gen.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED_DIR     "/data"
#define SEED_LOOPS   2
#define SEED_HEAL_MS 45000
#define SEED_STEPS   20000000

struct seed_broker {
    struct loop *loops[SEED_LOOPS];
    struct offload *offload;
    struct broker *broker;
    struct net *net;
    bool started;
};

static struct seed_broker life; /* of this life; those before are abandoned */

/* --- the broker --- */

static void seed_on_started(void *ctx)
{
    (void)ctx;
    life.started = true;
}

static struct loop *seed_home_loop(void *context, struct slice group)
{
    return broker_group_home(context, group);
}

static void seed_on_conn_close(void *context, const struct conn_info *conn)
{
    broker_on_conn_close(context, conn->id);
}

static struct broker_settings *seed_settings(struct config **ret_config)
{
    static const char *const pairs[][2] = {{"listeners", "PLAINTEXT://127.0.0.1:9092"},
        {"offsets.topic.num.partitions", "2"}, {"num.partitions", "3"},
        {"log.segment.bytes", "4096"}, {"offsets.topic.segment.bytes", "4096"},
        {"log.cleaner.backoff.ms", "500"}, {"log.cleaner.min.cleanable.ratio", "0.01"},
        {"auto.create.topics.enable", "false"}, {"group.consumer.min.session.timeout.ms", "1000"},
        {"group.consumer.session.timeout.ms", "6000"}};
    struct buffer problem = BUFFER_NULL;
    struct broker_settings *settings;
    struct config *config = config_new();
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++)
        config_set(config, slice_from_str(pairs[i][0]), slice_from_str(pairs[i][1]),
            CONFIG_FROM_OVERRIDE, "simulation");
    bool fine = config_check(config, &problem) && settings_new(config, &problem, &settings) == 0;
    sim_check(fine, "%.*s", SLICE_FMT(buffer_slice(&problem)));
    *ret_config = config;
    return settings;
}

static void seed_listen(struct seed_world *world)
{
    struct net_config config = {
        .env = &world->disk.env,
        .loops = life.loops,
        .n_loops = SEED_LOOPS,
        .apis = api_table,
        .n_apis = api_table_count,
        .context = life.broker,
        .request_size_max = 1 << 20,
        .memory_max = 64 << 20,
        .requests_in_flight_max = 10,
        .output_size_max = 8 << 20,
        .idle_ms_max = 600000,
        .frame_ms_max = 120000,
        .connections_max = 10000,
        .connections_per_ip_max = 10000,
        .send_buffer_size = -1,
        .receive_buffer_size = -1,
        .home_loop = seed_home_loop,
        .unsupported = api_versions_unsupported,
        .on_conn_close = seed_on_conn_close,
    };
    int r = net_start(&config, NULL, 0, NULL, &life.net);
    sim_check(r == 0, "net does not start: %d", r);
}

/* 0, or -errno: a start may fail when calls do. */
static int seed_boot(struct seed_world *world)
{
    struct config *config;
    life = (struct seed_broker){.started = false};
    sim_sched_start(&world->disk, &world->random);
    sim_sched_work_ms_max(sim_chance(&world->random, 20) ? 500 : 10);
    sim_net_start(&world->disk, &world->random, 30);
    struct broker_settings *settings = seed_settings(&config);
    life.offload = offload_new(1);
    for (unsigned i = 0; i < SEED_LOOPS; i++)
        life.loops[i] = loop_new(&world->disk.env, i);
    struct broker_params params = {.env = &world->disk.env,
        .offload = life.offload,
        .loops = life.loops,
        .loops_count = SEED_LOOPS,
        .config = config,
        .settings = settings,
        .data_dir = SEED_DIR};
    int r = broker_new(&params, &life.broker);
    if (r < 0)
        return r;
    broker_start(life.broker, seed_on_started, NULL);
    for (unsigned i = 0; i < 100000 && !life.started; i++) {
        if (!sim_sched_step())
            sim_sched_advance(1);
    }
    sim_check(life.started, "the broker does not start");
    seed_listen(world);
    return 0;
}

/* --- topics --- */

static void admin_on_created(struct sim_client *client, const void *reply)
{
    struct seed_world *world = container_of(client, struct seed_world, admin);
    const struct create_topics_response *response = reply;
    int16_t error = response->topics[0].error_code;
    world->topic_made = error == 0 || error == KAFKA_ERROR_TOPIC_ALREADY_EXISTS;
    sim_client_wake_in(client, world->topic_made ? 1000000000 : 200);
}

static void admin_on_wake(struct sim_client *client)
{
    struct create_topics_request *request = sim_client_request(client, &create_topics_api_codec);
    struct create_topics_request_topic *topic = sim_client_alloc(client, sizeof(*topic));
    create_topics_request_topic_init(topic);
    topic->name = SLICE_LIT(SEED_TOPIC);
    topic->num_partitions = SEED_PARTITIONS;
    topic->replication_factor = 1;
    request->topics = topic;
    request->topics_count = 1;
    request->timeout_ms = 5000;
    sim_client_send(client, &create_topics_api_codec, 7, request, 5000, admin_on_created);
}

static void admin_on_broken(struct sim_client *client)
{
    sim_client_wake_in(client, 200);
}

/* --- time --- */

static unsigned seed_clients(struct seed_world *world, struct sim_client **clients)
{
    unsigned n = 0;
    clients[n++] = &world->admin;
    clients[n++] = &world->scanner;
    for (unsigned i = 0; i < SEED_PRODUCERS; i++)
        clients[n++] = &world->producers[i].client;
    for (unsigned i = 0; i < SEED_MEMBERS; i++)
        clients[n++] = &world->members[i].client;
    for (unsigned i = 0; i < SEED_CONSUMERS; i++)
        clients[n++] = &world->consumers[i].client;
    return n;
}

static bool seed_adopts(struct seed_world *world, struct sim_client *client)
{
    int before = client->fd;
    bool some = sim_client_poll(client);
    if (client->fd != before && client->fd >= 0)
        net_adopt(life.net, client->fd);
    if (some && !world->healing && client->fd >= 0 && sim_below(&world->random, 300) == 0 &&
        client != &world->scanner) {
        sim_net_cut(client->fd); /* the network is */
        sim_count(SIM_COUNT_FAULTS, 1);
    }
    return some;
}

/* Until the time given; true: all was quiet then. */
static void seed_run(struct seed_world *world, int64_t ms)
{
    struct sim_client *clients[2 + SEED_PRODUCERS + SEED_MEMBERS + SEED_CONSUMERS];
    unsigned n = seed_clients(world, clients);
    int64_t end_ns = world->disk.now_ns + ms * 1000000;
    for (unsigned steps = 0; world->disk.now_ns < end_ns && !world->scanned; steps++) {
        sim_check(steps < SEED_STEPS, "the broker is busy and never done");
        bool some = false;
        for (unsigned i = 0; i < n; i++)
            some = seed_adopts(world, clients[i]) || some;
        if (sim_sched_step() || some)
            continue;
        int64_t next = end_ns, at = sim_sched_next_ns();
        next = at < next ? at : next;
        at = sim_net_next_ns();
        next = at < next ? at : next;
        for (unsigned i = 0; i < n; i++) {
            at = sim_client_next_ns(clients[i]);
            next = at < next ? at : next;
        }
        if (next > world->disk.now_ns)
            world->disk.now_ns = next;
    }
    sim_alive();
}

/* --- crashes --- */

static void seed_plan(struct seed_world *world)
{
    static const int errors[] = {EIO, ENOSPC, ENOMEM, EMFILE};
    struct sim_random *random = &world->random;
    struct sim_disk *disk = &world->disk;
    disk->fault = (struct sim_fault){0};
    disk->crash_after = 0;
    if (world->healing)
        return;
    if (sim_chance(random, 75))
        disk->crash_after = 1 + sim_below(random, sim_chance(random, 20) ? 40 : 1500);
    if (sim_chance(random, 25))
        disk->fault = (struct sim_fault){.error = errors[sim_below(random, 4)],
            .calls = 1U << sim_below(random, SIM_CALLS),
            .after = 30 + sim_below(random, 500)};
    if (sim_chance(random, 15))
        disk->real_ms_offset += sim_between(random, -10, 10) * 31536000000;
}

/* What the crash leaves is the next life's disk. */
static void seed_crash(struct seed_world *world)
{
    struct sim_crash crash;
    struct sim_image image;
    struct sim_random *random = &world->random;
    enum sim_crash_how how = sim_chance(random, 50) ? SIM_CRASH_KILL
                                                    : (enum sim_crash_how)sim_between(random,
                                                          SIM_CRASH_NOTHING, SIM_CRASH_HOWS - 1);
    sim_crash_start(&crash, &world->durable, &world->disk.log);
    while (crash.at < world->disk.log.count)
        sim_crash_advance(&crash);
    sim_crash_make(&crash, how, random, &image);
    world->power += how != SIM_CRASH_KILL || world->disk.sync_failed_at != SIZE_MAX;
    sim_count(SIM_COUNT_CRASHES, 1);
    sim_trace(sim_image_hash(&image));
    log_info(
        "sim.crash", "how=%s power=%u lives=%u", sim_crash_names[how], world->power, world->lives);
    if (how == SIM_CRASH_KILL) {
        /* What was not on the medium is not there either: a later failure of the power may take
         * it. The log goes on. */
        sim_image_deinit(&image);
        sim_image_copy(&image, &world->disk.image, true);
        struct sim_log log = world->disk.log;
        world->disk.log = (struct sim_log){0};
        size_t failed = world->disk.sync_failed_at;
        sim_disk_reboot(&world->disk, &image);
        sim_log_deinit(&world->disk.log);
        world->disk.log = log;
        world->disk.sync_failed_at = failed;
    } else {
        sim_image_deinit(&world->durable);
        sim_image_copy(&world->durable, &image, false);
        sim_disk_reboot(&world->disk, &image);
    }
    sim_crash_end(&crash);
    sim_net_reset();
    sim_sched_abandon();
    world->lives++;
    world->disk.now_ns += sim_between(random, 0, 2000) * 1000000;
}

/* One life of the broker. */
static void seed_live(struct seed_world *world, int64_t ms)
{
    jmp_buf jump;
    world->disk.crash_jump = &jump;
    seed_plan(world);
    if (setjmp(jump) == 0) {
        int r = seed_boot(world);
        sim_check(r == 0 || world->disk.fault.n_failed > 0, "the broker does not start: %d", r);
        if (r == 0)
            seed_run(world, ms);
    }
    sim_count(SIM_COUNT_FAULTS, world->disk.fault.n_failed);
}

static void seed_world_init(struct seed_world *world, uint64_t seed)
{
    sim_disk_init(&world->disk, seed ^ 0x5555);
    world->ops = sim_net_ops();
    world->disk.env.ops = &world->ops;
    world->random.state = seed;
    world->disk.recording = true;
    world->records = xnew_n(struct seed_record, SEED_RECORDS);
    sim_image_init(&world->durable);
    seed_producers_init(world);
    seed_members_init(world);
    seed_consumers_init(world);
    seed_scanner_init(world);
    sim_client_init(&world->admin, &world->disk, "admin");
    world->admin.on_wake = admin_on_wake;
    world->admin.on_broken = admin_on_broken;
}

static void seed_history(const struct sim_options *options, uint64_t seed)
{
    static struct seed_world world;
    hash_seed_set(seed | 1);
    seed_world_init(&world, seed);
    unsigned lives = 1 + (unsigned)sim_below(&world.random, 4);
    for (unsigned i = 0; i < lives; i++) {
        sim_where("seeds --seed %" PRIu64 " (life %u)", seed, i);
        seed_live(&world, sim_between(&world.random, 500, options->brief ? 15000 : 40000));
        seed_crash(&world);
    }
    world.healing = true;
    sim_where("seeds --seed %" PRIu64 " (the end)", seed);
    uint64_t oks[SEED_PRODUCERS];
    for (unsigned i = 0; i < SEED_PRODUCERS; i++)
        oks[i] = world.producers[i].n_ok;
    seed_live(&world, SEED_HEAL_MS);
    seed_check_group(&world);
    for (unsigned i = 0; i < SEED_PRODUCERS; i++)
        sim_check(world.producers[i].acks == 0 || world.producers[i].n_ok > oks[i],
            "%s gets nothing acknowledged in the end", world.producers[i].name);
    seed_check_consumers(&world);
    for (unsigned i = 0; i < SEED_PRODUCERS; i++) /* nobody adds to what is scanned */
        world.producers[i].client.on_wake = world.admin.on_broken;
    seed_run(&world, 6000);
    sim_client_wake_in(&world.scanner, 0);
    seed_run(&world, 60000);
    sim_check(world.scanned, "the final scan does not end");
    seed_check_produced(&world);
    sim_count(SIM_COUNT_SIM_MS, (uint64_t)world.disk.now_ns / 1000000);
    sim_count(SIM_COUNT_STEPS, sim_sched_steps());
    sim_count(SIM_COUNT_EPISODES, 1);
    sim_trace(world.disk.trace);
}

void sim_run_seeds(const struct sim_options *options)
{
    double begun = sim_real_seconds();
    for (uint64_t i = options->job;; i += options->n_jobs) {
        pid_t pid = options->once ? 0 : fork();
        if (pid == 0) {
            seed_history(options, options->seed + i);
            if (options->once)
                return;
            _exit(0);
        }
        int status = 1;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (status != 0)
            _exit(3);
        sim_alive();
        if (!sim_go_on(options, begun, sim_job->counts[SIM_COUNT_EPISODES]))
            break;
    }
}
