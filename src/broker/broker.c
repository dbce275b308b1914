// SPDX-License-Identifier: BSD-2-Clause
/*
 * broker: the domain state, its start and its stop. Before the loops run everything is read on one
 * thread: identity, engine, metadata, the first image. Then every loop opens its partitions and
 * loads its groups; only when all have done so is the broker started. To stop, the line of topic
 * changes ends first, then groups and partitions close on their loops.
 */
#include "broker/broker.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "broker/broker_internal.h"
#include "broker/topics/draft.h"
#include "broker/fetch_sessions.h"
#include "broker/group/group_overrides.h"
#include "broker/group/groups.h"
#include "broker/share/share_coords.h"
#include "broker/share/share_partition.h"
#include "broker/share/share_sessions.h"
#include "broker/txn/txns.h"

/* Measured: from some 16 files on one sync of all is quicker than one of each. */
#define BROKER_SYNC_DISK_MIN 16

/* --- where things are --- */

struct broker_loop *broker_here(struct broker *broker)
{
    struct loop *loop = loop_current();
    assert(loop != NULL);
    unsigned index = loop_index(loop);
    assert(index < broker->loops_count && broker->loops[index] == loop);
    return &broker->by_loop[index];
}

struct image *broker_image(struct broker *broker)
{
    return broker_here(broker)->image;
}

const struct broker_settings *broker_settings(struct broker *broker)
{
    return broker_image(broker)->settings;
}

struct groups *broker_groups(struct broker *broker)
{
    return broker_here(broker)->groups;
}

struct txns *broker_txns(struct broker *broker)
{
    return broker_here(broker)->txns;
}

struct share_coords *broker_share_coords(struct broker *broker)
{
    return broker_here(broker)->share_coords;
}

struct share_sessions *broker_share_sessions(struct broker *broker)
{
    return broker_here(broker)->share_sessions;
}

struct share_parts *broker_share_parts(struct broker *broker)
{
    return broker_here(broker)->share_parts;
}

struct fetch_sessions *broker_fetch_sessions(struct broker *broker)
{
    return broker_here(broker)->fetch_sessions;
}

struct broker_session_close {
    struct loop_msg msg;
    struct broker *broker;
    int32_t id;
};

static void broker_on_session_close(struct loop_msg *msg)
{
    struct broker_session_close *close = container_of(msg, struct broker_session_close, msg);
    struct fetch_session *session =
        fetch_sessions_get(broker_fetch_sessions(close->broker), close->id);
    if (session != NULL)
        fetch_session_close(session);
    free(close);
}

void broker_fetch_session_close(struct broker *broker, int32_t id)
{
    if (id <= FETCH_SESSION_NONE)
        return;
    struct broker_session_close *close = xnew(struct broker_session_close);
    close->broker = broker;
    close->id = id;
    struct loop *home = broker->loops[(unsigned)id % broker->loops_count];
    if (home == loop_current())
        broker_on_session_close(&close->msg);
    else
        loop_post(home, &close->msg, broker_on_session_close);
}

struct env *broker_env(struct broker *broker)
{
    return broker->env;
}

int32_t broker_id(struct broker *broker)
{
    return broker->node_id;
}

int32_t broker_nodes_count(struct broker *broker)
{
    return broker->settings->nodes_count;
}

int32_t broker_node_id(struct broker *broker, int32_t index)
{
    assert(index >= 0 && index < broker->settings->nodes_count);
    return broker->node_id + index;
}

bool broker_node_known(struct broker *broker, int32_t node)
{
    return node >= broker->node_id && node - broker->node_id < broker->settings->nodes_count;
}

int32_t broker_leader(struct broker *broker, const struct topic *topic, int32_t partition)
{
    return topic_leader(broker->settings, topic, partition);
}

uint16_t *broker_ports(struct broker *broker)
{
    return broker->ports;
}

const char *broker_cluster_id(struct broker *broker)
{
    return broker->cluster_id;
}

struct offload *broker_offload(struct broker *broker)
{
    return broker->offload;
}

const char *broker_data_dir(struct broker *broker)
{
    return broker->settings->ephemeral ? "memory:" : broker->data_dir;
}

