/* SPDX-License-Identifier: MIT */
/* Store paths against values that nix-instantiate gave once; the random corpus is
 * tests/nixenv/test_storepath.py. */
#include "nixenv/storepath.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct cuv_sha256 abc(void)
{
	struct cuv_sha256 h;

	assert_ok(cuv_unhex(ABC, sizeof(h.bytes), h.bytes));
	return h;
}

TEST(fixed_outputs)
{
	char name[CUV_STORE_NAME_SIZE];
	struct cuv_sha256 h = abc();

	assert_ok(cuv_storepath_fixed(false, &h, "a.whl", name));
	assert_string_equal(name, "zn7cigjq2q2h8biadzny73m4g8nz979m-a.whl");
	assert_ok(cuv_storepath_fixed(true, &h, "root", name));
	assert_string_equal(name, "v8xx33l7qmbkgfvsnmy85c2sp12pnrb5-root");
}

TEST(texts)
{
	char name[CUV_STORE_NAME_SIZE];

	assert_ok(cuv_storepath_text("hello\n", 6, "t.txt", NULL, name));
	assert_string_equal(name, "nj4j70xcnmcdh9y4yfs0ddw3hhli4880-t.txt");
}

TEST(names_that_can_not_stand_in_a_path)
{
	static const char *const bad[] = {"", ".hidden", "a/b", "a b", "a!b", "ä", "a\n"};
	char name[CUV_STORE_NAME_SIZE], longest[CUV_STORE_NAME_PART_MAX + 2];
	struct cuv_sha256 h = abc();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cuv_storepath_fixed(false, &h, bad[i], name), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[CUV_STORE_NAME_PART_MAX + 1] = '\0';
	assert_int_equal(cuv_storepath_fixed(false, &h, longest, name), -EINVAL);
	longest[CUV_STORE_NAME_PART_MAX] = '\0';
	assert_ok(cuv_storepath_fixed(false, &h, longest, name));
	assert_true(cuv_store_name_valid(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_outputs),
		cmocka_unit_test(texts),
		cmocka_unit_test(names_that_can_not_stand_in_a_path),
	};

	return cmocka_run_group_tests_name("storepath", tests, NULL, NULL);
}
