/* SPDX-License-Identifier: MIT */
/*
 * The few words every file of Cuvette uses: clean-up attributes, moving of
 * ownership, and assertions that stay on in release builds.
 *
 * _cleanup_(f) calls f(&variable) when the variable leaves its scope; each
 * module with an owned type defines the fitting f. TAKE_PTR and TAKE_FD move a
 * value out and leave the variable empty, so that the clean-up does nothing.
 */
#ifndef CUV_BASE_H
#define CUV_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _noreturn_ __attribute__((noreturn))
#define _unused_ __attribute__((unused))
#define _wur_ __attribute__((warn_unused_result))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CUV_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CUV_MAX(a, b) ((a) > (b) ? (a) : (b))

#define TAKE_PTR(p)                                                                                                    \
	({                                                                                                             \
		__typeof__(p) *_pp = &(p);                                                                             \
		__typeof__(p) _p = *_pp;                                                                               \
		*_pp = NULL;                                                                                           \
		_p;                                                                                                    \
	})
#define TAKE_FD(fd)                                                                                                    \
	({                                                                                                             \
		int *_fdp = &(fd);                                                                                     \
		int _fd = *_fdp;                                                                                       \
		*_fdp = -1;                                                                                            \
		_fd;                                                                                                   \
	})

/* Programming errors only, never input: prints the expression and aborts. */
_noreturn_ void cuv_assert_failed(const char *expr, const char *file, int line);
#define cuv_assert(expr) ((expr) ? (void)0 : cuv_assert_failed(#expr, __FILE__, __LINE__))

/* free() for _cleanup_: a pointer to the owned pointer. */
static inline void freep(void *p)
{
	free(*(void **)p);
}
#define _cleanup_free_ _cleanup_(freep)

#endif
