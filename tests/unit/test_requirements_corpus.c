/* SPDX-License-Identifier: MIT */
/*
 * A corpus of lines: tests/unit/requirements-corpus.txt. Each entry has two lines,
 * the requirement and what becomes of it:
 *
 *   Foo.Bar >= 1.0             -e .
 *   = foo-bar>=1               ! requirement-unsupported 1 local projects
 *
 * `=` and the canonical line (nothing behind it: no requirement), or `!` with code,
 * column and words of the message. Lines that begin with `##` are comments.
 */
#include "lib/base/fd.h"
#include "tests/unit/requirements_test.h"

#include <fcntl.h>

#define CORPUS "tests/unit/requirements-corpus.txt"
#define ENTRIES_MIN 300

/* The canonical form is its own. */
static void check_again(const char *text)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_text(text);

	assert_int_equal(r->n, 1);
	assert_string_equal(r->items[0].text, text);
}

/* What becomes of a line, as the corpus writes it; the message apart. */
static void outcome(const char *line, struct cuv_buf *ret, struct cuv_error *err)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;

	if (cuv_requirements_parse(line, strlen(line), &r, err) < 0) {
		assert_int_equal(err->line, 1);
		cuv_buf_addf(ret, "! %s %u", cuv_error_name(err->code), err->column);
		return;
	}
	cuv_buf_add_char(ret, '=');
	for (size_t i = 0; i < r->n; i++)
		cuv_buf_addf(ret, " %s", r->items[i].text);
	if (r->n)
		check_again(cuv_buf_str(ret) + 2);
}

static bool as_expected(const char *line, const char *expected)
{
	_cleanup_buf_ struct cuv_buf found = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;

	outcome(line, &found, &err);
	if (expected[0] == '=' && strcmp(cuv_buf_str(&found), expected) == 0)
		return true;
	if (expected[0] == '!' && found.len <= strlen(expected) &&
	    strncmp(cuv_buf_str(&found), expected, found.len) == 0 &&
	    (expected[found.len] == '\0' ||
	     (expected[found.len] == ' ' && strstr(err.message, expected + found.len + 1))))
		return true;
	print_error("`%s`\n  expected %s\n  found    %s %s\n", line, expected, cuv_buf_str(&found), err.message);
	return false;
}

static void every_line(void **state)
{
	_cleanup_buf_ struct cuv_buf file = CUV_BUF_INIT(1024 * 1024);
	char *line, *rest;
	size_t n = 0, wrong = 0;

	(void)state;
	assert_int_equal(cuv_read_file(AT_FDCWD, CORPUS, &file), 0);
	for (line = strtok_r(file.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *expected;

		if (strncmp(line, "##", 2) == 0)
			continue;
		expected = strtok_r(NULL, "\n", &rest);
		assert_non_null(expected);
		if (expected[0] != '=' && expected[0] != '!')
			fail_msg("behind `%s` stands neither = nor !", line);
		wrong += !as_expected(line, expected);
		n++;
	}
	assert_int_equal(wrong, 0);
	assert_true(n >= ENTRIES_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_line)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
