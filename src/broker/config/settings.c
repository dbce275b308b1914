// SPDX-License-Identifier: BSD-2-Clause
/*
 * settings: configuration text turned into numbers, names and listeners. The table's checks (type,
 * range) came before; here are the checks that look at more than one key.
 */
#include "broker/config/settings.h"

#include "broker/group/consumer_assign.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/config/listeners.h"

#define LOOPS_MAX          256
#define MEMORY_DEFAULT     ((uint64_t)512 << 20)
#define FILES_OPEN_DEFAULT 512
#define MEMBER_NEW_MS_MAX  300000 /* Kafka's time for a new member to return with its id */

static const struct config_key *key_of(const char *name)
{
    const struct config_key *key = config_key_find(slice_from_str(name), CONFIG_SCOPE_BROKER);
    assert(key != NULL);
    return key;
}

static struct config_value get(const struct config *config, const char *name)
{
    return config_get(config, key_of(name));
}

static const char *get_text(const struct config *config, const char *name)
{
    const char *value = get(config, name).value;
    return value == NULL ? "" : value;
}

static int64_t get_int64(const struct config *config, const char *name)
{
    return strtoll(get_text(config, name), NULL, 10);
}

static int32_t get_int32(const struct config *config, const char *name)
{
    return (int32_t)get_int64(config, name);
}

static double get_double(const struct config *config, const char *name)
{
    return strtod(get_text(config, name), NULL);
}

static bool get_bool(const struct config *config, const char *name)
{
    return strcasecmp(get_text(config, name), "true") == 0;
}

static char *get_text_or_null(const struct config *config, const char *name)
{
    const char *value = get_text(config, name);
    return value[0] == '\0' ? NULL : xstrdup(value);
}

static void settings_free(struct ref *ref)
{
    struct broker_settings *settings = container_of(ref, struct broker_settings, ref);
    listeners_free(settings->listeners, settings->listeners_count);
    config_free(settings->config);
    free(settings->rack);
    free(settings->data_dir);
    free(settings);
}

static void settings_load_net(struct broker_settings *settings, const struct config *config)
{
    int64_t memory = get_int64(config, "queued.max.request.bytes");
    settings->net = (struct net_settings){
        .request_size_max = (uint32_t)get_int32(config, "socket.request.max.bytes"),
        .memory_max = memory < 0 ? MEMORY_DEFAULT : (uint64_t)memory,
        .requests_in_flight_max = (uint32_t)get_int32(config, "odradek.connection.requests.max"),
        .idle_ms_max = get_int64(config, "connections.max.idle.ms"),
        .connections_max = (uint32_t)get_int32(config, "max.connections"),
        .connections_per_ip_max = (uint32_t)get_int32(config, "max.connections.per.ip"),
        .send_buffer_size = get_int32(config, "socket.send.buffer.bytes"),
        .receive_buffer_size = get_int32(config, "socket.receive.buffer.bytes"),
    };
}

static void settings_load_consumer(struct group_settings *group, const struct config *config)
{
    const char *at = get_text(config, "group.consumer.assignors");
    bool first = true;
    while (at != NULL && *at != '\0') {
        size_t size = strcspn(at, ",");
        enum consumer_assignor assignor;
        size_t skip = strspn(at, " ");
        struct slice name = slice_make(at + skip, size > skip ? size - skip : 0);
        if (consumer_assignor_find(name, &assignor)) {
            group->consumer_assignors |= 1u << assignor;
            if (first)
                group->consumer_assignor_default = (int)assignor;
            first = false;
        }
        at += size + (at[size] == ',');
    }
    const char *policy = get_text(config, "group.consumer.migration.policy");
    bool both = strcmp(policy, "bidirectional") == 0;
    group->consumer_upgrade = both || strcmp(policy, "upgrade") == 0;
    group->consumer_downgrade = both || strcmp(policy, "downgrade") == 0;
    group->consumer_enabled =
        strstr(get_text(config, "group.coordinator.rebalance.protocols"), "consumer") != NULL;
}

static struct group_key_range settings_range(
    const struct config *config, const char *key, const char *key_min, const char *key_max)
{
    return (struct group_key_range){.value_default = get_int32(config, key),
        .min = get_int32(config, key_min),
        .max = get_int32(config, key_max)};
}

static void settings_load_share(struct group_settings *group, const struct config *config)
{
    group->share_enabled = get_int32(config, "odradek.share.version") > 0;
    group->share_size_max = get_int32(config, "group.share.max.size");
    group->share_sessions_max = get_int32(config, "group.share.max.share.sessions");
    group->share_session_ms = settings_range(config, "group.share.session.timeout.ms",
        "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms");
    group->share_heartbeat_ms = settings_range(config, "group.share.heartbeat.interval.ms",
        "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms");
    group->share_lock_ms = settings_range(config, "group.share.record.lock.duration.ms",
        "group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms");
    group->share_deliveries_max = settings_range(config, "group.share.delivery.count.limit",
        "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit");
    group->share_locks_max = settings_range(config, "group.share.partition.max.record.locks",
        "group.share.min.partition.max.record.locks", "group.share.max.partition.max.record.locks");
}

