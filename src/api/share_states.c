// SPDX-License-Identifier: BSD-2-Clause
#include "api/share_states.h"

#include "api/nodes.h"
#include "wire/errors.gen.h"

#include <assert.h>
#include <stdlib.h>

struct share_states_one {
    struct share_state_op op;
    struct share_states *all;
    void (*answer)(struct request *req, const struct share_state_op *op, int16_t error_code,
        struct slice error_message, void *response);
    void *response;
};

struct share_states {
    struct request *req;
    struct slice group;
    struct share_states_one *ones;
    size_t count, capacity, left;
};

struct share_states *share_states_new(struct request *req, struct slice group, size_t count)
{
    struct share_states *states = arena_new(&req->arena, struct share_states);
    *states = (struct share_states){.req = req,
        .group = group,
        .ones = arena_new_n(&req->arena, struct share_states_one, count),
        .capacity = count};
    return states;
}

static int16_t share_state_error_code(const struct share_state_op *op, struct slice *ret_message)
{
    *ret_message = SLICE_NULL;
    switch (op->error) {
    case SHARE_STATE_OK: return KAFKA_ERROR_NONE;
    case SHARE_STATE_E_INVALID:
        *ret_message =
            op->partition < 0 ? SLICE_LIT("The partition id cannot be a negative number.")
            : op->kind == SHARE_STATE_READ
                ? SLICE_LIT("Read operation on uninitialized share partition not allowed.")
                : SLICE_LIT("Write operation on uninitialized share partition not allowed.");
        return KAFKA_ERROR_INVALID_REQUEST;
    case SHARE_STATE_E_FENCED_LEADER: return KAFKA_ERROR_FENCED_LEADER_EPOCH;
    case SHARE_STATE_E_FENCED_STATE: return KAFKA_ERROR_FENCED_STATE_EPOCH;
    case SHARE_STATE_E_UNKNOWN_TOPIC: return KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    case SHARE_STATE_E_NOT_COORDINATOR: return KAFKA_ERROR_NOT_COORDINATOR;
    case SHARE_STATE_E_UNAVAILABLE: return KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    case SHARE_STATE_E_LOADING: return KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    }
    return KAFKA_ERROR_UNKNOWN_SERVER_ERROR;
}

static void share_states_answer(struct share_states_one *one)
{
    struct slice message;
    int16_t code = share_state_error_code(&one->op, &message);
    one->answer(one->all->req, &one->op, code, message, one->response);
}

static void share_states_on_done(struct share_state_op *op)
{
    struct share_states_one *one = container_of(op, struct share_states_one, op);
    struct share_states *states = one->all;
    share_states_answer(one);
    share_state_op_deinit(op);
    assert(states->left > 0);
    if (--states->left == 0)
        request_complete(states->req);
}

struct share_state_op *share_states_add(struct share_states *states, enum share_state_kind kind,
    struct uuid topic_id, int32_t partition,
    void (*answer)(struct request *req, const struct share_state_op *op, int16_t error_code,
        struct slice error_message, void *response),
    void *response)
{
    assert(states->count < states->capacity);
    struct share_states_one *one = &states->ones[states->count++];
    *one = (struct share_states_one){.op = {.broker = states->req->conn->context,
                                         .kind = kind,
                                         .group = states->group,
                                         .topic_id = topic_id,
                                         .partition = partition,
                                         .state_epoch = -1,
                                         .leader_epoch = -1,
                                         .done = share_states_on_done},
        .all = states,
        .answer = answer,
        .response = response};
    return &one->op;
}

/* Another broker coordinates it. */
static bool share_states_elsewhere(
    const struct share_states *states, const struct share_state_op *op)
{
    char *key = share_state_key(op->group, op->topic_id, op->partition);
    bool ours = request_coordinates_share(states->req, slice_from_str(key));
    free(key);
    return !ours;
}

enum handle_result share_states_start(struct share_states *states)
{
    states->left = states->count;
    size_t count = states->count;
    for (size_t i = 0; i < count; i++) {
        struct share_states_one *one = &states->ones[i];
        if (share_states_elsewhere(states, &one->op)) {
            one->op.error = SHARE_STATE_E_NOT_COORDINATOR;
            share_states_answer(one);
            states->left--;
        } else {
            share_state_submit(&one->op); /* answered later, never from within */
        }
    }
    return states->left == 0 ? HANDLE_DONE : HANDLE_PARKED;
}
