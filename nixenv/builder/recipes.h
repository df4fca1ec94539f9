/* SPDX-License-Identifier: MIT */
/* The Nix expressions and the installer (nixenv/nix/), embedded by the build. */
#ifndef CUV_RECIPES_H
#define CUV_RECIPES_H

#include "lib/base/embed.h"

extern const struct cuv_embedded cuv_recipes[];

#endif
