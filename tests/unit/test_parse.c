/* SPDX-License-Identifier: MIT */
#include "lib/base/parse.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const char *const not_numbers[] = {"", " ", "1 ", " 1", "+1", "-1", "0x1", "1e3", "a", "1a", "\xd9\xa1", "1,0"};

TEST(whole_numbers)
{
	uint64_t v = 7;
	size_t i;

	assert_ok(cuv_parse_u64("0", 10, &v));
	assert_int_equal(v, 0);
	assert_ok(cuv_parse_u64("0010", 10, &v));
	assert_int_equal(v, 10);
	assert_ok(cuv_parse_u64("18446744073709551615", UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	v = 7;
	assert_int_equal(cuv_parse_u64("11", 10, &v), -ERANGE);
	assert_int_equal(cuv_parse_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
	assert_int_equal(cuv_parse_u64("99999999999999999999999", UINT64_MAX, &v), -ERANGE);
	assert_int_equal(cuv_parse_u64("1.0", 10, &v), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(not_numbers); i++)
		assert_int_equal(cuv_parse_u64(not_numbers[i], 10, &v), -EINVAL);
	assert_int_equal(v, 7); /* set on success only */
}

TEST(thousandths)
{
	uint64_t v = 7;
	size_t i;

	assert_ok(cuv_parse_milli("2", 300000, &v));
	assert_int_equal(v, 2000);
	assert_ok(cuv_parse_milli("2.5", 300000, &v));
	assert_int_equal(v, 2500);
	assert_ok(cuv_parse_milli("0.0019999", 300000, &v));
	assert_int_equal(v, 1);
	assert_ok(cuv_parse_milli("300.000", 300000, &v));
	assert_int_equal(v, 300000);
	v = 7;
	assert_int_equal(cuv_parse_milli("300.001", 300000, &v), -ERANGE);
	assert_int_equal(cuv_parse_milli("301", 300000, &v), -ERANGE);
	assert_int_equal(cuv_parse_milli("99999999999999999999", 300000, &v), -ERANGE);
	assert_int_equal(cuv_parse_milli("1.", 300000, &v), -EINVAL);
	assert_int_equal(cuv_parse_milli(".5", 300000, &v), -EINVAL);
	assert_int_equal(cuv_parse_milli("1.5.5", 300000, &v), -EINVAL);
	assert_int_equal(cuv_parse_milli("nan", 300000, &v), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(not_numbers); i++)
		assert_int_equal(cuv_parse_milli(not_numbers[i], 300000, &v), -EINVAL);
	assert_int_equal(v, 7);
}

TEST(sizes)
{
	uint64_t v = 7;
	size_t i;

	assert_ok(cuv_parse_size("100", 1000, &v));
	assert_int_equal(v, 100);
	assert_ok(cuv_parse_size("1k", 1024, &v));
	assert_int_equal(v, 1024);
	assert_ok(cuv_parse_size("64MiB", 1ull << 40, &v));
	assert_int_equal(v, 64 << 20);
	assert_ok(cuv_parse_size("4G", 4ull << 30, &v));
	assert_true(v == 4ull << 30);
	v = 7;
	assert_int_equal(cuv_parse_size("5g", 4ull << 30, &v), -ERANGE);
	/* 2^34 GiB would be 2^64: no wrap to 0 */
	assert_int_equal(cuv_parse_size("17179869184g", UINT64_MAX, &v), -ERANGE);
	assert_int_equal(cuv_parse_size("1MB", UINT64_MAX, &v), -EINVAL);
	assert_int_equal(cuv_parse_size("1.5m", UINT64_MAX, &v), -EINVAL);
	for (i = 0; i < ARRAY_SIZE(not_numbers); i++)
		assert_int_equal(cuv_parse_size(not_numbers[i], UINT64_MAX, &v), -EINVAL);
	assert_int_equal(v, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_numbers),
		cmocka_unit_test(thousandths),
		cmocka_unit_test(sizes),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
