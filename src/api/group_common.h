// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_common: what the handlers of group APIs share: the mapping of the domain's conditions to
 * Kafka's codes, and the start of a request that goes to one group.
 */
#include "broker/group/groups.h"
#include "net/request.h"
#include "wire/errors.gen.h"

struct topic;

int16_t group_error_code(enum group_error error);

struct broker *request_broker(const struct request *req);

/* Fills the op for a request about one group; refused at once when another broker coordinates it. A
 * member that is heard of on a connection is watched with it when the profile says so. */
void group_op_init(struct groups_op *op, struct request *req, struct slice group, bool create,
    void (*run)(struct groups_op *op));
/* Sends the op on its way; ends in run, now or later. */
enum handle_result group_op_start(struct groups_op *op);
/* The request comes from a member: should its connection close, the member is to go with it. */
void group_watch_member(struct request *req, struct groups_op *op);

/* A topic as clients name it: by name, or by id when `by_id`. NULL: there is none. */
struct topic *group_topic(struct broker *broker, bool by_id, struct slice name, struct uuid id);

/* Bits of Kafka's ACL operations that make sense for a group. */
#define GROUP_OPERATIONS ((1 << 3) | (1 << 6) | (1 << 8) | (1 << 10) | (1 << 11))

static inline struct slice slice_or_empty(struct slice s)
{
    return slice_is_null(s) ? SLICE_LIT("") : s;
}
