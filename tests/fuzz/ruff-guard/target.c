/* SPDX-License-Identifier: MIT */
/* Input: code. Whatever it is, looking at it ends; and what is let through holds
 * what the guard is for, counted in a simpler way. */
#include "manager/ruff/guard.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t i, width = 0, longest = 0;

	if (!cuv_ruff_guard((const char *)data, size))
		return 0;
	cuv_assert(size <= CUV_RUFF_DOCUMENT_MAX && !memchr(data, 0, size));
	for (i = 0; i < size; i++) {
		width = data[i] == '\n' || data[i] == '\r' ? 0 : width + 1;
		longest = CUV_MAX(longest, width);
	}
	cuv_assert(longest <= 4096);
	return 0;
}
