// SPDX-License-Identifier: BSD-2-Clause
/*
 * identity: who this data directory belongs to, in meta.properties as Kafka writes it:
 *
 *   version=1
 *   cluster.id=5L6g3nShT-eMCtK--X86sw
 *   node.id=1
 *
 * A new directory gets the cluster id that was asked for, or a random one. An old one keeps its
 * own; being asked for another is a mistake that would mix two clusters, and is refused. A node id
 * that nobody set is taken from the file. The file is not forced to the medium before the broker
 * starts: the first topic is (and with it the directory), later than the kernel has written this.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "base/small_file.h"
#include "broker/broker_internal.h"

#define IDENTITY_SIZE_MAX 4096

struct identity {
    char cluster_id[64];
    int32_t node_id; /* -1: the file does not say */
};

static void identity_parse_line(struct identity *identity, const char *line)
{
    if (sscanf(line, "cluster.id=%63[^\r\n]", identity->cluster_id) == 1)
        return;
    int node = -1;
    if (sscanf(line, "node.id=%d", &node) == 1 || sscanf(line, "broker.id=%d", &node) == 1)
        identity->node_id = node;
}

static void identity_parse(struct identity *identity, char *text)
{
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n")) != NULL)
        identity_parse_line(identity, line);
}

static int identity_read(struct env *env, const char *path, struct identity *identity)
{
    struct buffer text = BUFFER_NULL;
    int r = small_file_read(env, path, IDENTITY_SIZE_MAX, &text);
    if (r == 0) {
        buffer_append(&text, "", 1);
        identity_parse(identity, (char *)text.data);
    }
    buffer_deinit(&text);
    return r > 0 ? -EFBIG : r;
}

static int identity_write(struct env *env, const char *path, const struct identity *identity)
{
    _cleanup_(freep) char *text = xasprintf("#\n#odradek\ncluster.id=%s\nnode.id=%d\nversion=1\n",
        identity->cluster_id, (int)identity->node_id);
    return small_file_write_unsynced(env, path, slice_from_str(text));
}

static int identity_check(const struct broker *broker, const struct identity *found,
    const char *path, const char *wanted_cluster_id, bool node_set)
{
    if (wanted_cluster_id != NULL && found->cluster_id[0] != '\0' &&
        strcmp(found->cluster_id, wanted_cluster_id) != 0) {
        log_error("data.foreign",
            "file=%s text=\"this data directory belongs to cluster %s, but %s was asked for; unset "
            "CLUSTER_ID or use another directory\"",
            log_quote(slice_from_str(path)).str, found->cluster_id, wanted_cluster_id);
        return -EINVAL;
    }
    if (node_set && found->node_id >= 0 && found->node_id != broker->node_id) {
        log_error("data.foreign",
            "file=%s text=\"this data directory belongs to node %d, but node.id is %d\"",
            log_quote(slice_from_str(path)).str, (int)found->node_id, (int)broker->node_id);
        return -EINVAL;
    }
    return 0;
}

static bool identity_node_set(const struct broker *broker)
{
    static const char *const names[] = {"node.id", "broker.id"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        const struct config_key *key =
            config_key_find(slice_from_str(names[i]), CONFIG_SCOPE_BROKER);
        struct config_value value = config_get(broker->settings->config, key);
        if (value.source > CONFIG_FROM_PROFILE && strcmp(value.value, "-1") != 0)
            return true;
    }
    return false;
}

int identity_load(struct broker *broker, const char *wanted_cluster_id)
{
    struct identity identity = {.node_id = -1};
    bool node_set = identity_node_set(broker);
    _cleanup_(freep) char *path = xasprintf("%s/meta.properties", broker->data_dir);
    int r = identity_read(broker->env, path, &identity);
    if (r < 0 && r != -ENOENT) {
        log_error("data.unusable", "file=%s error=%s", log_quote(slice_from_str(path)).str,
            log_errno(-r).str);
        return r;
    }
    if (r == 0) {
        r = identity_check(broker, &identity, path, wanted_cluster_id, node_set);
        if (r < 0)
            return r;
    }
    bool complete = identity.cluster_id[0] != '\0' && identity.node_id >= 0;
    if (identity.cluster_id[0] == '\0' && wanted_cluster_id != NULL)
        snprintf(identity.cluster_id, sizeof(identity.cluster_id), "%s", wanted_cluster_id);
    if (identity.cluster_id[0] == '\0') {
        uint8_t random[UUID_SIZE];
        broker->env->ops->random(broker->env, random, sizeof(random));
        snprintf(identity.cluster_id, sizeof(identity.cluster_id), "%s",
            uuid_to_text(uuid_from_random(random)).str);
    }
    if (identity.node_id < 0)
        identity.node_id = broker->node_id;
    broker->node_id = identity.node_id;
    memcpy(broker->cluster_id, identity.cluster_id, sizeof(broker->cluster_id));
    if (complete)
        return 0;
    r = identity_write(broker->env, path, &identity);
    if (r < 0)
        log_error("data.unusable", "file=%s error=%s", log_quote(slice_from_str(path)).str,
            log_errno(-r).str);
    return r;
}
