/* SPDX-License-Identifier: MIT */
#include "lib/proto/limits.h"
#include "tests/unit/unit.h"

#include <errno.h>

TEST(the_table_is_sound)
{
	struct cuv_limits l;
	int i;

	cuv_limits_default(&l);
	assert_int_equal(cuv_limits_check(&l), -1);
	for (i = 0; i < _CUV_LIMIT_MAX; i++) {
		const struct cuv_limit_info *info = cuv_limit_info((enum cuv_limit)i);

		assert_true(info->def <= info->max && info->max > 0);
		assert_true(info->def > 0 || i == CUV_LIMIT_CPU_TIME);
		assert_int_equal(cuv_limit_find(info->field), i);
	}
	assert_int_equal(cuv_limit_find("colour"), -1);
	assert_int_equal(cuv_limit_find(""), -1);
}

TEST(values_are_read_in_their_units)
{
	struct cuv_limits l;

	cuv_limits_default(&l);
	assert_ok(cuv_limit_parse(CUV_LIMIT_WALL, "2.5", &l));
	assert_int_equal(l.value[CUV_LIMIT_WALL], 2500);
	assert_ok(cuv_limit_parse(CUV_LIMIT_MEMORY, "128MiB", &l));
	assert_int_equal(l.value[CUV_LIMIT_MEMORY], 128 * CUV_MIB);
	assert_ok(cuv_limit_parse(CUV_LIMIT_CPUS, "0.25", &l));
	assert_int_equal(l.value[CUV_LIMIT_CPUS], 250);
	assert_ok(cuv_limit_parse(CUV_LIMIT_PROCESSES, "3", &l));
	assert_int_equal(l.value[CUV_LIMIT_PROCESSES], 3);
}

TEST(zero_and_too_much_are_told_apart)
{
	struct cuv_limits l, before;
	int i;

	cuv_limits_default(&l);
	before = l;
	for (i = 0; i < _CUV_LIMIT_MAX; i++) {
		assert_int_equal(cuv_limit_parse((enum cuv_limit)i, "0", &l), -EINVAL);
		assert_int_equal(cuv_limit_parse((enum cuv_limit)i, "-1", &l), -EINVAL);
		assert_int_equal(cuv_limit_parse((enum cuv_limit)i, "", &l), -EINVAL);
		assert_int_equal(cuv_limit_parse((enum cuv_limit)i, "99999999999", &l), -ERANGE);
	}
	assert_int_equal(cuv_limit_parse(CUV_LIMIT_WALL, "0.0001", &l), -EINVAL); /* rounds to nothing */
	assert_int_equal(cuv_limit_parse(CUV_LIMIT_WALL, "300.001", &l), -ERANGE);
	assert_int_equal(cuv_limit_parse(CUV_LIMIT_PROCESSES, "1.5", &l), -EINVAL);
	assert_memory_equal(&l, &before, sizeof(l));
}

TEST(cpu_time_follows_wall_time_and_cpus)
{
	struct cuv_limits l;

	cuv_limits_default(&l);
	assert_int_equal(cuv_limits_cpu_ms(&l), 10000);
	l.value[CUV_LIMIT_CPUS] = 2500;
	assert_int_equal(cuv_limits_cpu_ms(&l), 25000);
	l.value[CUV_LIMIT_CPU_TIME] = 7;
	assert_int_equal(cuv_limits_cpu_ms(&l), 7);
}

TEST(the_check_names_the_first_bad_one)
{
	struct cuv_limits l;
	int i;

	for (i = 0; i < _CUV_LIMIT_MAX; i++) {
		cuv_limits_default(&l);
		l.value[i] = cuv_limit_info((enum cuv_limit)i)->max + 1;
		assert_int_equal(cuv_limits_check(&l), i);
		l.value[i] = 0;
		assert_int_equal(cuv_limits_check(&l), i == CUV_LIMIT_CPU_TIME ? -1 : i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(values_are_read_in_their_units),
		cmocka_unit_test(zero_and_too_much_are_told_apart),
		cmocka_unit_test(cpu_time_follows_wall_time_and_cpus),
		cmocka_unit_test(the_check_names_the_first_bad_one),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
