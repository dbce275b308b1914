// SPDX-License-Identifier: BSD-2-Clause
/* ListPartitionReassignments: none is ever under way, since AlterPartitionReassignments completes
 * them before it answers. */
#include "net/request.h"
#include "wire/list_partition_reassignments.gen.h"

enum handle_result list_partition_reassignments_handle(struct request *req,
    const struct list_partition_reassignments_request *request,
    struct list_partition_reassignments_response *response)
{
    (void)req;
    (void)request;
    response->topics_count = 0;
    return HANDLE_DONE;
}
