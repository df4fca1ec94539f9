/* SPDX-License-Identifier: MIT */
#include "manager/path_template.h"
#include "tests/unit/unit.h"

#include <string.h>

static const char runs[] = "/api/v1/runs/{id}", events[] = "/api/v1/runs/{id}/events";

static void fits(const char *pattern, const char *path, const char *param)
{
	char got[CUV_PATH_PARAM_SIZE];

	assert_true(cuv_path_match(pattern, path, got));
	assert_string_equal(got, param);
}

static void fits_not(const char *pattern, const char *path)
{
	char got[CUV_PATH_PARAM_SIZE];

	assert_false(cuv_path_match(pattern, path, got));
}

TEST(a_path_without_braces_is_itself)
{
	fits("/", "/", "");
	fits("/health", "/health", "");
	fits_not("/health", "/health/");
	fits_not("/health", "/healt");
	fits_not("/health", "");
}

TEST(braces_take_one_segment)
{
	fits(runs, "/api/v1/runs/0123", "0123");
	fits(events, "/api/v1/runs/x/events", "x");
	fits("/{all}", "/...", "...");
	fits_not(runs, "/api/v1/runs/");
	fits_not(runs, "/api/v1/runs");
	fits_not(runs, "/api/v1/runs/a/b");
	fits_not(runs, "/api/v1/runs/a/");
	fits_not(events, "/api/v1/runs/x");
	fits_not(events, "/api/v1/runs//events");
}

TEST(braces_with_a_plus_take_the_rest)
{
	fits("/status/{+task}", "/status/exec-../../etc-0", "exec-../../etc-0");
	fits("/status/{+task}", "/status/a//", "a//");
	fits_not("/status/{+task}", "/status/");
	fits_not("/status/{+task}", "/status");
}

TEST(neither_dots_nor_too_much)
{
	char path[2 * CUV_PATH_PARAM_SIZE] = "/api/v1/runs/";
	size_t n = strlen(path);

	fits_not(runs, "/api/v1/runs/.");
	fits_not(runs, "/api/v1/runs/..");
	memset(path + n, 'a', CUV_PATH_PARAM_SIZE - 1);
	fits(runs, path, path + n);
	path[n + CUV_PATH_PARAM_SIZE - 1] = 'a';
	fits_not(runs, path);
}

TEST(a_path_begins_whatever_follows)
{
	char path[2 * CUV_PATH_PARAM_SIZE] = "/api/v1/runs/";

	assert_true(cuv_path_begins(runs, path));
	memset(path + strlen(path), 'a', CUV_PATH_PARAM_SIZE);
	assert_true(cuv_path_begins(runs, path) && cuv_path_begins(events, path));
	assert_true(cuv_path_begins(runs, "/api/v1/runs/..") && cuv_path_begins(runs, "/api/v1/runs/a/b"));
	assert_false(cuv_path_begins(runs, "/api/v1/runs") || cuv_path_begins(runs, ""));
	assert_true(cuv_path_begins("/health", "/health"));
	assert_false(cuv_path_begins("/health", "/health/x") || cuv_path_begins("/health", "/healt"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_without_braces_is_itself),  cmocka_unit_test(braces_take_one_segment),
		cmocka_unit_test(braces_with_a_plus_take_the_rest), cmocka_unit_test(neither_dots_nor_too_much),
		cmocka_unit_test(a_path_begins_whatever_follows),
	};

	return cmocka_run_group_tests_name("path_template", tests, NULL, NULL);
}
