// SPDX-License-Identifier: BSD-2-Clause
#include "api/lookup.h"
#include "api/nodes.h"
#include "base/log.h"
#include "broker/config/settings.h"
#include "net/request.h"
#include "wire/errors.gen.h"

#include <inttypes.h>

struct topic *lookup_topic(struct broker *broker, struct slice name, struct uuid id)
{
    const struct image *image = broker_image(broker);
    return uuid_is_zero(id) ? image_topic(image, name) : image_topic_by_id(image, id);
}

int16_t lookup_partition(const struct request *req, const struct topic *topic, struct uuid asked_id,
    int32_t index, struct part_id *ret_id)
{
    if (topic == NULL)
        return uuid_is_zero(asked_id) ? KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION
                                      : KAFKA_ERROR_UNKNOWN_TOPIC_ID;
    if (index < 0 || index >= topic->partitions_count)
        return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    *ret_id = (struct part_id){topic->id, index};
    return request_is_led(req, topic, index) ? KAFKA_ERROR_NONE
                                             : KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
}

bool lookup_too_many(const struct request *req, size_t partitions_count)
{
    int32_t max = broker_settings(req->conn->context)->partitions_max;
    if (partitions_count <= (size_t)max)
        return false;
    static struct log_limit limit;
    if (log_limit_pass(&limit, 1000))
        log_warn("request.too_many_partitions",
            "conn=%" PRIu64 " client=%s api=%s partitions=%zu max=%d action=close", req->conn->id,
            log_quote(req->client_id).str, req->api->name, partitions_count, max);
    return true;
}

int16_t lookup_partition_error(enum partition_error error)
{
    switch (error) {
    case PARTITION_OK: return KAFKA_ERROR_NONE;
    case PARTITION_PENDING: break;
    case PARTITION_NOT_OWNER: return KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
    case PARTITION_STORAGE: return KAFKA_ERROR_KAFKA_STORAGE_ERROR;
    /* Too much is waiting for the disk: clients retry this one. */
    case PARTITION_BUSY: return KAFKA_ERROR_REQUEST_TIMED_OUT;
    case PARTITION_OUT_OF_ORDER_SEQUENCE: return KAFKA_ERROR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case PARTITION_INVALID_PRODUCER_EPOCH: return KAFKA_ERROR_INVALID_PRODUCER_EPOCH;
    case PARTITION_INVALID_TXN_STATE:
    case PARTITION_NOT_IN_TXN: return KAFKA_ERROR_INVALID_TXN_STATE;
    case PARTITION_UNKNOWN_TXN_PRODUCER: return KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING;
    /* As Kafka says it to producers: they all try this one again. */
    case PARTITION_TXN_UNAVAILABLE: return KAFKA_ERROR_NOT_ENOUGH_REPLICAS;
    case PARTITION_OLD_COORDINATOR: return KAFKA_ERROR_TRANSACTION_COORDINATOR_FENCED;
    case PARTITION_OFFSET_OUT_OF_RANGE: return KAFKA_ERROR_OFFSET_OUT_OF_RANGE;
    case PARTITION_FENCED_LEADER_EPOCH: return KAFKA_ERROR_FENCED_LEADER_EPOCH;
    case PARTITION_UNKNOWN_LEADER_EPOCH: return KAFKA_ERROR_UNKNOWN_LEADER_EPOCH;
    case PARTITION_CORRUPT: return KAFKA_ERROR_CORRUPT_MESSAGE;
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

int16_t lookup_engine_error(enum engine_status status)
{
    switch (status) {
    case ENGINE_OK: return KAFKA_ERROR_NONE;
    case ENGINE_PENDING: break;
    case ENGINE_NOT_OWNER: return KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER;
    case ENGINE_BUSY: return KAFKA_ERROR_REQUEST_TIMED_OUT;
    case ENGINE_STORAGE: return KAFKA_ERROR_KAFKA_STORAGE_ERROR;
    case ENGINE_OUT_OF_RANGE: return KAFKA_ERROR_OFFSET_OUT_OF_RANGE;
    case ENGINE_CORRUPT: return KAFKA_ERROR_CORRUPT_MESSAGE;
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

int16_t lookup_epoch_error(int32_t asked_epoch, int32_t leader_epoch)
{
    if (asked_epoch > leader_epoch)
        return KAFKA_ERROR_UNKNOWN_LEADER_EPOCH;
    return asked_epoch >= 0 && asked_epoch < leader_epoch ? KAFKA_ERROR_FENCED_LEADER_EPOCH
                                                          : KAFKA_ERROR_NONE;
}
