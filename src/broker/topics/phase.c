// SPDX-License-Identifier: BSD-2-Clause
#include "broker/topics/phase.h"

#include <assert.h>

#include "broker/broker_internal.h"

static void phase_on_leg_done(struct loop_msg *msg)
{
    struct phase_leg *leg = container_of(msg, struct phase_leg, msg);
    struct phase *phase = leg->phase;
    assert(phase->legs_pending > 0);
    if (--phase->legs_pending > 0)
        return;
    free(phase->legs);
    phase->legs = NULL;
    phase->done(phase);
}

void phase_leg_hold(struct phase_leg *leg)
{
    assert(leg->pending > 0);
    leg->pending++;
}

void phase_leg_release(struct phase_leg *leg)
{
    assert(leg->pending > 0);
    if (--leg->pending == 0)
        loop_post(leg->phase->broker->loops[0], &leg->msg, phase_on_leg_done);
}

static void phase_on_leg(struct loop_msg *msg)
{
    struct phase_leg *leg = container_of(msg, struct phase_leg, msg);
    leg->pending = 1;
    parts_run(leg->at, leg);
    phase_leg_release(leg);
}

void phase_start(struct phase *phase)
{
    struct broker *broker = phase->broker;
    assert(phase->legs == NULL);
    phase->legs = xnew_n(struct phase_leg, broker->loops_count);
    phase->legs_pending = broker->loops_count;
    for (unsigned i = 0; i < broker->loops_count; i++) {
        phase->legs[i].phase = phase;
        phase->legs[i].at = &broker->by_loop[i];
        loop_post(broker->loops[i], &phase->legs[i].msg, phase_on_leg);
    }
}
