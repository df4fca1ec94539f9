/* SPDX-License-Identifier: MIT */
/*
 * Wheel file names (PEP 427) and their platform tags (PEP 425, 600): which wheel
 * of a release fits a worker image best.
 *
 * The platform is a worker image's CPython and glibc on x86_64. As pip has it, an
 * interpreter's own ABI comes before the stable ABI and that before pure Python,
 * and a newer manylinux before an older one.
 */
#ifndef CUV_WHEEL_H
#define CUV_WHEEL_H

#include "nixenv/python.h"

#include <stddef.h>

#define CUV_WHEEL_FILE_MAX 200

/* Slices of the file name, borrowed from it. */
struct cuv_wheel_part {
	const char *at;
	size_t len;
};
struct cuv_wheel {
	struct cuv_wheel_part name;
	struct cuv_wheel_part version;
	struct cuv_wheel_part build; /* empty if there is none */
	struct cuv_wheel_part python;
	struct cuv_wheel_part abi;
	struct cuv_wheel_part platform;
};

/* NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl. 0; -EINVAL when it is not a
 * wheel's name, is longer than CUV_WHEEL_FILE_MAX or has other characters than
 * [A-Za-z0-9._+!-]. */
int cuv_wheel_parse(const char *file, struct cuv_wheel *ret);

/* The last component of an address's path, percent-decoded ("%21" is '!', "%2B"
 * is '+'). -EINVAL when it can't be a wheel's name. */
int cuv_wheel_file_of_url(const char *url, char ret[CUV_WHEEL_FILE_MAX + 1]);

/* How well it fits this Python's image: lower is better; -ENOENT when it does not. Of two wheels of
 * one rank the one with the higher build number is better (cuv_wheel_better). */
int cuv_wheel_rank(const struct cuv_wheel *w, const struct cuv_python *python);
/* True when a (of rank ra) is preferred to b (of rank rb); never for equal names. */
bool cuv_wheel_better(const struct cuv_wheel *a, int ra, const struct cuv_wheel *b, int rb);

/* Whether the wheel is of this package, by its normalised name. */
bool cuv_wheel_is_of(const struct cuv_wheel *w, const char *name);

#endif