unsigned broker_loops_count(struct broker *broker)
{
    return broker->loops_count;
}

struct loop *broker_loop(struct broker *broker, unsigned index)
{
    assert(index < broker->loops_count);
    return broker->loops[index];
}

struct loop *broker_topic_home(struct broker *broker, const struct topic *topic, int32_t partition)
{
    return broker->loops[topic_home_index(topic, partition, broker->loops_count)];
}

struct loop *broker_partition_home(struct broker *broker, const struct part_id *id)
{
    struct topic *topic = image_topic_by_id(broker_image(broker), id->topic_id);
    struct topic unknown = {.id = id->topic_id};
    return broker_topic_home(broker, topic == NULL ? &unknown : topic, id->partition);
}

/* One UTF-16 code unit more. */
static uint32_t java_hash_add(uint32_t hash, uint32_t unit)
{
    return hash * 31 + unit;
}

/* Java's String.hashCode of UTF-8 bytes. Malformed bytes count as U+FFFD each. */
static uint32_t java_hash(struct slice s)
{
    uint32_t hash = 0;
    for (size_t i = 0; i < s.size;) {
        uint8_t lead = s.data[i++];
        unsigned more = lead < 0x80    ? 0
                        : lead >= 0xF0 ? 3
                        : lead >= 0xE0 ? 2
                        : lead >= 0xC0 ? 1
                                       : 9;
        uint32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
        bool fine = more <= 3 && s.size - i >= more;
        for (unsigned k = 0; fine && k < more; k++) {
            fine = (s.data[i + k] & 0xC0) == 0x80;
            point = point << 6 | (s.data[i + k] & 0x3Fu);
        }
        if (fine)
            i += more;
        else
            point = 0xFFFD;
        if (point >= 0x10000) {
            hash = java_hash_add(hash, 0xD800 + ((point - 0x10000) >> 10));
            point = 0xDC00 + ((point - 0x10000) & 0x3FF);
        }
        hash = java_hash_add(hash, point);
    }
    return hash;
}

/* Kafka takes the absolute value here (and for keys clears the sign): committed offsets of a
 * directory that was carried over are found only where Kafka put them. */
static int32_t java_hash_partition(struct slice s, int32_t count)
{
    int32_t hash = (int32_t)java_hash(s);
    return (hash == INT32_MIN ? 0 : abs(hash)) % count;
}

int32_t broker_group_partition(struct broker *broker, struct slice group)
{
    struct image *image = broker_image(broker);
    int32_t count = image->offsets != NULL ? image->offsets->partitions_count
                                           : image->settings->group.offsets_partitions;
    return java_hash_partition(group, count);
}

int32_t broker_txn_partition(struct broker *broker, struct slice transactional_id)
{
    const struct topic *topic = broker_image(broker)->transactions;
    assert(topic != NULL);
    return java_hash_partition(transactional_id, topic->partitions_count);
}

int32_t broker_share_partition(struct broker *broker, struct slice key)
{
    const struct topic *topic = broker_image(broker)->share_state;
    assert(topic != NULL);
    return java_hash_partition(key, topic->partitions_count);
}

struct loop *broker_group_home(struct broker *broker, struct slice group)
{
    struct topic offsets = {.internal = true};
    return broker_topic_home(broker, &offsets, broker_group_partition(broker, group));
}

/* --- calls --- */

static void broker_on_call_done(struct loop_msg *msg)
{
    struct broker_call *call = container_of(msg, struct broker_call, msg);
    call->done(call);
}

void broker_call_done(struct broker_call *call)
{
    loop_post(call->loop, &call->msg, broker_on_call_done);
}

void broker_call_begin(
    struct broker *broker, struct broker_call *call, void (*fn)(struct loop_msg *))
{
    call->broker = broker;
    call->loop = loop_current();
    assert(call->loop != NULL && call->done != NULL);
    loop_post(broker->loops[0], &call->msg, fn);
}

/* --- internal topics --- */

struct internal_ensure {
    struct topics_op op;
    struct arena arena;
    struct broker_call *call;
};

