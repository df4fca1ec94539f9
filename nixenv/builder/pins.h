/* SPDX-License-Identifier: MIT */
/*
 * The pinned image and tools that this program was built with: which store paths
 * they have, and whether the store has them. And the zygote, which has no pin: its
 * path follows from its sources, and `make store` leaves a link to it.
 */
#ifndef CUV_BUILDER_PINS_H
#define CUV_BUILDER_PINS_H

#include "nixenv/builder/state.h"
#include "nixenv/envpath.h"

#define CUV_PYTHON "3.11"

struct cuv_pins {
	struct cuv_image image;
	struct cuv_tools tools; /* resolver_sealed and zygote are the caller's to set */
	struct cuv_env_scripts scripts;
	struct cuv_sha256 recipes; /* over image and scripts: part of each request's key */
};

/* Reads the embedded pins; -EINVAL with err INTERNAL when they are not right. */
int cuv_pins_read(struct cuv_pins *ret, struct cuv_error *err);
/* 0 when the store has all of them; -EINVAL with err UNAVAILABLE that names the
 * missing one and the command that makes it. */
int cuv_pins_check(const struct cuv_pins *p, const struct cuv_builder_state *s, struct cuv_error *err);
/* The zygote that the store's link names, as it is now. False, and ret "", when there
 * is no link to a path that is there: runs are cold then. */
bool cuv_pins_zygote(const struct cuv_builder_state *s, char ret[CUV_STORE_NAME_SIZE]);

#endif
