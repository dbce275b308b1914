// SPDX-License-Identifier: BSD-2-Clause
/*
 * The number is read once. A number that is not in the table ends the process: a run that meant to
 * prove something must not pass because of a typing error.
 */
#include "base/canary.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int canary_number;

static void canary_choose(void)
{
    const char *text = getenv("ODRADEK_CANARY");
    if (text == NULL || *text == '\0')
        return;
    char *end;
    long number = strtol(text, &end, 10);
    const char *name = *end == '\0' && number == 0 ? "none" : NULL;
#define CANARY_NAME(known, known_name, module, catcher, what) \
    if (*end == '\0' && number == (known))                    \
        name = #known_name;
    CANARIES(CANARY_NAME)
#undef CANARY_NAME
    if (name == NULL) {
        fprintf(stderr, "ODRADEK_CANARY=%s: there is no such canary\n", text);
        abort();
    }
    canary_number = (int)number;
}

bool canary_is(enum canary canary)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, canary_choose);
    return canary_number == (int)canary;
}
