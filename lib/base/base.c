/* SPDX-License-Identifier: MIT */
#include "lib/base/base.h"

#include <stdio.h>

void cuv_assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}
