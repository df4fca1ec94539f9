/* SPDX-License-Identifier: MIT */
/* Where the Unix socket may be. */
#include "cli/front.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill(char *at, size_t n)
{
	memset(at, 'x', n);
	at[n] = '\0';
}

/* What would be cut off would be another socket than the one that was asked for. */
TEST(names_that_fit_as_a_whole)
{
	struct cuv_error err = CUV_ERROR_INIT;
	char path[256] = "/run/";

	fill(path + 5, CUV_FRONT_NAME_MAX);
	assert_ok(cuv_front_path(path, &err));
	fill(path + 5, CUV_FRONT_NAME_MAX + 1);
	assert_true(cuv_front_path(path, &err) < 0);
	assert_int_equal(err.code, CUV_E_BAD_REQUEST);
	assert_non_null(strstr(err.message, "80 bytes"));
	/* The folder's part counts for the whole only. */
	fill(path + 1, 100);
	memcpy(path + 90, "/s.sock", 8);
	assert_ok(cuv_front_path(path, &err));
	fill(path + 1, 107);
	assert_true(cuv_front_path(path, &err) < 0);
	assert_non_null(strstr(err.message, "107 bytes"));
}

TEST(paths_that_are_none)
{
	static const char *const bad[] = {"", "/", "http.sock", "run/http.sock", "/run/", "/run/.", "/run/.."};
	struct cuv_error err;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = CUV_ERROR_INIT;
		if (cuv_front_path(bad[i], &err) == 0)
			fail_msg("%s", bad[i]);
		assert_non_null(strstr(err.message, "listen-unix"));
	}
}

/* A name of the longest makes a socket of that very name. */
TEST(a_long_name_is_the_sockets)
{
	char folder[] = "/tmp/front-XXXXXX", path[128];
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_front f = CUV_FRONT_INIT;
	struct cuv_front_settings s = {.path = path, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};
	struct stat st;

	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/", folder);
	fill(path + strlen(path), CUV_FRONT_NAME_MAX);
	assert_ok(cuv_front_path(path, &err));
	if (cuv_front_open(&s, &f, &err) < 0)
		fail_msg("%s", err.message);
	assert_ok(lstat(path, &st));
	assert_true(S_ISSOCK(st.st_mode));
	cuv_front_close(&f);
	assert_int_equal(lstat(path, &st), -1);
	assert_ok(rmdir(folder));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_that_fit_as_a_whole),
		cmocka_unit_test(paths_that_are_none),
		cmocka_unit_test(a_long_name_is_the_sockets),
	};

	return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}
