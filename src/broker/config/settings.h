// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * settings: the broker keys that take effect, parsed into numbers and names with their units. Built
 * from a struct config before the loops start; immutable and ref-counted. Keys that may change
 * while running change by publishing a new one with the image, so read them through
 * broker_settings() each time and keep no copies. Any thread.
 */
#include "base/ref.h"
#include "broker/config/config.h"

struct config;

struct listener_settings {
    char *name;               /* "PLAINTEXT", as in listeners */
    char *host;               /* "": every address */
    uint16_t port;            /* 0: the kernel chooses one */
    char *advertised_host;    /* NULL: decided per connection */
    uint16_t advertised_port; /* 0: the bound one */
};

/* A key of groups: what holds where a group has no value of its own, and what it may be. */
struct group_key_range {
    int32_t value_default, min, max;
};

struct group_settings {
    int32_t session_timeout_ms_min, session_timeout_ms_max;
    int32_t initial_rebalance_delay_ms;
    int32_t join_window_ms; /* members that join an empty group within this time share its first
                               generation; applies when the initial delay is 0 */
    int32_t disconnect_expiry_ms; /* a dynamic member whose connection closed is removed after this;
                                     < 0: only its session timeout counts */
    int32_t size_max;             /* members */
    int32_t new_member_ms_max;    /* a member that never rejoins after its id was handed out */
    int64_t offsets_retention_ms, offsets_retention_check_ms;
    int32_t offset_metadata_size_max; /* bytes */
    int32_t offsets_partitions;       /* of __consumer_offsets when it is created */
    int32_t offsets_segment_size;     /* bytes */
    int32_t offsets_replication;
    int32_t offsets_commit_timeout_ms;
    /* KIP-848 groups */
    int32_t consumer_session_timeout_ms, consumer_session_timeout_ms_min,
        consumer_session_timeout_ms_max;
    int32_t consumer_heartbeat_ms, consumer_heartbeat_ms_min, consumer_heartbeat_ms_max;
    int32_t consumer_size_max;
    unsigned consumer_assignors;   /* bit set of enum consumer_assignor */
    int consumer_assignor_default; /* one of them */
    bool consumer_enabled;         /* group.coordinator.rebalance.protocols */
    bool consumer_upgrade, consumer_downgrade;
    /* share groups (KIP-932) */
    bool share_enabled; /* odradek.share.version */
    int32_t share_size_max;
    int32_t share_sessions_max; /* group.share.max.share.sessions, of all loops together */
    struct group_key_range share_session_ms, share_heartbeat_ms, share_lock_ms;
    struct group_key_range share_deliveries_max, share_locks_max;
};

struct fetch_settings {
    uint32_t size_max;    /* bytes per answer, fetch.max.bytes */
    int32_t wait_ms_max;  /* a parked fetch waits at most this long, whatever it asked for; < 0: as
                             asked (odradek.fetch.max.wait.ms) */
    int32_t sessions_max; /* max.incremental.fetch.session.cache.slots, of all loops together */
};

struct producer_settings {
    bool acks_all_medium;     /* acks=all is answered from the medium; false: once written */
    int64_t id_expiration_ms; /* producer.id.expiration.ms */
    int64_t id_expiration_check_ms;
    int32_t transaction_timeout_ms_max;
};

struct txn_settings {
    int64_t abort_check_ms; /* how often late transactions are looked for */
    int64_t id_expiration_ms, id_expiration_check_ms;
    int32_t state_partitions;   /* of __transaction_state when it is created */
    int32_t state_segment_size; /* bytes */
    int32_t state_replication;
};

struct share_settings {
    int32_t state_partitions;   /* of __share_group_state when it is created */
    int32_t state_segment_size; /* bytes */
    int32_t state_replication;
    int32_t updates_per_snapshot;
    int64_t prune_interval_ms, cold_interval_ms;
};

struct net_settings {
    uint32_t request_size_max;       /* bytes */
    uint64_t memory_max;             /* bytes over all loops, queued.max.request.bytes */
    uint32_t requests_in_flight_max; /* per connection */
    int64_t idle_ms_max;             /* < 0: never */
    uint32_t connections_max, connections_per_ip_max;
    int32_t send_buffer_size, receive_buffer_size; /* bytes; -1: the system's */
};

/* The most brokers that one process shows. */
#define NODES_COUNT_MAX 16

struct broker_settings {
    struct ref ref;
    struct config *config; /* what it was parsed from */
    bool dev;              /* odradek.profile */
    int32_t node_id;
    int32_t nodes_count; /* brokers shown to clients, with the ids from node_id on */
    char *rack;          /* NULL: none */
    char *data_dir;
    bool ephemeral; /* log.dirs=memory: */
    struct listener_settings *listeners;
    size_t listeners_count;
    unsigned loops_count;
    uint64_t storage_reserve; /* bytes that are kept free */
    uint64_t scrub_rate;      /* bytes per second; 0: nothing is checked in the background */
    unsigned files_open_max;  /* descriptors that segments may hold open */
    bool trace;

    int32_t partitions_default; /* num.partitions */
    int32_t replication_default;
    bool replication_lenient; /* a replication factor above the number of brokers is accepted */
    int32_t partitions_per_topic_max, partitions_max;
    bool auto_create_topics, delete_topic_enable;
    int64_t retention_check_ms;
    int64_t cleaner_backoff_ms;  /* 0: nothing is compacted */
    size_t cleaner_map_size_max; /* bytes */
    unsigned cleaner_threads;
    uint64_t cleaner_rate; /* bytes per second; 0: any */
    size_t cleaner_buffer_size;

    bool engine_delay; /* odradek.engine=delay */
    int64_t engine_delay_ms_max;
    unsigned engine_loss_per_10000;
    uint64_t engine_seed;

    struct net_settings net;
    struct group_settings group;
    struct fetch_settings fetch;
    struct producer_settings producer;
    struct txn_settings txn;
    struct share_settings share;
    struct topic_config topic_defaults; /* what a topic without overrides gets */
};

/* Parses a checked configuration. -EINVAL: *ret_problem has a sentence for people per refused
 * value. The result holds one reference. */
int settings_new(
    const struct config *config, struct buffer *ret_problem, struct broker_settings **ret_settings);

static inline struct broker_settings *settings_get(struct broker_settings *settings)
{
    ref_get(&settings->ref);
    return settings;
}
static inline void settings_put(struct broker_settings *settings)
{
    if (settings != NULL)
        ref_put(&settings->ref);
}
