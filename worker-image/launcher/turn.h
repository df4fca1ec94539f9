/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is for a box, of runs that wait: the tenant's that has the fewest boxes
 * now, so that many runs of one don't hold up the one of another; of those that have
 * equally many the one that came first.
 */
#ifndef CUV_LAUNCHER_TURN_H
#define CUV_LAUNCHER_TURN_H

#include "worker-image/launcher/slots.h"

/* Its place in the queue, which has n > 0 tasks, the oldest first. */
size_t cuv_turn_next(const struct cuv_slots *s, struct cuv_task *const *queue, size_t n);

#endif
