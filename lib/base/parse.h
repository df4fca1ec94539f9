/* SPDX-License-Identifier: MIT */
/* Numbers out of text: whole strings only, no sign, no blanks, no overflow. */
#ifndef CUV_PARSE_H
#define CUV_PARSE_H

#include "lib/base/base.h"

/* Decimal digits; 0, -EINVAL (not a number) or -ERANGE (above max). */
int cuv_parse_u64(const char *text, uint64_t max, uint64_t *ret);
/* Decimal with up to 9 digits after a point, in thousandths (rounded down):
 * "1.5" is 1500. 0, -EINVAL or -ERANGE. */
int cuv_parse_milli(const char *text, uint64_t max_milli, uint64_t *ret_milli);
/* Bytes: digits with an optional k, m, g, KiB, MiB, GiB (all powers of 1024). */
int cuv_parse_size(const char *text, uint64_t max, uint64_t *ret_bytes);

#endif
