// SPDX-License-Identifier: BSD-2-Clause
#include "api/share_common.h"

#include "api/group_common.h"
#include "api/lookup.h"
#include "api/nodes.h"
#include "broker/config/settings.h"
#include "broker/group/group_overrides.h"
#include "broker/share/share_sessions.h"

#define SHARE_MEMBER_SIZE_MAX 36 /* as long as a uuid's text */

int16_t share_request_check(
    const struct request *req, struct slice group, struct slice member, struct slice *ret_message)
{
    *ret_message = SLICE_NULL;
    if (!broker_settings(req->conn->context)->group.share_enabled)
        return KAFKA_ERROR_UNSUPPORTED_VERSION;
    if (slice_is_null(group)) {
        *ret_message = SLICE_LIT("Invalid group id in the request.");
        return KAFKA_ERROR_INVALID_REQUEST;
    }
    if (slice_is_null(member) || member.size == 0 || member.size > SHARE_MEMBER_SIZE_MAX) {
        *ret_message = SLICE_LIT("Invalid member id in the request.");
        return KAFKA_ERROR_INVALID_REQUEST;
    }
    return KAFKA_ERROR_NONE;
}

int16_t share_session_enter(const struct request *req, struct slice group, struct slice member,
    int32_t epoch, struct share_session **ret_session)
{
    struct share_session *session = share_sessions_get(
        broker_share_sessions(req->conn->context), request_node(req), group, member);
    if (session == NULL)
        return KAFKA_ERROR_SHARE_SESSION_NOT_FOUND;
    if (epoch != SHARE_SESSION_EPOCH_FINAL) {
        if (session->epoch != epoch)
            return KAFKA_ERROR_INVALID_SHARE_SESSION_EPOCH;
        session->epoch = share_session_epoch_next(epoch);
    }
    *ret_session = session;
    return KAFKA_ERROR_NONE;
}

int32_t share_lock_ms(const struct request *req, struct slice group)
{
    struct broker *broker = req->conn->context;
    return group_overrides_effective(group_configs_find(broker_image(broker)->group_configs, group),
        &broker_settings(broker)->group, GROUP_KEY_SHARE_LOCK_MS);
}

int16_t share_error_code(enum share_error error, enum partition_error partition_error)
{
    switch (error) {
    case SHARE_OK: return KAFKA_ERROR_NONE;
    case SHARE_E_STATE: return KAFKA_ERROR_INVALID_RECORD_STATE;
    case SHARE_E_INVALID: return KAFKA_ERROR_INVALID_REQUEST;
    case SHARE_E_UNKNOWN: return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    case SHARE_E_NOT_LEADER: return KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
    case SHARE_E_UNAVAILABLE: return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    case SHARE_E_STORED: return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
    case SHARE_E_READ: return lookup_partition_error(partition_error);
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

static bool share_ack_valid(const struct share_ack *ack, int8_t types_max, bool renew)
{
    if (ack->first > ack->last || ack->types_count == 0)
        return false;
    /* The difference of what is in order fits an unsigned. */
    if (ack->types_count > 1 && (uint64_t)ack->last - (uint64_t)ack->first != ack->types_count - 1)
        return false;
    for (size_t i = 0; i < ack->types_count; i++) {
        if (ack->types[i] < 0 || ack->types[i] > types_max ||
            (ack->types[i] == SHARE_ACK_RENEW && !renew))
            return false;
    }
    return true;
}

int16_t share_acks_check(const struct share_ack *acks, size_t count, int8_t types_max, bool renew)
{
    for (size_t i = 0; i < count; i++) {
        if (!share_ack_valid(&acks[i], types_max, renew) ||
            (i > 0 && acks[i].first < acks[i - 1].last))
            return KAFKA_ERROR_INVALID_REQUEST;
    }
    return KAFKA_ERROR_NONE;
}

static void share_ack_item_on_done(struct share_acknowledge *op)
{
    struct share_ack_item *my = container_of(op, struct share_ack_item, op);
    my->error_code = share_error_code(op->error, PARTITION_OK);
    fanout_item_done(&my->item);
}

void share_ack_item_run(struct fanout_item *item)
{
    struct share_ack_item *my = container_of(item, struct share_ack_item, item);
    struct share_partition *partition =
        share_parts_get(broker_share_parts(my->broker), my->group, &my->id, false);
    if (partition == NULL) {
        my->error_code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        fanout_item_done(item);
        return;
    }
    my->op.done = share_ack_item_on_done;
    share_partition_acknowledge(partition, &my->op);
}
