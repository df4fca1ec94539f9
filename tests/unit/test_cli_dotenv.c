/* SPDX-License-Identifier: MIT */
/* .env files: which lines count, and what their values are. */
#include "cli/dotenv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void assert_value(const char *text, const char *name, const char *value)
{
	struct cuv_strv v = CUV_STRV_INIT;
	const char *got;

	assert_int_equal(cuv_dotenv_parse(text, strlen(text), &v), 0);
	got = cuv_dotenv_get(&v, name);
	if (value) {
		assert_non_null(got);
		assert_string_equal(got, value);
	} else {
		assert_null(got);
	}
	cuv_strv_done(&v);
}

static void plain_values(void **state)
{
	(void)state;
	assert_value("PORT=8001", "PORT", "8001");
	assert_value("PORT=8001\n", "PORT", "8001");
	assert_value("PORT=8001\r\n", "PORT", "8001");
	assert_value("  PORT = 8001  \n", "PORT", NULL); /* a blank before '=' is no name */
	assert_value("  PORT= 8001 \n", "PORT", "8001");
	assert_value("export PORT=8001\n", "PORT", "8001");
	assert_value("PORT=\n", "PORT", "");
	assert_value("A=1\nB=2\n\nC=3", "C", "3");
	assert_value("A=x=y\n", "A", "x=y");
}

static void last_one_counts(void **state)
{
	(void)state;
	assert_value("A=1\nA=2\n", "A", "2");
	assert_value("AB=1\nA=2\nAB=3\n", "A", "2");
}

static void comments(void **state)
{
	(void)state;
	assert_value("# A=1\n", "A", NULL);
	assert_value("A=1 # one\n", "A", "1");
	assert_value("A=1#one\n", "A", "1#one");
	assert_value("A=#one\n", "A", "");
	assert_value("A=\"1 # one\" # two\n", "A", "1 # one");
}

static void quotes(void **state)
{
	(void)state;
	assert_value("A=\" x \"\n", "A", " x ");
	assert_value("A='$HOME'\n", "A", "$HOME");
	assert_value("A=$HOME\n", "A", "$HOME"); /* nothing is expanded */
	assert_value("A=\"never closed\nB=2\n", "A", NULL);
	assert_value("A=\"never closed\nB=2\n", "B", "2");
}

static void other_lines_are_passed_over(void **state)
{
	(void)state;
	assert_value("if true; then\nA=1\nfi\n", "A", "1");
	assert_value("=1\n1A=2\nA B=3\nA-B=4\nA=5\n", "A", "5");
	assert_value("", "A", NULL);
}

static void a_missing_file_is_empty(void **state)
{
	struct cuv_strv v = CUV_STRV_INIT;

	(void)state;
	assert_int_equal(cuv_dotenv_read("/nonexistent/.env", &v), 0);
	assert_int_equal(v.n, 0);
	assert_int_equal(cuv_dotenv_read("/dev/zero", &v), -E2BIG);
	cuv_strv_done(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_values),
		cmocka_unit_test(last_one_counts),
		cmocka_unit_test(comments),
		cmocka_unit_test(quotes),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(a_missing_file_is_empty),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
