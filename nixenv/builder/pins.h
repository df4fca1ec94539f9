/* SPDX-License-Identifier: MIT */
/*
 * The pinned images and tools that this program was built with: which store paths
 * they have, and whether the store has them. And the zygotes, which have no pin: their
 * paths follow from their sources, and `make store` leaves a link to each.
 */
#ifndef CUV_BUILDER_PINS_H
#define CUV_BUILDER_PINS_H

#include "nixenv/builder/state.h"
#include "nixenv/envpath.h"
#include "nixenv/python.h"

/* What belongs to one Python. */
struct cuv_pinned {
	const struct cuv_python *python;
	struct cuv_image image;
	char build_root[CUV_STORE_NAME_SIZE]; /* the image and a compiler, not in every store; "": none */
	struct cuv_sha256 recipes;	      /* over image and scripts: part of each request's key */
};

struct cuv_pins {
	struct cuv_pinned pythons[CUV_PYTHONS_MAX]; /* as in cuv_pythons: the default first */
	size_t n_pythons;
	struct cuv_tools tools; /* resolver_sealed, made and zygote are the caller's to set */
	struct cuv_env_scripts scripts;
};

/* Reads the embedded pins; -EINVAL with err INTERNAL when they are not right. */
int cuv_pins_read(struct cuv_pins *ret, struct cuv_error *err);
/* Those of a Python ("3.13"); NULL. */
const struct cuv_pinned *cuv_pins_find(const struct cuv_pins *p, const char *python);
/* 0 when the store has the default image and the tools; -EINVAL with err UNAVAILABLE
 * that names the missing one and the command that makes it. */
int cuv_pins_check(const struct cuv_pins *p, const struct cuv_builder_state *s, struct cuv_error *err);
/* The same of one Python's image. */
int cuv_pins_check_image(const struct cuv_pinned *p, const struct cuv_builder_state *s, struct cuv_error *err);
/* And of the root in which its source distributions are compiled; WHEEL_UNAVAILABLE
 * where that Python has none. */
int cuv_pins_check_build_root(const struct cuv_pinned *p, const struct cuv_builder_state *s, struct cuv_error *err);
/* The zygote that the store's link names, as it is now. False, and ret "", when there
 * is no link to a path that is there: runs are cold then. */
bool cuv_pins_zygote(const struct cuv_python *python, const struct cuv_builder_state *s, char ret[CUV_STORE_NAME_SIZE]);

#endif
