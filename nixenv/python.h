/* SPDX-License-Identifier: MIT */
/*
 * The Pythons that there are worker images of. The table is written by the build
 * (tools/pythons) from worker-image/image/pythons.json and the images' pins; the first
 * one is the default.
 */
#ifndef CUV_PYTHON_H
#define CUV_PYTHON_H

#include "lib/base/error.h"

#include <stddef.h>

#define CUV_PYTHON_TEXT_MAX 128 /* bytes of a list of full versions */

struct cuv_python {
	const char *version; /* "3.13" */
	const char *full;    /* "3.13.5" */
	const char *image;   /* "python313": its pins are image/python313.json */
	int minor;	     /* 13 */
	int glibc_minor;     /* 41: the image's C library is 2.41 */
};

extern const struct cuv_python cuv_pythons[];
extern const size_t cuv_pythons_n; /* 1..CUV_PYTHONS_MAX */

/* That of the version ("3.13"); NULL. */
const struct cuv_python *cuv_python_find(const char *version);

/* What a user asks for: "3.13", or the full version that the image has. The default
 * for NULL. NULL with err FIELD_INVALID, which names field ("the field `python`",
 * "--python") and lists what there is. */
const struct cuv_python *cuv_python_choose(const char *field, const char *wanted, struct cuv_error *err);

/* "" for the default Python and "-python313" for another: what the names of its zygote
 * and toolchain end with. ret holds 32 bytes. */
void cuv_python_suffix(const struct cuv_python *p, char ret[32]);

#endif
