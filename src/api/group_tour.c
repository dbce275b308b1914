// SPDX-License-Identifier: BSD-2-Clause
#include "api/group_tour.h"

#include "api/nodes.h"

/* Deals with groups as long as they are at hand. */
static void group_tour_run(struct group_tour *tour)
{
    while (tour->at < tour->groups_count) {
        int32_t index = tour->order[tour->at];
        tour->op.group = slice_or_empty(tour->groups[index]);
        tour->op.shard = NULL;
        tour->op.error = GROUP_E_NOT_COORDINATOR;
        if (request_coordinates_group(tour->req, tour->op.group) &&
            groups_enter(&tour->op) == GROUPS_LATER)
            return;
        tour->at++;
        if (!tour->visit(tour, index, tour->op.shard, tour->op.error))
            return;
    }
    tour->end(tour);
}

static void group_tour_on_entered(struct groups_op *op)
{
    struct group_tour *tour = container_of(op, struct group_tour, op);
    int32_t index = tour->order[tour->at++];
    if (tour->visit(tour, index, op->shard, op->error))
        group_tour_run(tour);
}

void group_tour_next(struct group_tour *tour)
{
    group_tour_run(tour);
}

enum handle_result group_tour_start(
    struct group_tour *tour, struct request *req, const struct slice *groups, int32_t groups_count)
{
    tour->req = req;
    tour->groups = groups;
    tour->groups_count = groups_count;
    tour->at = 0;
    tour->order = arena_new_n(&req->arena, int32_t, (size_t)groups_count);
    struct broker *broker = request_broker(req);
    group_op_init(&tour->op, req, SLICE_LIT(""), false, group_tour_on_entered);
    int32_t count = 0;
    bool exists = broker_image(broker)->offsets != NULL;
    for (unsigned i = 0; i < broker_loops_count(broker); i++) {
        struct loop *loop = broker_loop(broker, i);
        for (int32_t g = 0; g < groups_count; g++) {
            if ((exists ? broker_group_home(broker, slice_or_empty(groups[g])) == loop : i == 0))
                tour->order[count++] = g;
        }
    }
    group_tour_run(tour);
    return HANDLE_PARKED;
}
