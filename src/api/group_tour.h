// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * group_tour: takes a request about several groups from home loop to home loop. The request's arena
 * has one owner at a time, so it travels along: all groups of one loop are dealt with there, then
 * the request hops to the next loop, and is completed at the end. At most one hop per loop.
 *
 *   tour->visit(tour, index, shard, error)   on the home loop of groups[index], for each group;
 *                                            true: go on; false: waits, group_tour_next goes on
 *   tour->end(tour)                          once, on the last loop; usually request_complete
 */
#include "api/group_common.h"

struct group_tour {
    struct groups_op op;
    struct request *req;
    const struct slice *groups; /* the caller's, in the arena */
    int32_t groups_count;
    bool (*visit)(
        struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error);
    void (*end)(struct group_tour *tour);
    /* own */
    int32_t *order; /* indexes by home loop */
    int32_t at;
};

/* Ends in tour->end, maybe from within. */
enum handle_result group_tour_start(
    struct group_tour *tour, struct request *req, const struct slice *groups, int32_t groups_count);
void group_tour_next(struct group_tour *tour);
