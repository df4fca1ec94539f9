/* SPDX-License-Identifier: MIT */
/* What every unit test of lib and manager includes. */
#ifndef CUV_TESTS_UNIT_H
#define CUV_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/base.h"
#include "lib/base/buf.h"

#define TEST(name) static void name(_unused_ void **state)
#define assert_ok(expr) assert_int_equal((expr), 0)
/* A buffer's content, NULs included. */
#define assert_content(b, literal)                                                                                     \
	do {                                                                                                           \
		assert_int_equal((b)->len, sizeof(literal) - 1);                                                       \
		assert_memory_equal(cuv_buf_str(b), literal, sizeof(literal));                                         \
	} while (0)

#endif
