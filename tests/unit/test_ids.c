/* SPDX-License-Identifier: MIT */
#include "lib/base/ids.h"
#include "tests/unit/unit.h"

#include <unistd.h>

#define HAS_OURS(map) cuv_ids_map_has(map, CUV_MANAGER_UID, CUV_IDS_LAST)

TEST(maps_with_our_ids)
{
	assert_true(HAS_OURS("         0          0 4294967295\n"));
	assert_true(HAS_OURS("0 1000 1\n1 100000 2000000000\n"));
	assert_true(cuv_ids_map_has("5 0 2\n", 5, 6));
}

TEST(maps_without)
{
	assert_false(HAS_OURS(""));
	assert_false(HAS_OURS("         0       1000          1\n")); /* unshare -r */
	assert_false(HAS_OURS("0 1000 1\n1 100000 65536\n"));	      /* a container of an ordinary user */
	assert_false(HAS_OURS("0 0 1878905000\n1878905000 0 100\n")); /* some, but not all */
	assert_false(HAS_OURS("1878900002 0 4294967295\n"));	      /* begins too late */
	assert_false(HAS_OURS("no map at all\n"));
	assert_false(cuv_ids_map_has("5 0 2\n", 5, 7));
	assert_false(cuv_ids_map_has("5 0 2\n", 4, 6));
}

TEST(who_is_not_root)
{
	if (geteuid() != 0)
		assert_false(cuv_ids_are_root());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_with_our_ids),
		cmocka_unit_test(maps_without),
		cmocka_unit_test(who_is_not_root),
	};

	return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
