/* SPDX-License-Identifier: MIT */
/* Bytes as a C string. strndup is not for them: it may look for an end where there is
 * none, and AddressSanitizer tells. */
#ifndef CUV_FUZZ_TEXT_H
#define CUV_FUZZ_TEXT_H

#include "lib/base/base.h"

#include <stdlib.h>
#include <string.h>

/* The caller's. */
static inline char *fuzz_text(const void *data, size_t size)
{
	char *text = malloc(size + 1);

	cuv_assert(text);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

#endif
