/* SPDX-License-Identifier: MIT */
/*
 * Resolving where wheels alone don't do. What a source distribution depends on only
 * its wheel says for certain, so wheels are made while versions are sought:
 *
 *   resolve with wheels alone ──ok──► lock
 *     │ no wheel fits for these projects
 *     ▼
 *   plan: which source distributions would be taken ─► build them in boxes
 *     ▲                                                       │
 *     └──────────── resolve again, their wheels offered ◄─────┘
 *
 * Wheels are taken wherever one fits. A bounded number of rounds and of wheels.
 */
#ifndef CUV_SDIST_ROUNDS_H
#define CUV_SDIST_ROUNDS_H

#include "nixenv/builder/make.h"
#include "nixenv/builder/resolve.h"

/* As cuv_resolve, and with what cuv_sdist_build fails with. Each package built here has
 * the origin BUILT and no address, and its wheel is in the store. what is borrowed, its
 * offers and lacking are not looked at. */
int cuv_sdist_rounds(const struct cuv_make *m, const struct cuv_resolve *what, struct cuv_lock *ret,
		     struct cuv_error *err);

#endif
