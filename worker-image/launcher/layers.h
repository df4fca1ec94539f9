/* SPDX-License-Identifier: MIT */
/* The state of each layer of isolation: what the host gives, what the operator
 * has said may be missing, and the refusal to start in between. */
#ifndef CUV_LAUNCHER_LAYERS_H
#define CUV_LAUNCHER_LAYERS_H

#include "lib/proto/messages.h"

/* A set of layers, one bit each. */
static inline unsigned cuv_layer_bit(enum cuv_layer l)
{
	return 1u << l;
}

/* "name,name": layers that may be missing. 0, or -EINVAL with err set (unknown,
 * or one that may never be missing). Adds to *set. */
int cuv_layers_parse_allowed(const char *list, unsigned *set, struct cuv_error *err);

/* All layers ok. */
void cuv_layers_init(struct cuv_layers *l);
/* Marks one as missing; why says what is wrong and what to do. */
void cuv_layers_missing(struct cuv_layers *l, enum cuv_layer layer, const char *why);
/* Missing layers that are allowed to be become DEGRADED. 0 when none is left
 * missing (Landlock is not the launcher's to judge), otherwise -EPERM with one
 * message that names all of them. */
int cuv_layers_accept(struct cuv_layers *l, unsigned allowed, struct cuv_error *err);

#endif
