// SPDX-License-Identifier: BSD-2-Clause
/* DeleteGroups: groups that nobody is in go, with their offsets; each is answered when its
 * tombstones are committed. */
#include "wire/delete_groups.gen.h"

#include "api/group_tour.h"

struct delete_groups {
    struct group_tour tour;
    struct groups_deletion deletion;
    struct delete_groups_response *response;
    int32_t index;
    bool inside; /* the deletion may answer from within */
    bool answered;
};

static void delete_groups_on_done(struct groups_deletion *deletion, enum group_error error)
{
    struct delete_groups *my = container_of(deletion, struct delete_groups, deletion);
    my->response->results[my->index].error_code = group_error_code(error);
    my->answered = true;
    if (!my->inside)
        group_tour_next(&my->tour);
}

static bool delete_groups_visit(
    struct group_tour *tour, int32_t index, struct groups_shard *shard, enum group_error error)
{
    struct delete_groups *my = container_of(tour, struct delete_groups, tour);
    if (shard == NULL) {
        my->response->results[index].error_code = group_error_code(error);
        return true;
    }
    my->index = index;
    my->answered = false;
    my->inside = true;
    my->deletion = (struct groups_deletion){.done = delete_groups_on_done};
    groups_delete(shard, tour->op.group, &my->deletion);
    my->inside = false;
    return my->answered;
}

static void delete_groups_end(struct group_tour *tour)
{
    request_complete(tour->req);
}

enum handle_result delete_groups_handle(struct request *req,
    const struct delete_groups_request *request, struct delete_groups_response *response)
{
    struct delete_groups *my = arena_new(&req->arena, struct delete_groups);
    my->response = response;
    my->tour.visit = delete_groups_visit;
    my->tour.end = delete_groups_end;
    size_t count = (size_t)request->groups_names_count;
    struct slice *names = arena_new_n(&req->arena, struct slice, count);
    _cleanup_(map_deinit) struct map seen = MAP_NULL;
    response->results = arena_new_n(&req->arena, struct delete_groups_response_group, count);
    for (size_t i = 0; i < count; i++) {
        struct delete_groups_response_group *out = &response->results[response->results_count];
        if (map_put(&seen, request->groups_names[i], out) != NULL)
            continue; /* a group that is named twice is deleted and answered once */
        delete_groups_response_group_init(out);
        out->group_id = request->groups_names[i];
        names[response->results_count++] = request->groups_names[i];
    }
    return group_tour_start(&my->tour, req, names, response->results_count);
}
