// SPDX-License-Identifier: BSD-2-Clause
#include "api/topics_join.h"

#include <assert.h>

#include "wire/errors.gen.h"

struct topics_join *topics_join_new(struct request *req, enum topics_op_type type, size_t count,
    void (*finish)(struct topics_join *join))
{
    struct topics_join *join = arena_new(&req->arena, struct topics_join);
    join->req = req;
    join->ops = arena_new_n(&req->arena, struct topics_op, count + 1);
    join->count = count;
    join->finish = finish;
    for (size_t i = 0; i < count; i++) {
        join->ops[i].type = type;
        join->ops[i].arena = &req->arena;
        join->ops[i].replication = -1;
        join->ops[i].partitions = -1;
    }
    return join;
}

static struct slice op_key(const struct topics_op *op)
{
    return slice_is_null(op->name) ? slice_make(op->id.bytes, UUID_SIZE) : op->name;
}

void topics_join_refuse_duplicates(struct topics_join *join)
{
    struct map seen[TOPICS_OP_TYPES_COUNT] = {0};
    for (size_t i = 0; i < join->count; i++) {
        struct topics_op *op = &join->ops[i];
        struct slice problem = SLICE_LIT("The request names this more than once.");
        struct topics_op *before = map_put(&seen[op->type], op_key(op), op);
        if (before == NULL)
            continue;
        topics_op_refuse(before, TOPICS_REQUEST_INVALID, problem);
        topics_op_refuse(op, TOPICS_REQUEST_INVALID, problem);
    }
    for (size_t i = 0; i < ARRAY_COUNT(seen); i++)
        map_deinit(&seen[i]);
}

void topics_join_unite_duplicates(struct topics_join *join)
{
    struct map seen[TOPICS_OP_TYPES_COUNT] = {0};
    size_t kept = 0;
    topics_join_refuse_duplicates(join);
    for (size_t i = 0; i < join->count; i++) {
        struct topics_op *op = &join->ops[i];
        if (map_get(&seen[op->type], op_key(op)) != NULL)
            continue;
        struct topics_op *to = &join->ops[kept++];
        *to = *op;
        map_put(&seen[to->type], op_key(to), to); /* the key must not move any more */
    }
    join->count = kept;
    for (size_t i = 0; i < ARRAY_COUNT(seen); i++)
        map_deinit(&seen[i]);
}

static void join_finish(struct topics_join *join)
{
    join->finish(join);
    for (size_t i = 0; i < join->count; i++)
        topics_op_deinit(&join->ops[i]);
}

static void join_on_op_done(struct broker_call *call)
{
    struct topics_join *join = call->context;
    struct request *req = join->req;
    assert(join->pending > 0);
    if (--join->pending > 0)
        return;
    join_finish(join);
    request_complete(req);
}

enum handle_result topics_join_start(struct topics_join *join)
{
    for (size_t i = 0; i < join->count; i++)
        join->pending += join->ops[i].error == TOPICS_OK;
    if (join->pending == 0) {
        join_finish(join);
        return HANDLE_DONE;
    }
    for (size_t i = 0, sent = 0, pending = join->pending; sent < pending; i++) {
        struct topics_op *op = &join->ops[i];
        if (op->error != TOPICS_OK)
            continue;
        sent++;
        op->call.done = join_on_op_done;
        op->call.context = join;
        topics_submit(request_broker(join->req), op);
    }
    return HANDLE_PARKED;
}

int16_t topics_error_code(const struct topics_op *op)
{
    switch (op->error) {
    case TOPICS_OK: return KAFKA_ERROR_NONE;
    case TOPICS_EXISTS: return KAFKA_ERROR_TOPIC_ALREADY_EXISTS;
    case TOPICS_UNKNOWN:
        return slice_is_null(op->name) ? KAFKA_ERROR_UNKNOWN_TOPIC_ID
                                       : KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    case TOPICS_NAME_INVALID: return KAFKA_ERROR_INVALID_TOPIC_EXCEPTION;
    case TOPICS_PARTITIONS_INVALID: return KAFKA_ERROR_INVALID_PARTITIONS;
    case TOPICS_REPLICATION_INVALID: return KAFKA_ERROR_INVALID_REPLICATION_FACTOR;
    case TOPICS_ASSIGNMENT_INVALID: return KAFKA_ERROR_INVALID_REPLICA_ASSIGNMENT;
    case TOPICS_MOVE_NEEDLESS: return KAFKA_ERROR_ELECTION_NOT_NEEDED;
    case TOPICS_CONFIG_INVALID: return KAFKA_ERROR_INVALID_CONFIG;
    case TOPICS_REQUEST_INVALID: return KAFKA_ERROR_INVALID_REQUEST;
    case TOPICS_DELETION_DISABLED: return KAFKA_ERROR_TOPIC_DELETION_DISABLED;
    case TOPICS_LIMIT: return KAFKA_ERROR_POLICY_VIOLATION;
    case TOPICS_STORAGE: return KAFKA_ERROR_KAFKA_STORAGE_ERROR;
    case TOPICS_STOPPING: return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    }
    assert(false);
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

void topics_op_refuse(struct topics_op *op, enum topics_error error, struct slice message)
{
    op->error = error;
    op->message = message;
}
