// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/*
 * overrides: configuration as people ask for it (set, delete, append, subtract) turned into checked
 * changes. Loop 0; results live in the operation's arena.
 */
#include "broker/group/group_overrides.h"
#include "broker/topics/topics.h"

/* `topic` NULL: it is being created. False: op->error and message are set. */
bool overrides_resolve(struct topics_op *op, const struct topic *topic,
    const struct broker_settings *settings, struct override_change **ret_changes,
    size_t *ret_changes_count);
/* The broker's configuration with the operation applied to one dynamic layer. The caller frees it.
 */
bool overrides_resolve_broker(struct topics_op *op, const struct config *config,
    enum config_source source, struct config **ret_config);
/* The values of a group (`current`: its present ones, may be NULL) with the operation applied. */
bool overrides_resolve_group(struct topics_op *op, const struct group_overrides *current,
    const struct broker_settings *settings, struct group_values *ret_values);
