/* SPDX-License-Identifier: MIT */
/*
 * The launcher's test of itself: before it says that it is ready it makes one box
 * by the very same code as for a run, and instead of executing a program looks
 * around in it. What does not hold is a missing layer.
 */
#ifndef CUV_LAUNCHER_PROBE_H
#define CUV_LAUNCHER_PROBE_H

#include "worker-image/launcher/keeper.h"

/* Fills in the states of all layers; host->proc_works is set on the way. */
void cuv_probe(struct cuv_host *host, const struct cuv_cgroups *cgroups, struct cuv_layers *ret);

#endif
