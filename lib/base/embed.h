/* SPDX-License-Identifier: MIT */
/* Files of the source tree that travel inside a program; tools/embed writes the arrays. */
#ifndef CUV_EMBED_H
#define CUV_EMBED_H

#include <stddef.h>

struct cuv_embedded {
	const char *name; /* base name; NULL closes the list */
	const unsigned char *data;
	size_t len;
};

#endif