static void internal_on_ensured(struct broker_call *op_call)
{
    struct internal_ensure *ensure = container_of(op_call, struct internal_ensure, op.call);
    struct broker_call *call = ensure->call;
    call->result = ensure->op.error == TOPICS_OK ? 0 : -EIO;
    if (call->result < 0)
        log_error("topic.internal.create", "topic=%s text=%s", log_quote(ensure->op.name).str,
            log_quote(ensure->op.message).str);
    topics_op_deinit(&ensure->op);
    arena_deinit(&ensure->arena);
    free(ensure);
    call->done(call);
}

static void internal_ensure(struct broker *broker, struct broker_call *call, struct slice name)
{
    struct internal_ensure *ensure = xnew(struct internal_ensure);
    ensure->call = call;
    call->loop = loop_current();
    arena_init(&ensure->arena, SIZE_MAX);
    ensure->op = (struct topics_op){
        .call.done = internal_on_ensured,
        .type = TOPICS_ENSURE,
        .arena = &ensure->arena,
        .name = name,
        .partitions = -1,
        .replication = -1,
    };
    topics_submit(broker, &ensure->op);
}

void broker_offsets_ensure(struct broker *broker, struct broker_call *call)
{
    internal_ensure(broker, call, SLICE_LIT(TOPIC_NAME_OFFSETS));
}

void broker_transactions_ensure(struct broker *broker, struct broker_call *call)
{
    internal_ensure(broker, call, SLICE_LIT(TOPIC_NAME_TRANSACTIONS));
}

void broker_share_state_ensure(struct broker *broker, struct broker_call *call)
{
    internal_ensure(broker, call, SLICE_LIT(TOPIC_NAME_SHARE_STATE));
}

/* --- connections that end --- */

struct conn_closed {
    struct loop_msg msg;
    struct broker_loop *at;
    uint64_t conn_id;
};

static void broker_on_conn_closed(struct loop_msg *msg)
{
    struct conn_closed *closed = container_of(msg, struct conn_closed, msg);
    groups_on_conn_close(closed->at->groups, closed->conn_id);
    share_sessions_on_conn_close(closed->at->share_sessions, closed->conn_id);
    free(closed);
}

void broker_drain(struct broker *broker)
{
    broker->draining = true;
}

void broker_on_conn_close(struct broker *broker, uint64_t conn_id)
{
    if (broker->draining)
        return;
    for (unsigned i = 0; i < broker->loops_count; i++) {
        struct conn_closed *closed = xnew(struct conn_closed);
        closed->at = &broker->by_loop[i];
        closed->conn_id = conn_id;
        loop_post(broker->loops[i], &closed->msg, broker_on_conn_closed);
    }
}

/* --- start --- */

/* The name of a new directory is on the medium, or all that is in it might be gone with it. */
static int dir_sync_parent(struct env *env, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t size = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    _cleanup_(freep) char *parent =
        slash == NULL ? xstrdup(".") : xstrdup_slice(slice_make(path, size));
    int r = env->ops->dir_sync(env, parent);
    return r == -EACCES ? 0 : r; /* it may not be ours to read */
}

/* 0: it is there; > 0: it was made. */
static int dir_make_one(struct env *env, const char *path)
{
    int r = env->ops->dir_make(env, path);
    if (r == -EEXIST)
        return 0;
    if (r == 0)
        r = dir_sync_parent(env, path);
    return r < 0 ? r : 1;
}

/* Makes the directory and those above it. */
static int dir_make_all(struct env *env, const char *path)
{
    _cleanup_(freep) char *part = xstrdup(path);
    _cleanup_(freep) char *journal = xasprintf("%s/meta/journal", path);
    struct env_stat stat;
    for (char *at = part + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        int r = dir_make_one(env, part);
        if (r < 0)
            return r;
        *at = '/';
    }
    int r = dir_make_one(env, part);
    /* A start that ended in between may have left it without that. */
    if (r == 0 && env->ops->path_stat(env, journal, &stat) == -ENOENT)
        r = dir_sync_parent(env, part);
    return r < 0 ? r : 0;
}

