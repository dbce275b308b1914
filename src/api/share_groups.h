// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* share_groups: what the handlers about share groups share. */
#include "api/group_common.h"
#include "broker/config/settings.h"

#define SHARE_DISABLED_TEXT "Share groups are not enabled (odradek.share.version)."

/* Of a change that was refused as a whole; null: the code says enough. */
static inline struct slice share_error_text(
    struct arena *arena, struct slice group, enum group_error error)
{
    if (error == GROUP_E_NON_EMPTY)
        return SLICE_LIT("The group is not empty.");
    if (error == GROUP_E_NOT_FOUND)
        return arena_printf(arena, "Group %.*s not found.", SLICE_FMT(group));
    return SLICE_NULL;
}

static inline bool share_is_enabled(const struct request *req)
{
    return broker_settings(request_broker(req))->group.share_enabled;
}
