// SPDX-License-Identifier: BSD-2-Clause
// Holds a restarted broker against the model.
#pragma once

#include "model.h"

// 0: everything is as it must be; -1: the violation is noted (or the broker is gone). First what it
// kept is read, then what had no answer is sent again, then it must take more of everything.
int model_check(struct model *model);