static int broker_open_engine(struct broker *broker)
{
    const struct broker_settings *settings = broker->settings;
    struct engine_local_config local = {
        .env = broker->env,
        .offload = broker->offload,
        .loops = broker->loops,
        .n_loops = broker->loops_count,
        .dir = broker->data_dir,
        .files_open_max = settings->files_open_max,
        .space_reserve = settings->storage_reserve,
        .scrub_rate = settings->scrub_rate,
        .retention_check_ms = settings->retention_check_ms,
        .cleaner_backoff_ms = settings->cleaner_backoff_ms,
        .cleaner_map_size_max = settings->cleaner_map_size_max,
        .cleaner_threads = settings->cleaner_threads,
        .cleaner_rate = settings->cleaner_rate,
        .cleaner_buffer_size = settings->cleaner_buffer_size,
        .sync_disk_min = BROKER_SYNC_DISK_MIN,
        .sync_all = settings->producer.acks_all_medium,
    };
    int r = engine_local_new(&local, &broker->local);
    if (r == -EWOULDBLOCK) {
        log_error("data.locked",
            "dir=%s text=\"another broker is running on this data directory; stop it, or name "
            "another directory with log.dirs\"",
            log_quote(slice_from_str(broker->data_dir)).str);
        return r;
    }
    if (r < 0) {
        log_error("data.unusable", "dir=%s error=%s",
            log_quote(slice_from_str(broker->data_dir)).str, log_errno(-r).str);
        return error_trace(r);
    }
    broker->engine = broker->local;
    if (settings->engine_delay) {
        struct engine_delay_config delay = {
            .loops = broker->loops,
            .n_loops = broker->loops_count,
            .seed = settings->engine_seed,
            .delay_ms_max = settings->engine_delay_ms_max,
            .loss_per_10000 = settings->engine_loss_per_10000,
        };
        broker->engine = engine_delay_new(&delay, broker->engine);
    }
    return 0;
}

/* Dynamic broker keys, as stored, over what the broker was started with. */
static void broker_load_dynamic(struct broker *broker)
{
    struct config *config = config_copy(broker->settings->config);
    struct broker_settings *settings = NULL;
    struct buffer problem = BUFFER_NULL;
    char key[40];
    snprintf(key, sizeof(key), "config/broker/%d", (int)broker->node_id);
    struct slice all = meta_get(broker->meta, SLICE_LIT("config/broker/"), NULL);
    struct slice own = meta_get(broker->meta, slice_from_str(key), NULL);
    bool fine =
        slice_is_null(all) || dynamic_config_decode(config, CONFIG_FROM_DYNAMIC_DEFAULT, all);
    fine &= slice_is_null(own) || dynamic_config_decode(config, CONFIG_FROM_DYNAMIC_BROKER, own);
    if (!fine || settings_new(config, &problem, &settings) < 0)
        log_warn("config.dynamic",
            "text=\"stored dynamic configuration cannot be used\" problem=%s",
            log_quote(buffer_slice(&problem)).str);
    else {
        settings_put(broker->settings);
        broker->settings = settings;
    }
    config_free(config);
    buffer_deinit(&problem);
}

struct topics_read {
    const struct broker_settings *settings;
    struct topic **topics;
    size_t count, capacity;
    int result;
};

static void broker_on_stored_topic(void *ctx, struct slice key, struct slice value)
{
    struct topics_read *read = ctx;
    size_t prefix = strlen("topic/");
    struct slice name = slice_make(key.data + prefix, key.size - prefix);
    struct topic *topic = topic_decode(name, value, read->settings);
    if (topic == NULL) {
        log_error("topic.unreadable",
            "topic=%s text=\"its stored description is damaged, or of a later version\"",
            log_quote(name).str);
        read->result = -EBADMSG;
        return;
    }
    if (read->count == read->capacity) {
        read->capacity = read->capacity * 2 + 64;
        read->topics = xrealloc(read->topics, read->capacity * sizeof(struct topic *));
    }
    read->topics[read->count++] = topic;
}

static void broker_on_stored_group(void *ctx, struct slice key, struct slice value)
{
    struct group_configs *configs = ctx;
    size_t prefix = strlen(GROUP_CONFIG_PREFIX);
    struct slice name = slice_make(key.data + prefix, key.size - prefix);
    struct group_overrides *config = group_overrides_decode(name, value);
    if (config == NULL)
        log_warn("config.group",
            "group=%s text=\"its stored configuration is damaged, or of a later version; the "
            "broker's is in effect\"",
            log_quote(name).str);
    else
        group_configs_put(configs, config);
}

