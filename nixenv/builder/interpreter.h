/* SPDX-License-Identifier: MIT */
/*
 * An image's Python as a file of our own. The resolver keeps what it has learnt of an
 * interpreter by its path and ctime, and learns anew when that has changed; but where it
 * may choose source distributions it can execute none. The store's file gets another
 * ctime with each link that somebody makes of it or removes (copies of a store, Nix's own
 * optimisation); nobody has a reason to link this one, which lies over it in the
 * resolver's root.
 */
#ifndef CUV_BUILDER_INTERPRETER_H
#define CUV_BUILDER_INTERPRETER_H

#include "nixenv/builder/builder.h"

#include <limits.h>

/* The copy's path; made where it is missing or not whole. 0 or -errno: do without. */
int cuv_interpreter_own(const struct cuv_builder *b, const struct cuv_pinned *pinned, char ret[PATH_MAX]);
/* Before a collection: copies whose image the store has no more. */
void cuv_interpreters_forget(const struct cuv_builder *b);

#endif
