// SPDX-License-Identifier: BSD-2-Clause
#pragma once
/* api_versions: the answer to a version of ApiVersions that is not spoken here, for net's hook. */
#include "wire/writer.h"

/* Fits net_config.unsupported. */
bool api_versions_unsupported(
    void *context, int16_t key, int16_t version, struct writer *ret_reply);
