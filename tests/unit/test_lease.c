/* SPDX-License-Identifier: MIT */
/* Who has an environment, and who may take it away. */
#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/cuvette-lease-XXXXXX";
static int folder = -1;

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	folder = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder < 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlinkat(folder, "e", 0);
	folder = cuv_close(folder);
	return rmdir(top);
}

TEST(many_share_it_and_one_has_it_alone)
{
	int a = cuv_lease_take(folder, "e", true), b = cuv_lease_take(folder, "e", false), alone;

	assert_true(a >= 0 && b >= 0);
	assert_int_equal(cuv_lease_seize(folder, "e"), -EBUSY);
	cuv_close(a);
	assert_int_equal(cuv_lease_seize(folder, "e"), -EBUSY);
	cuv_close(b);
	alone = cuv_lease_seize(folder, "e");
	assert_true(alone >= 0);
	assert_int_equal(cuv_lease_take(folder, "e", true), -EBUSY);
	assert_ok(unlinkat(folder, "e", 0));
	cuv_close(alone);
	assert_int_equal(cuv_lease_take(folder, "e", false), -ENOENT);
}

TEST(what_is_wanted_is_seen_by_those_who_have_it)
{
	int a = cuv_lease_take(folder, "e", true);

	assert_true(a >= 0);
	assert_false(cuv_lease_is_wanted(a));
	assert_ok(cuv_lease_want(folder, "e", true));
	assert_true(cuv_lease_is_wanted(a));
	assert_ok(cuv_lease_want(folder, "e", false));
	assert_false(cuv_lease_is_wanted(a));
	assert_ok(cuv_lease_want(folder, "nobody's", true));
	assert_false(cuv_lease_is_wanted(-1));
	cuv_close(a);
}

TEST(only_a_plain_file_is_a_lease)
{
	assert_ok(mkfifoat(folder, "f", 0644));
	assert_int_equal(cuv_lease_take(folder, "f", true), -EINVAL);
	assert_ok(unlinkat(folder, "f", 0));
	assert_ok(symlinkat("e", folder, "l"));
	assert_int_equal(cuv_lease_take(folder, "l", true), -ELOOP);
	assert_ok(unlinkat(folder, "l", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_share_it_and_one_has_it_alone),
		cmocka_unit_test(what_is_wanted_is_seen_by_those_who_have_it),
		cmocka_unit_test(only_a_plain_file_is_a_lease),
	};

	return cmocka_run_group_tests_name("lease", tests, set_up, tear_down);
}
