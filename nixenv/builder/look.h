/* SPDX-License-Identifier: MIT */
/* What is said about environments to who does not use them (lib/proto/look.h): read from
 * their manifests and Nix's book, without a process. */
#ifndef CUV_BUILDER_LOOK_H
#define CUV_BUILDER_LOOK_H

#include "lib/proto/look.h"
#include "nixenv/builder/builder.h"

/* 0, or -EINVAL with err set (ENVIRONMENT_UNKNOWN). ret must be empty. */
int cuv_look(const struct cuv_builder *b, const char *digest, struct cuv_look *ret, struct cuv_error *err);
/* Those of asked that are there. 0 or -ENOMEM. */
int cuv_look_which(const struct cuv_builder *b, const struct cuv_which *asked, struct cuv_which *ret);

#endif
