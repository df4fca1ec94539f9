/* SPDX-License-Identifier: MIT */
/* Wheel file names, and which of them fits best. */
#include "nixenv/wheel.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void assert_part(struct cuv_wheel_part part, const char *text)
{
	assert_int_equal(part.len, strlen(text));
	assert_memory_equal(part.at, text, part.len);
}

TEST(parts_of_a_name)
{
	struct cuv_wheel w;

	assert_ok(cuv_wheel_parse("Foo_Bar-1!2.0+local.1-3abc-cp39.cp310-abi3-manylinux_2_17_x86_64.whl", &w));
	assert_part(w.name, "Foo_Bar");
	assert_part(w.version, "1!2.0+local.1");
	assert_part(w.build, "3abc");
	assert_part(w.python, "cp39.cp310");
	assert_part(w.abi, "abi3");
	assert_part(w.platform, "manylinux_2_17_x86_64");
	assert_ok(cuv_wheel_parse("six-1.17.0-py2.py3-none-any.whl", &w));
	assert_int_equal(w.build.len, 0);
}

TEST(not_wheel_names)
{
	static const char *const bad[] = {
		"",
		".whl",
		"six",
		"six-1.17.0.tar.gz",
		"six-1.17.0-py3-none.whl",
		"six-1.17.0-py3-none-any",
		"six-1.17.0-py3-none-any.zip",
		"six--py3-none-any.whl",
		"-1.0-py3-none-any.whl",
		".six-1.0-py3-none-any.whl",
		"six-1.0-x-py3-none-any.whl", /* a build tag begins with a digit */
		"six-1.0-1-2-py3-none-any.whl",
		"a/six-1.0-py3-none-any.whl",
		"six-1.0-py3-none-any .whl",
		"s\xc3\xaex-1.0-py3-none-any.whl",
	};
	char longest[CUV_WHEEL_FILE_MAX + 2];
	struct cuv_wheel w;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cuv_wheel_parse(bad[i], &w), -EINVAL);
	(void)snprintf(longest, sizeof(longest), "%0*d-1-py3-none-any.whl",
		       (int)(sizeof(longest) - 1 - strlen("-1-py3-none-any.whl")), 0);
	assert_int_equal(strlen(longest), CUV_WHEEL_FILE_MAX + 1);
	assert_int_equal(cuv_wheel_parse(longest, &w), -EINVAL);
	assert_ok(cuv_wheel_parse(longest + 1, &w));
}

static int rank_for(const char *python, const char *tags)
{
	char file[CUV_WHEEL_FILE_MAX];
	struct cuv_wheel w;

	(void)snprintf(file, sizeof(file), "x-1-%s.whl", tags);
	assert_ok(cuv_wheel_parse(file, &w));
	return cuv_wheel_rank(&w, cuv_python_find(python));
}

static int rank_of(const char *tags)
{
	return rank_for("3.11", tags);
}

/* The order of packaging.tags for CPython 3.11 on glibc 2.36, x86_64. */
TEST(order_of_tags)
{
	static const char *const order[] = {
		"cp311-cp311-manylinux_2_36_x86_64",
		"cp311-cp311-manylinux_2_28_x86_64",
		"cp311-cp311-manylinux_2_17_x86_64",
		"cp311-cp311-manylinux2014_x86_64",
		"cp311-cp311-manylinux_2_12_x86_64",
		"cp311-cp311-manylinux2010_x86_64",
		"cp311-cp311-manylinux_2_5_x86_64",
		"cp311-cp311-manylinux1_x86_64",
		"cp311-cp311-linux_x86_64",
		"cp311-abi3-manylinux_2_17_x86_64",
		"cp311-none-manylinux_2_17_x86_64",
		"cp310-abi3-manylinux_2_36_x86_64",
		"cp310-abi3-manylinux_2_17_x86_64",
		"cp39-abi3-manylinux_2_36_x86_64",
		"cp32-abi3-manylinux_2_17_x86_64",
		"py311-none-manylinux_2_17_x86_64",
		"py3-none-manylinux_2_17_x86_64",
		"py310-none-manylinux_2_17_x86_64",
		"py30-none-linux_x86_64",
		"cp311-none-any",
		"py311-none-any",
		"py3-none-any",
		"py310-none-any",
		"py39-none-any",
		"py30-none-any",
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_true(rank_of(order[i]) >= 0);
		if (i > 0)
			assert_true(rank_of(order[i - 1]) < rank_of(order[i]));
	}
}

