/* SPDX-License-Identifier: MIT */
/*
 * Time: monotonic instants in nanoseconds for deadlines, wall-clock seconds for
 * dates. A deadline is an instant; CUV_NEVER is later than all others.
 */
#ifndef CUV_CLOCK_H
#define CUV_CLOCK_H

#include "lib/base/base.h"

#define CUV_NS_PER_MS 1000000ull
#define CUV_NS_PER_S 1000000000ull
#define CUV_NEVER UINT64_MAX

/* CLOCK_MONOTONIC, ns. */
uint64_t cuv_now_ns(void);
/* CLOCK_REALTIME, seconds since 1970-01-01T00:00:00Z. */
int64_t cuv_wall_s(void);

static inline uint64_t cuv_deadline_ms(uint64_t ms)
{
	return cuv_now_ns() + ms * CUV_NS_PER_MS;
}
/* What is left, for poll(2): 0 when passed, -1 for CUV_NEVER, rounded up. */
int cuv_deadline_poll_ms(uint64_t deadline_ns);

/* "2026-11-21T03:28:00Z"; ret must hold CUV_RFC3339_SIZE bytes. */
#define CUV_RFC3339_SIZE 32
void cuv_format_rfc3339(int64_t seconds, char ret[CUV_RFC3339_SIZE]);
/* Accepts a date (2026-11-21, midnight UTC) or an RFC 3339 time with Z or an
 * offset; fractions are dropped. 0, or -EINVAL. Years 1970 to 9999. */
int cuv_parse_rfc3339(const char *text, int64_t *ret_seconds);

#endif