static void settings_load_groups(struct broker_settings *settings, const struct config *config)
{
    settings->group = (struct group_settings){
        .session_timeout_ms_min = get_int32(config, "group.min.session.timeout.ms"),
        .session_timeout_ms_max = get_int32(config, "group.max.session.timeout.ms"),
        .initial_rebalance_delay_ms = get_int32(config, "group.initial.rebalance.delay.ms"),
        .join_window_ms = get_int32(config, "odradek.group.join.window.ms"),
        .disconnect_expiry_ms = get_int32(config, "odradek.group.disconnect.expiry.ms"),
        .size_max = get_int32(config, "group.max.size"),
        .new_member_ms_max = MEMBER_NEW_MS_MAX,
        .offsets_retention_ms = get_int64(config, "offsets.retention.minutes") * 60000,
        .offsets_retention_check_ms = get_int64(config, "offsets.retention.check.interval.ms"),
        .offset_metadata_size_max = get_int32(config, "offset.metadata.max.bytes"),
        .offsets_partitions = get_int32(config, "offsets.topic.num.partitions"),
        .offsets_segment_size = get_int32(config, "offsets.topic.segment.bytes"),
        .offsets_replication = get_int32(config, "offsets.topic.replication.factor"),
        .offsets_commit_timeout_ms = get_int32(config, "offsets.commit.timeout.ms"),
        .consumer_session_timeout_ms = get_int32(config, "group.consumer.session.timeout.ms"),
        .consumer_session_timeout_ms_min =
            get_int32(config, "group.consumer.min.session.timeout.ms"),
        .consumer_session_timeout_ms_max =
            get_int32(config, "group.consumer.max.session.timeout.ms"),
        .consumer_heartbeat_ms = get_int32(config, "group.consumer.heartbeat.interval.ms"),
        .consumer_heartbeat_ms_min = get_int32(config, "group.consumer.min.heartbeat.interval.ms"),
        .consumer_heartbeat_ms_max = get_int32(config, "group.consumer.max.heartbeat.interval.ms"),
        .consumer_size_max = get_int32(config, "group.consumer.max.size"),
    };
    settings_load_consumer(&settings->group, config);
    settings_load_share(&settings->group, config);
}

static void settings_load_cleaner(struct broker_settings *settings, const struct config *config)
{
    int64_t backoff_ms = get_int64(config, "log.cleaner.backoff.ms");
    int64_t size = get_int64(config, "log.cleaner.dedupe.buffer.size");
    if (get_bool(config, "log.cleaner.enable"))
        settings->cleaner_backoff_ms = backoff_ms < 1 ? 1 : backoff_ms;
    settings->cleaner_map_size_max = size < 0 ? 0 : (size_t)size;
    settings->cleaner_threads = (unsigned)get_int32(config, "log.cleaner.threads");
    if (settings->cleaner_threads == 0) /* Kafka's would clean nothing, too */
        settings->cleaner_backoff_ms = 0;
    settings->cleaner_buffer_size = (size_t)get_int32(config, "log.cleaner.io.buffer.size");
    double rate = get_double(config, "log.cleaner.io.max.bytes.per.second");
    settings->cleaner_rate = rate >= (double)INT64_MAX ? 0 : rate < 1 ? 1 : (uint64_t)rate;
}

static void settings_load_data_plane(struct broker_settings *settings, const struct config *config)
{
    settings->fetch = (struct fetch_settings){
        .size_max = (uint32_t)get_int32(config, "fetch.max.bytes"),
        .wait_ms_max = get_int32(config, "odradek.fetch.max.wait.ms"),
        .sessions_max = get_int32(config, "max.incremental.fetch.session.cache.slots"),
    };
    settings->producer = (struct producer_settings){
        .acks_all_medium = strcmp(get_text(config, "odradek.acks.all"), "medium") == 0,
        .id_expiration_ms = get_int64(config, "producer.id.expiration.ms"),
        .id_expiration_check_ms = get_int64(config, "producer.id.expiration.check.interval.ms"),
        .transaction_timeout_ms_max = get_int32(config, "transaction.max.timeout.ms"),
    };
    settings->txn = (struct txn_settings){
        .abort_check_ms =
            get_int64(config, "transaction.abort.timed.out.transaction.cleanup.interval.ms"),
        .id_expiration_ms = get_int64(config, "transactional.id.expiration.ms"),
        .id_expiration_check_ms =
            get_int64(config, "transaction.remove.expired.transaction.cleanup.interval.ms"),
        .state_partitions = get_int32(config, "transaction.state.log.num.partitions"),
        .state_segment_size = get_int32(config, "transaction.state.log.segment.bytes"),
        .state_replication = get_int32(config, "transaction.state.log.replication.factor"),
    };
    settings->share = (struct share_settings){
        .state_partitions = get_int32(config, "share.coordinator.state.topic.num.partitions"),
        .state_segment_size = get_int32(config, "share.coordinator.state.topic.segment.bytes"),
        .state_replication = get_int32(config, "share.coordinator.state.topic.replication.factor"),
        .updates_per_snapshot =
            get_int32(config, "share.coordinator.snapshot.update.records.per.snapshot"),
        .prune_interval_ms = get_int64(config, "share.coordinator.state.topic.prune.interval.ms"),
        .cold_interval_ms =
            get_int64(config, "share.coordinator.cold.partition.snapshot.interval.ms"),
    };
    settings->engine_delay = strcmp(get_text(config, "odradek.engine"), "delay") == 0;
    settings->engine_delay_ms_max = get_int64(config, "odradek.engine.delay.max.ms");
    settings->engine_loss_per_10000 = (unsigned)get_int32(config, "odradek.engine.delay.loss");
    settings->engine_seed = (uint64_t)get_int64(config, "odradek.engine.delay.seed");
}

