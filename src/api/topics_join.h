// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * topics_join: one request's operations on topics and configuration, sent together and joined when
 * the last is answered; and what their outcomes are in Kafka's terms. The request's arena belongs
 * to the operations until `finish`.
 */
#include "broker/topics/topics.h"
#include "net/request.h"

struct topics_join {
    struct request *req;
    struct topics_op *ops;
    size_t count, pending;
    void (*finish)(struct topics_join *join); /* fills the response; the loop that asked */
    void *context;
};

/* `count` zeroed operations in the request's arena, with arena and type set. */
struct topics_join *topics_join_new(struct request *req, enum topics_op_type type, size_t count,
    void (*finish)(struct topics_join *join));
/* Refuses operations of one type that name the same thing, all of them. */
void topics_join_refuse_duplicates(struct topics_join *join);
/* The same, but only the first of them stays and is answered, as Kafka does for topics. */
void topics_join_unite_duplicates(struct topics_join *join);
/* Leaves out operations with an error set already. HANDLE_DONE: nothing was to be sent, finish has
 * run. Else the request is completed after finish. */
enum handle_result topics_join_start(struct topics_join *join);

/* enum kafka_error of an outcome. */
int16_t topics_error_code(const struct topics_op *op);
/* Refuses an operation before it is sent. */
void topics_op_refuse(struct topics_op *op, enum topics_error error, struct slice message);

static inline struct broker *request_broker(const struct request *req)
{
    return req->conn->context;
}

/* Bits of authorized operations when everybody may do everything. */
#define AUTHORIZED_TOPIC   3576
#define AUTHORIZED_CLUSTER 8096