static int broker_load_image(struct broker *broker)
{
    struct topics_read read = {.settings = broker->settings};
    meta_range(broker->meta, SLICE_LIT("topic/"), broker_on_stored_topic, &read);
    struct image *image = image_new(1, broker->settings, read.topics, read.count);
    struct group_configs *groups = group_configs_copy(NULL);
    meta_range(broker->meta, SLICE_LIT(GROUP_CONFIG_PREFIX), broker_on_stored_group, groups);
    image_take_group_configs(image, groups);
    topics_init(broker, image);
    for (unsigned i = 0; i < broker->loops_count; i++)
        broker->by_loop[i].image = image_get(image);
    image_put(image);
    return read.result;
}

static int broker_open(struct broker *broker, const char *cluster_id)
{
    int r = dir_make_all(broker->env, broker->data_dir);
    if (r < 0) {
        log_error("data.unusable", "dir=%s error=%s",
            log_quote(slice_from_str(broker->data_dir)).str, log_errno(-r).str);
        return error_trace(r);
    }
    r = broker_open_engine(broker);
    if (r < 0)
        return r;
    r = identity_load(broker, cluster_id);
    if (r < 0)
        return r;
    r = meta_open(broker->env, broker->data_dir, broker->offload, broker->loops[0], &broker->meta);
    if (r < 0)
        return error_trace(r);
    broker_load_dynamic(broker);
    r = topics_adopt(broker);
    if (r < 0) {
        log_error("data.unusable", "dir=%s error=%s",
            log_quote(slice_from_str(broker->data_dir)).str, log_errno(-r).str);
        return error_trace(r);
    }
    producer_ids_init(broker);
    advertise_init(broker);
    return broker_load_image(broker);
}

/* What one loop may have of a limit of the whole process. */
static size_t broker_share(const struct broker *broker, size_t limit)
{
    return (limit + broker->loops_count - 1) / broker->loops_count;
}

int broker_new(const struct broker_params *params, struct broker **ret_broker)
{
    struct broker *broker = xnew(struct broker);
    broker->env = params->env;
    broker->offload = params->offload;
    broker->loops = params->loops;
    broker->loops_count = params->loops_count;
    broker->settings = settings_get(params->settings);
    broker->node_id = params->settings->node_id;
    broker->data_dir = xstrdup(params->data_dir);
    broker->by_loop = xnew_n(struct broker_loop, params->loops_count);
    int r = broker_open(broker, params->cluster_id);
    if (r < 0) {
        broker_free(broker);
        return r;
    }
    for (unsigned i = 0; i < broker->loops_count; i++) {
        struct broker_loop *at = &broker->by_loop[i];
        at->broker = broker;
        at->loop = broker->loops[i];
        at->index = i;
        at->groups = groups_new(broker, at->loop);
        at->txns = txns_new(broker, at->loop);
        at->share_coords = share_coords_new(broker, at->loop);
        at->share_parts = share_parts_new(broker, at->loop);
        at->share_sessions = share_sessions_new(broker, at->loop,
            broker_share(broker, (size_t)params->settings->group.share_sessions_max));
        at->fetch_sessions = fetch_sessions_new(&(struct fetch_sessions_params){
            .env = broker->env,
            .loop_index = i,
            .loops_count = broker->loops_count,
            .slots_max = broker_share(broker, (size_t)params->settings->fetch.sessions_max),
            .size_max = broker_share(broker, FETCH_SESSIONS_SIZE_MAX),
        });
    }
    *ret_broker = broker;
    return 0;
}

static void broker_on_phase(struct phase *phase)
{
    struct broker *broker = phase->broker;
    broker->done(broker->done_ctx);
}

static void broker_start_step(struct broker *broker)
{
    assert(broker->start_pending > 0);
    if (--broker->start_pending == 0)
        broker->done(broker->done_ctx);
}

static void broker_on_opened(struct phase *phase)
{
    broker_start_step(phase->broker);
}

