// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * share_common: what ShareFetch and ShareAcknowledge have in common: who may ask, acknowledgements
 * and their way to the partitions, error codes. On the group's home loop, but for what a home does
 * with its items.
 */
#include "api/fanout.h"
#include "broker/broker.h"
#include "broker/share/share_partition.h"
#include "net/request.h"

struct share_session;

/* KAFKA_ERROR_NONE, or why nobody is answered more than that, and a sentence (or null). */
int16_t share_request_check(
    const struct request *req, struct slice group, struct slice member, struct slice *ret_message);
/* The member's session at that epoch, which becomes the next one; FINAL: as it is. */
int16_t share_session_enter(const struct request *req, struct slice group, struct slice member,
    int32_t epoch, struct share_session **ret_session);
/* How long a member of the group has for a record. */
int32_t share_lock_ms(const struct request *req, struct slice group);
int16_t share_error_code(enum share_error error, enum partition_error partition_error);

/* One partition about which something is acknowledged. */
struct share_ack_item {
    struct fanout_item item;
    struct loop *home;
    struct broker *broker;
    struct part_id id;
    struct slice group;
    struct share_acknowledge op;
    int16_t error_code;
};

/* What the request may say at all. `types_max`: the greatest type it knows; `renew`: it says that
 * it renews. */
int16_t share_acks_check(const struct share_ack *acks, size_t count, int8_t types_max, bool renew);
/* For a fanout: acknowledges item->op at home. */
void share_ack_item_run(struct fanout_item *item);
