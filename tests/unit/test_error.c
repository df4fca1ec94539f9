/* SPDX-License-Identifier: MIT */
#include "lib/base/error.h"
#include "lib/base/utf8.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

TEST(codes_have_one_kebab_name_each_and_a_fitting_status)
{
	int i, j;

	for (i = 0; i < _CUV_E_MAX; i++) {
		const char *name = cuv_error_name((enum cuv_error_code)i);
		int status = cuv_error_http_status((enum cuv_error_code)i);

		assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name));
		assert_true(i == CUV_E_NONE ? status == 200 : status >= 400 && status < 600);
		for (j = 0; j < i; j++)
			assert_string_not_equal(name, cuv_error_name((enum cuv_error_code)j));
	}
	assert_string_equal(cuv_error_name((enum cuv_error_code)999), "internal");
	assert_int_equal(cuv_error_http_status((enum cuv_error_code)999), 500);
}

TEST(setting_clears_what_was_there)
{
	struct cuv_error e;

	assert_int_equal(cuv_error_set_at(&e, CUV_E_REQUIREMENT_INVALID, 3, 7, "a line", 6, "bad %s", "thing"),
			 -EINVAL);
	assert_int_equal(e.line, 3);
	assert_int_equal(e.column, 7);
	assert_string_equal(e.message, "bad thing");
	assert_string_equal(e.excerpt, "a line");
	e.retry_after_s = 5;
	assert_int_equal(cuv_error_set(&e, CUV_E_INTERNAL, "x"), -EINVAL);
	assert_int_equal(e.line, 0);
	assert_int_equal(e.retry_after_s, 0);
	assert_string_equal(e.excerpt, "");
	assert_int_equal(cuv_error_set(NULL, CUV_E_INTERNAL, "x"), -EINVAL);
}

TEST(what_the_machine_has_run_out_of)
{
	static const struct {
		int number;
		enum cuv_error_code code;
	} all[] = {{EAGAIN, CUV_E_NO_PROCESSES}, {ENOMEM, CUV_E_NO_MEMORY},  {EMFILE, CUV_E_OVERLOADED},
		   {ENFILE, CUV_E_OVERLOADED},	 {EUSERS, CUV_E_OVERLOADED}, {ENOSPC, CUV_E_NO_SPACE},
		   {EDQUOT, CUV_E_NO_SPACE},	 {524, CUV_E_OVERLOADED},    {EPERM, CUV_E_INTERNAL},
		   {0, CUV_E_INTERNAL}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct cuv_error e;

		assert_int_equal(cuv_error_set_errno(&e, -all[i].number, "no %s", "fork"), -EINVAL);
		assert_int_equal(e.code, all[i].code);
		assert_string_equal(e.message, "no fork");
		/* One that says 503 says when to come back. */
		assert_int_equal(e.retry_after_s > 0, cuv_error_http_status(e.code) == 503);
	}
	assert_int_equal(cuv_error_set_errno(NULL, -ENOMEM, "x"), -EINVAL);
}

TEST(long_text_is_cut_between_characters)
{
	struct cuv_error e;
	char text[4000];
	size_t i;

	for (i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3); /* the euro sign */
	text[i] = '\0';
	cuv_error_set_at(&e, CUV_E_BAD_REQUEST, 1, 1, text, i, "%s", text);
	assert_true(cuv_utf8_valid(e.message, strlen(e.message)));
	assert_true(strlen(e.message) % 3 == 0 && strlen(e.message) > 1000);
	assert_true(strlen(e.excerpt) % 3 == 0 && strlen(e.excerpt) > 240);
}

TEST(what_is_not_text_is_replaced)
{
	char dst[16];

	cuv_error_copy_text(dst, sizeof(dst), "a\xff\x01\x7f\tb\n\xc3", 8);
	assert_string_equal(dst, "a???\tb\n?");
	cuv_error_copy_text(dst, sizeof(dst), "\0x", 2);
	assert_string_equal(dst, "?x");
	cuv_error_copy_text(dst, 1, "abc", 3);
	assert_string_equal(dst, "");
	cuv_error_copy_text(dst, 3, "\xc3\xa9\xc3\xa9", 4);
	assert_string_equal(dst, "\xc3\xa9");
}

/* Every code stands in docs/errors.md with its status and meaning. */
TEST(the_documentation_lists_every_code)
{
	static const struct {
		const char *name;
		int status;
		const char *text;
	} rows[] = {
#define X(name, kebab, http, text) {kebab, http, text},
		CUV_ERROR_TABLE(X)
#undef X
	};
	_cleanup_buf_ struct cuv_buf doc = CUV_BUF_INIT(1 << 20);
	FILE *f = fopen("docs/errors.md", "re");
	char line[512];
	size_t i, listed = 0;

	if (!f)
		f = fopen("../docs/errors.md", "re");
	if (!f)
		skip(); /* not started from the source tree */
	while (fgets(line, sizeof(line), f)) {
		cuv_buf_add_str(&doc, line);
		listed += line[0] == '|' && line[2] == '`';
	}
	fclose(f);
	for (i = 1; i < ARRAY_SIZE(rows); i++) {
		snprintf(line, sizeof(line), "| `%s` | %d | %s", rows[i].name, rows[i].status, rows[i].text);
		if (!strstr(cuv_buf_str(&doc), line))
			fail_msg("docs/errors.md lacks the row: %s", line);
	}
	assert_int_equal(listed, ARRAY_SIZE(rows) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_have_one_kebab_name_each_and_a_fitting_status),
		cmocka_unit_test(setting_clears_what_was_there),
		cmocka_unit_test(what_the_machine_has_run_out_of),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(what_is_not_text_is_replaced),
		cmocka_unit_test(the_documentation_lists_every_code),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
