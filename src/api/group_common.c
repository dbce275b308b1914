// SPDX-License-Identifier: BSD-2-Clause
#include "api/group_common.h"

#include "api/nodes.h"
#include "broker/config/settings.h"

int16_t group_error_code(enum group_error error)
{
    switch (error) {
    case GROUP_OK: return KAFKA_ERROR_NONE;
    case GROUP_E_UNKNOWN_MEMBER: return KAFKA_ERROR_UNKNOWN_MEMBER_ID;
    case GROUP_E_FENCED_INSTANCE: return KAFKA_ERROR_FENCED_INSTANCE_ID;
    case GROUP_E_ILLEGAL_GENERATION: return KAFKA_ERROR_ILLEGAL_GENERATION;
    case GROUP_E_REBALANCING: return KAFKA_ERROR_REBALANCE_IN_PROGRESS;
    case GROUP_E_INCONSISTENT_PROTOCOL: return KAFKA_ERROR_INCONSISTENT_GROUP_PROTOCOL;
    case GROUP_E_MEMBER_ID_REQUIRED: return KAFKA_ERROR_MEMBER_ID_REQUIRED;
    case GROUP_E_FULL: return KAFKA_ERROR_GROUP_MAX_SIZE_REACHED;
    case GROUP_E_INVALID_SESSION_TIMEOUT: return KAFKA_ERROR_INVALID_SESSION_TIMEOUT;
    case GROUP_E_INVALID_GROUP_ID: return KAFKA_ERROR_INVALID_GROUP_ID;
    case GROUP_E_NOT_COORDINATOR: return KAFKA_ERROR_NOT_COORDINATOR;
    case GROUP_E_UNAVAILABLE: return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    case GROUP_E_LOADING: return KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    case GROUP_E_NOT_FOUND: return KAFKA_ERROR_GROUP_ID_NOT_FOUND;
    case GROUP_E_NON_EMPTY: return KAFKA_ERROR_NON_EMPTY_GROUP;
    case GROUP_E_SUBSCRIBED: return KAFKA_ERROR_GROUP_SUBSCRIBED_TO_TOPIC;
    case GROUP_E_METADATA_TOO_LARGE: return KAFKA_ERROR_OFFSET_METADATA_TOO_LARGE;
    case GROUP_E_UNKNOWN_PARTITION: return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    case GROUP_E_UNKNOWN_TOPIC_ID: return KAFKA_ERROR_UNKNOWN_TOPIC_ID;
    case GROUP_E_FENCED_PRODUCER: return KAFKA_ERROR_INVALID_PRODUCER_EPOCH;
    case GROUP_E_UNKNOWN_PRODUCER: return KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING;
    case GROUP_E_FENCED_EPOCH: return KAFKA_ERROR_FENCED_MEMBER_EPOCH;
    case GROUP_E_STALE_EPOCH: return KAFKA_ERROR_STALE_MEMBER_EPOCH;
    case GROUP_E_UNRELEASED_INSTANCE: return KAFKA_ERROR_UNRELEASED_INSTANCE_ID;
    case GROUP_E_UNSUPPORTED_ASSIGNOR: return KAFKA_ERROR_UNSUPPORTED_ASSIGNOR;
    case GROUP_E_INVALID_REGEX: return KAFKA_ERROR_INVALID_REGULAR_EXPRESSION;
    case GROUP_E_UNSUPPORTED: return KAFKA_ERROR_UNSUPPORTED_VERSION;
    case GROUP_E_NOT_IN_TXN: return KAFKA_ERROR_INVALID_TXN_STATE;
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

struct broker *request_broker(const struct request *req)
{
    return req->conn->context;
}

void group_op_init(struct groups_op *op, struct request *req, struct slice group, bool create,
    void (*run)(struct groups_op *op))
{
    *op = (struct groups_op){
        .broker = request_broker(req), .group = group, .create = create, .run = run};
    if (!request_coordinates_group(req, slice_or_empty(group)))
        op->error = GROUP_E_NOT_COORDINATOR;
}

enum handle_result group_op_start(struct groups_op *op)
{
    if (op->error != GROUP_OK || groups_enter(op) == GROUPS_HERE)
        op->run(op);
    return HANDLE_PARKED;
}

void group_watch_member(struct request *req, struct groups_op *op)
{
    if (broker_settings(op->broker)->group.disconnect_expiry_ms < 0)
        return;
    request_watch_close(req);
    op->conn_id = req->conn->id;
}

struct topic *group_topic(struct broker *broker, bool by_id, struct slice name, struct uuid id)
{
    const struct image *image = broker_image(broker);
    return by_id ? image_topic_by_id(image, id) : image_topic(image, name);
}
