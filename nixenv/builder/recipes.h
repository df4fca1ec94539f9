/* SPDX-License-Identifier: MIT */
/* The Nix expressions and the installer (nixenv/nix/), embedded by the build. */
#ifndef CUV_RECIPES_H
#define CUV_RECIPES_H

#include <stddef.h>

struct cuv_recipe {
	const char *name; /* base name; NULL closes the list */
	const unsigned char *data;
	size_t len;
};

extern const struct cuv_recipe cuv_recipes[];

#endif