/* The same for CPython 3.13 on glibc 2.41. */
TEST(another_python_has_its_own_order)
{
	static const char *const order[] = {
		"cp313-cp313-manylinux_2_41_x86_64",
		"cp313-cp313-manylinux_2_36_x86_64",
		"cp313-cp313-manylinux2014_x86_64",
		"cp313-abi3-manylinux_2_17_x86_64",
		"cp313-none-manylinux_2_17_x86_64",
		"cp312-abi3-manylinux_2_41_x86_64",
		"cp311-abi3-manylinux_2_17_x86_64",
		"cp32-abi3-manylinux_2_17_x86_64",
		"py313-none-manylinux_2_17_x86_64",
		"py3-none-manylinux_2_17_x86_64",
		"py312-none-manylinux_2_17_x86_64",
		"py30-none-linux_x86_64",
		"cp313-none-any",
		"py313-none-any",
		"py3-none-any",
		"py312-none-any",
		"py30-none-any",
	};
	static const char *const other[] = {
		"cp311-cp311-manylinux_2_17_x86_64",  "cp314-cp314-manylinux_2_17_x86_64",
		"cp313-cp313t-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_42_x86_64",
		"cp314-abi3-manylinux_2_17_x86_64",   "py314-none-any",
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		assert_true(rank_for("3.13", order[i]) >= 0);
		if (i > 0)
			assert_true(rank_for("3.13", order[i - 1]) < rank_for("3.13", order[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(rank_for("3.13", other[i]), -ENOENT);
}

TEST(sets_of_tags_count_by_their_best)
{
	assert_int_equal(rank_of("py2.py3-none-any"), rank_of("py3-none-any"));
	assert_int_equal(rank_of("cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64"),
			 rank_of("cp311-cp311-manylinux_2_28_x86_64"));
	assert_int_equal(rank_of("cp310.cp311-abi3.cp311-win32.manylinux1_x86_64"),
			 rank_of("cp311-cp311-manylinux1_x86_64"));
}

TEST(other_platforms_are_refused)
{
	static const char *const other[] = {
		"cp312-cp312-manylinux_2_17_x86_64",
		"cp310-cp310-manylinux_2_17_x86_64",
		"cp312-abi3-manylinux_2_17_x86_64",
		"cp31-abi3-manylinux_2_17_x86_64",
		"cp311-cp311-manylinux_2_37_x86_64",
		"cp311-cp311-manylinux_2_4_x86_64",
		"cp311-cp311-manylinux_2_17_aarch64",
		"cp311-cp311-musllinux_1_2_x86_64",
		"cp311-cp311-win_amd64",
		"cp311-cp311-macosx_11_0_arm64",
		"cp311-cp311t-manylinux_2_17_x86_64",
		"cp311-cp311-any",
		"py2-none-any",
		"py27-none-any",
		"py312-none-any",
		"py4-none-any",
		"pp311-pypy311_pp73-manylinux_2_17_x86_64",
		"py3-abi3-any",
		"cp311-none-manylinux_3_1_x86_64",
		"py3-none-_x86_64",
	};

	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		assert_int_equal(rank_of(other[i]), -ENOENT);
}

static bool better(const char *a, const char *b)
{
	struct cuv_wheel wa, wb;

	assert_ok(cuv_wheel_parse(a, &wa));
	assert_ok(cuv_wheel_parse(b, &wb));
	return cuv_wheel_better(&wa, cuv_wheel_rank(&wa, cuv_pythons), &wb, cuv_wheel_rank(&wb, cuv_pythons));
}

TEST(of_equal_rank_the_later_build)
{
	assert_true(better("x-1-2-py3-none-any.whl", "x-1-py3-none-any.whl"));
	assert_true(better("x-1-10-py3-none-any.whl", "x-1-9-py3-none-any.whl"));
	assert_true(better("x-1-1b-py3-none-any.whl", "x-1-1a-py3-none-any.whl"));
	assert_false(better("x-1-9-py3-none-any.whl", "x-1-10-py3-none-any.whl"));
	assert_true(better("x-1-py3-none-any.whl", "x-1-9-py30-none-any.whl"));
	/* There is always an order, so that everybody locks the same. */
	assert_true(better("x-1-py3-none-any.whl", "x-1-py3-none-any.macosx_11_0_arm64.whl"));
	assert_false(better("x-1-py3-none-any.macosx_11_0_arm64.whl", "x-1-py3-none-any.whl"));
	assert_false(better("x-1-py3-none-any.whl", "x-1-py3-none-any.whl"));
}

TEST(whose_wheel)
{
	struct cuv_wheel w;

	assert_ok(cuv_wheel_parse("Zope.Interface_X-1-py3-none-any.whl", &w));
	assert_true(cuv_wheel_is_of(&w, "zope-interface-x"));
	assert_false(cuv_wheel_is_of(&w, "zope-interface"));
	assert_false(cuv_wheel_is_of(&w, "zope-interface-xy"));
	assert_false(cuv_wheel_is_of(&w, ""));
	assert_ok(cuv_wheel_parse("a__b-1-py3-none-any.whl", &w));
	assert_true(cuv_wheel_is_of(&w, "a-b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_of_a_name),
		cmocka_unit_test(not_wheel_names),
		cmocka_unit_test(order_of_tags),
		cmocka_unit_test(another_python_has_its_own_order),
		cmocka_unit_test(sets_of_tags_count_by_their_best),
		cmocka_unit_test(other_platforms_are_refused),
		cmocka_unit_test(of_equal_rank_the_later_build),
		cmocka_unit_test(whose_wheel),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
