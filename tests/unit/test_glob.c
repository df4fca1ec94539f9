/* SPDX-License-Identifier: MIT */
#include "lib/proto/bundle.h"
#include "lib/proto/glob.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <unistd.h>

static void yes(const char *pattern, const char *path)
{
	if (!cuv_glob_valid(pattern) || !cuv_glob_match(pattern, path))
		fail_msg("%s does not match %s", pattern, path);
}

static void no(const char *pattern, const char *path)
{
	if (!cuv_glob_valid(pattern) || cuv_glob_match(pattern, path))
		fail_msg("%s matches %s", pattern, path);
}

TEST(stars_stay_in_their_folder)
{
	yes("*.png", "a.png");
	yes("*", "a");
	yes("a*b*c", "a1b2b3c");
	yes("*a*a*", "aa");
	yes("out/*.csv", "out/x.csv");
	no("*.png", "out/a.png");
	no("*.png", "a.pngx");
	no("a*b*c", "a1c2b");
	no("out/*", "out");
	no("*", "a/b");
}

TEST(two_stars_are_any_depth)
{
	yes("**", "a");
	yes("**", "a/b/c");
	yes("**/x", "x");
	yes("**/x", "a/b/x");
	yes("out/**", "out/a/b");
	yes("a/**/b/**/c", "a/b/c");
	yes("a/**/b/**/c", "a/1/2/b/3/c");
	no("**/x", "a/b/xx");
	no("out/**", "in/a");
	no("a/**/b", "a/c");
}

TEST(dots_are_asked_for)
{
	no("*", ".hidden");
	no("?x", ".x");
	no("**", "a/.b");
	no("**/x", ".git/x");
	no("[.]x", ".x");
	yes(".*", ".hidden");
	yes(".git/**", ".git/x");
}

TEST(sets_and_single_bytes)
{
	yes("[a-c]?", "bz");
	yes("[!a-c]", "d");
	yes("[]x]", "]");
	yes("[a-]", "-");
	no("[a-c]", "d");
	no("[!a-c]", "b");
	no("?", "");
	no("?", "ab");
}

TEST(what_is_no_pattern)
{
	static const char *const bad[] = {"", "/a", "a/", "a//b", "../a", "a/./b", "[a", "[]", "a\\b", "a\nb", "\xff"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cuv_glob_valid(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

TEST(folders_are_entered_where_something_may_be)
{
	assert_true(cuv_glob_enters("out/*", "out"));
	assert_true(cuv_glob_enters("**", "a/b"));
	assert_true(cuv_glob_enters("*/x/*", "a"));
	assert_false(cuv_glob_enters("*", "a"));
	assert_false(cuv_glob_enters("out/*", "in"));
	assert_false(cuv_glob_enters("out/*", "out/a"));
}

TEST(a_bundle_is_read_as_it_was_written)
{
	struct cuv_bundle_writer w = CUV_BUNDLE_WRITER_INIT;
	struct cuv_bundle_reader r = {0};
	struct cuv_bundle_entry e;
	uint8_t data[256];

	assert_int_equal(cuv_bundle_open(&w, "test"), 0);
	assert_int_equal(cuv_bundle_begin(&w, CUV_BUNDLE_FILE, 1, "d/a"), 0);
	assert_int_equal(cuv_bundle_data(&w, "xyz", 3), 0);
	assert_int_equal(cuv_bundle_end(&w), 0);
	assert_int_equal(cuv_bundle_begin(&w, CUV_BUNDLE_FILE, 0, "gone"), 0);
	assert_int_equal(cuv_bundle_data(&w, "xyz", 3), 0);
	assert_int_equal(cuv_bundle_drop(&w), 0);
	assert_int_equal(cuv_bundle_left(&w, CUV_LEFT_SIZE, 1ull << 40, "big"), 0);
	assert_int_equal(cuv_bundle_seal(&w), 0);
	assert_int_equal(cuv_bundle_data(&w, "x", 1), -EPERM);
	r.at = data;
	r.left = (size_t)pread(w.fd, data, sizeof(data), 0);
	assert_int_equal(cuv_bundle_next(&r, &e), 1);
	assert_true(e.kind == CUV_BUNDLE_FILE && e.executable && e.size == 3);
	assert_string_equal(e.name, "d/a");
	assert_memory_equal(e.data, "xyz", 3);
	assert_int_equal(cuv_bundle_next(&r, &e), 1);
	assert_true(e.kind == CUV_BUNDLE_LEFT && e.why == CUV_LEFT_SIZE && e.size == 1ull << 40);
	assert_int_equal(cuv_bundle_next(&r, &e), 0);
	cuv_bundle_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stars_stay_in_their_folder),
		cmocka_unit_test(two_stars_are_any_depth),
		cmocka_unit_test(dots_are_asked_for),
		cmocka_unit_test(sets_and_single_bytes),
		cmocka_unit_test(what_is_no_pattern),
		cmocka_unit_test(folders_are_entered_where_something_may_be),
		cmocka_unit_test(a_bundle_is_read_as_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