/* What is left of topics that were deleted while the broker died. */
static void broker_sweep(struct offload_work *work)
{
    struct broker *broker = container_of(work, struct broker, sweep);
    int r = engine_local_sweep(broker->local, broker->gone, broker->gone_count);
    if (r < 0) {
        log_warn("data.sweep", "error=%s", log_errno(-r).str);
        broker->gone_count = 0; /* the marks stay for another try */
    }
}

static void broker_on_unmarked(struct meta_txn *txn, enum meta_status status)
{
    (void)status;
    broker_start_step(container_of(txn, struct broker, gone_txn));
}

static void broker_on_swept(struct offload_work *work)
{
    struct broker *broker = container_of(work, struct broker, sweep);
    if (broker->gone_count == 0) {
        broker_start_step(broker);
        return;
    }
    broker->gone_txn = (struct meta_txn){.n_ops = broker->gone_count, .done = broker_on_unmarked};
    for (unsigned i = 0; i < broker->gone_count; i++) {
        topics_gone_key(broker->gone[i], broker->gone_keys[i]);
        broker->gone_txn.ops[i] =
            (struct meta_op){META_DELETE, slice_from_str(broker->gone_keys[i]), SLICE_NULL};
    }
    meta_commit(broker->meta, &broker->gone_txn);
}

static void broker_on_gone(void *ctx, struct slice key, struct slice value)
{
    struct broker *broker = ctx;
    size_t prefix = strlen(TOPICS_GONE_PREFIX);
    struct slice id = slice_make(key.data + prefix, key.size - prefix);
    (void)value;
    if (broker->gone_count < META_OPS_MAX && uuid_from_text(id, &broker->gone[broker->gone_count]))
        broker->gone_count++;
}

static void broker_on_start(struct loop_msg *msg)
{
    struct broker *broker = container_of(msg, struct broker, start_msg);
    broker->start_pending = 2;
    meta_range(broker->meta, SLICE_LIT(TOPICS_GONE_PREFIX), broker_on_gone, broker);
    offload_submit(
        broker->offload, &broker->sweep, broker->loops[0], NULL, broker_sweep, broker_on_swept);
    broker->phase = (struct phase){
        .broker = broker,
        .kind = PHASE_OPEN,
        .after = broker->topics.image,
        .done = broker_on_opened,
    };
    phase_start(&broker->phase);
}

void broker_start(struct broker *broker, void (*done)(void *ctx), void *ctx)
{
    broker->done = done;
    broker->done_ctx = ctx;
    loop_post(broker->loops[0], &broker->start_msg, broker_on_start);
}

/* --- stop --- */

static void broker_on_line_idle(struct broker *broker)
{
    broker->phase = (struct phase){
        .broker = broker,
        .kind = PHASE_STOP,
        .after = broker->topics.image,
        .done = broker_on_phase,
    };
    phase_start(&broker->phase);
}

static void broker_on_stop(struct loop_msg *msg)
{
    topics_stop(container_of(msg, struct broker, stop_msg), broker_on_line_idle);
}

void broker_stop(struct broker *broker, void (*done)(void *ctx), void *ctx)
{
    broker->done = done;
    broker->done_ctx = ctx;
    loop_post(broker->loops[0], &broker->stop_msg, broker_on_stop);
}

void broker_free(struct broker *broker)
{
    if (broker == NULL)
        return;
    for (unsigned i = 0; i < broker->loops_count; i++) {
        struct broker_loop *at = &broker->by_loop[i];
        groups_free(at->groups);
        txns_free(at->txns);
        share_sessions_free(at->share_sessions);
        share_parts_free(at->share_parts);
        share_coords_free(at->share_coords);
        fetch_sessions_free(at->fetch_sessions);
        assert(at->parts.count == 0);
        map_deinit(&at->parts);
        image_put(at->image);
    }
    topics_deinit(broker);
    if (broker->engine != NULL)
        broker->engine->ops->free(broker->engine);
    if (broker->meta != NULL)
        meta_free(broker->meta);
    settings_put(broker->settings);
    free(broker->gateway);
    free(broker->ports);
    free(broker->by_loop);
    free(broker->data_dir);
    free(broker);
}