static void settings_load_topics(struct broker_settings *settings, const struct config *config)
{
    settings->partitions_default = get_int32(config, "num.partitions");
    settings->replication_default = get_int32(config, "default.replication.factor");
    settings->replication_lenient = get_bool(config, "odradek.replication.lenient");
    settings->partitions_per_topic_max = get_int32(config, "odradek.topic.partitions.max");
    settings->partitions_max = get_int32(config, "odradek.partitions.max");
    settings->auto_create_topics = get_bool(config, "auto.create.topics.enable");
    settings->delete_topic_enable = get_bool(config, "delete.topic.enable");
    settings->retention_check_ms = get_int64(config, "log.retention.check.interval.ms");
    settings_load_cleaner(settings, config);
    for (size_t i = 0; i < config_keys_count; i++) {
        const struct config_key *key = &config_keys[i];
        struct config_number text;
        if ((key->scope & CONFIG_SCOPE_TOPIC) == 0)
            continue;
        struct config_value value = topic_config_default(config, key, &text);
        if (value.value != NULL)
            topic_config_set(&settings->topic_defaults, key, slice_from_str(value.value));
    }
}

static unsigned loops_count(int32_t wanted)
{
    if (wanted == 0) {
        long cores = sysconf(_SC_NPROCESSORS_ONLN);
        wanted = cores < 1 ? 1 : (int32_t)cores;
    }
    return wanted > LOOPS_MAX ? LOOPS_MAX : (unsigned)wanted;
}

static unsigned files_open_max(int32_t wanted)
{
    struct rlimit limit;
    if (wanted > 0)
        return (unsigned)wanted;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return FILES_OPEN_DEFAULT;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 200000)
        return 100000;
    return (unsigned)(limit.rlim_cur / 2);
}

static int settings_load_identity(
    struct broker_settings *settings, const struct config *config, struct buffer *ret_problem)
{
    struct config_number text;
    int32_t node = get_int32(config, "node.id");
    if (node < 0)
        node = get_int32(config, "broker.id");
    settings->node_id = node < 0 ? 1 : node;
    settings->nodes_count = get_int32(config, "odradek.virtual.brokers");
    assert(settings->nodes_count >= 1 && settings->nodes_count <= NODES_COUNT_MAX);
    if (settings->node_id > INT32_MAX - settings->nodes_count) {
        buffer_printf(ret_problem,
            "node.id %d leaves no room for the ids of %d virtual brokers; choose a smaller one.\n",
            (int)settings->node_id, (int)settings->nodes_count);
        return -EINVAL;
    }
    settings->dev = strcmp(get_text(config, "odradek.profile"), "dev") == 0;
    settings->rack = get_text_or_null(config, "broker.rack");
    settings->trace = get_bool(config, "odradek.trace");
    struct config_value dirs = config_get_resolved(config, key_of("log.dirs"), &text);
    if (strchr(dirs.value, ',') != NULL) {
        buffer_printf(ret_problem,
            "%s: %s names several directories (\"%s\"); one is supported, so name one.\n",
            dirs.where, dirs.key->name, dirs.value);
        return -EINVAL;
    }
    settings->ephemeral = strcmp(dirs.value, "memory:") == 0;
    settings->data_dir = xstrdup(dirs.value);
    return 0;
}

int settings_new(
    const struct config *config, struct buffer *ret_problem, struct broker_settings **ret_settings)
{
    struct broker_settings *settings = xnew(struct broker_settings);
    ref_init(&settings->ref, settings_free);
    settings->config = config_copy(config);
    int r = settings_load_identity(settings, config, ret_problem);
    if (r == 0)
        r = listeners_parse(config, settings->dev, settings->nodes_count, ret_problem,
            &settings->listeners, &settings->listeners_count);
    if (r < 0) {
        settings_put(settings);
        return r;
    }
    settings->loops_count = loops_count(get_int32(config, "num.network.threads"));
    settings->storage_reserve = (uint64_t)get_int64(config, "odradek.storage.reserve.bytes");
    settings->scrub_rate = (uint64_t)get_int64(config, "odradek.scrub.bytes.per.second");
    settings->files_open_max = files_open_max(get_int32(config, "odradek.files.open.max"));
    settings_load_net(settings, config);
    settings_load_groups(settings, config);
    settings_load_data_plane(settings, config);
    settings_load_topics(settings, config);
    *ret_settings = settings;
    return 0;
}
