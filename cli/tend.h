/* SPDX-License-Identifier: MIT */
/*
 * Keeps a crew at work: a part that ends by itself is started again, at once the
 * first time, then after a pause that doubles up to some seconds, for as long as
 * it takes. The others stay as they are; see struct cuv_joint for why they need
 * no word of it. When a start has failed, sessions that wait for the part are
 * closed, so that their clients can be told to come back later.
 */
#ifndef CUV_TEND_H
#define CUV_TEND_H

#include "cli/crew.h"

/* Returns when `signals` (a signalfd) has one that asks us to stop; it has then
 * been read and is in *ret_signal. 0, or -errno when we can't even wait. The crew
 * must have been started, all of it ready, by a spec with `again`. */
int cuv_tend(const struct cuv_crew_spec *spec, struct cuv_crew *crew, int signals, int *ret_signal);

/* How long to wait after so many failures in a row, ms. */
uint64_t cuv_tend_pause_ms(unsigned failures);

/* Closes sessions that wait in the sockets of a part that does not come back soon:
 * their clients see it and can say so. No more than so many at once, and one more of
 * the listening socket. */
#define CUV_TEND_TURNED_AWAY_MAX 64
void cuv_tend_turn_away(const struct cuv_joint *j);

#endif
