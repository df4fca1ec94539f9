/* SPDX-License-Identifier: MIT */
/*
 * Resolving with source distributions among the choices. What one depends on often only
 * its wheel says, so wheels are made while versions are sought:
 *
 *   resolve ──ok, wheels for all──► lock
 *     │ one can't be judged without a build, or was chosen
 *     ▼
 *   build it in a box ─► resolve again, its wheel offered
 *
 * So the versions are those that the resolver itself would come to, were it allowed to
 * build. Where a build fails, wheels alone are tried. A bounded number of rounds and of
 * wheels.
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
