// SPDX-License-Identifier: BSD-2-Clause
/* ListTransactions: the request goes round all loops and takes the transactional ids of each along,
 * as far as they pass its filters. */
#include "wire/list_transactions.gen.h"

#include "api/nodes.h"
#include "api/txn_common.h"
#include "base/regex.h"

#define LIST_TRANSACTIONS_ROOM_FIRST 64

struct list_transactions {
    struct request *req;
    const struct list_transactions_request *request;
    struct list_transactions_response *response;
    size_t room;
    int64_t now_ms;
    unsigned loop_index;
    struct regex *pattern; /* NULL: any name */
    struct txns_op op;
};

static bool list_transactions_wanted(const struct list_transactions *my, const struct txn *txn)
{
    const struct list_transactions_request *request = my->request;
    bool state = request->state_filters_count <= 0,
         producer = request->producer_id_filters_count <= 0;
    for (int32_t i = 0; i < request->state_filters_count && !state; i++)
        state = slice_equal_str(request->state_filters[i], txn_state_name(txn->now.state));
    for (int32_t i = 0; i < request->producer_id_filters_count && !producer; i++)
        producer = request->producer_id_filters[i] == txn->now.producer_id;
    bool old =
        request->duration_filter < 0 || my->now_ms - txn->now.start_ms > request->duration_filter;
    return state && producer && old && (my->pattern == NULL || regex_matches(my->pattern, txn->id));
}

static void list_transactions_add(void *ctx, const struct txn *txn)
{
    struct list_transactions *my = ctx;
    struct list_transactions_response *response = my->response;
    struct arena *arena = &my->req->arena;
    if (!list_transactions_wanted(my, txn) || !request_coordinates_txn(my->req, txn->id))
        return;
    size_t count = (size_t)response->transaction_states_count;
    if (count == my->room) {
        my->room = my->room == 0 ? LIST_TRANSACTIONS_ROOM_FIRST : my->room * 2;
        struct list_transactions_response_transaction_state *states =
            arena_new_n(arena, struct list_transactions_response_transaction_state, my->room);
        if (count > 0)
            memcpy(states, response->transaction_states, count * sizeof(*states));
        response->transaction_states = states;
    }
    struct list_transactions_response_transaction_state *out =
        &response->transaction_states[response->transaction_states_count++];
    list_transactions_response_transaction_state_init(out);
    out->transactional_id = arena_copy_slice(arena, txn->id);
    out->producer_id = txn->now.producer_id;
    out->transaction_state = slice_from_str(txn_state_name(txn->now.state));
}

static void list_transactions_end(struct list_transactions *my)
{
    regex_free(my->pattern);
    request_complete(my->req);
}

static void list_transactions_on_visit(struct txns_op *op)
{
    struct list_transactions *my = container_of(op, struct list_transactions, op);
    if (op->error != TXN_OK)
        my->response->error_code = txn_error_code(op->error, my->req, 0);
    else
        txns_each(op->broker, list_transactions_add, my);
    if (++my->loop_index < broker_loops_count(op->broker))
        txns_visit(op, my->loop_index);
    else
        list_transactions_end(my);
}

/* Names that no state has are sent back, so that a tool can tell its user. */
static void list_transactions_unknown_states(struct list_transactions *my)
{
    const struct list_transactions_request *request = my->request;
    struct list_transactions_response *response = my->response;
    if (request->state_filters_count <= 0)
        return;
    response->unknown_state_filters =
        arena_new_n(&my->req->arena, struct slice, (size_t)request->state_filters_count);
    for (int32_t i = 0; i < request->state_filters_count; i++) {
        bool known = false;
        for (int state = 0; state < TXN_STATES_COUNT && !known; state++)
            known =
                slice_equal_str(request->state_filters[i], txn_state_name((enum txn_state)state));
        if (!known)
            response->unknown_state_filters[response->unknown_state_filters_count++] =
                request->state_filters[i];
    }
}

enum handle_result list_transactions_handle(struct request *req,
    const struct list_transactions_request *request, struct list_transactions_response *response)
{
    struct list_transactions *my = arena_new(&req->arena, struct list_transactions);
    my->req = req;
    my->request = request;
    my->response = response;
    my->op = (struct txns_op){.broker = req->conn->context, .done = list_transactions_on_visit};
    my->now_ms = env_real_ms(broker_env(my->op.broker));
    if (request->transactional_id_pattern.size > 0 &&
        regex_new(request->transactional_id_pattern, &my->pattern) < 0) {
        response->error_code = KAFKA_ERROR_INVALID_REGULAR_EXPRESSION;
        return HANDLE_DONE;
    }
    list_transactions_unknown_states(my);
    txns_visit(&my->op, 0);
    return HANDLE_PARKED;
}
