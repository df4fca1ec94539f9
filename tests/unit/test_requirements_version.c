/* SPDX-License-Identifier: MIT */
/* PEP 440 versions by themselves; tests/tree/requirements-differential compares
 * many more of them with another reader. */
#include "nixenv/pep440.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_version(const char *text, const char *full, const char *brief)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4 * CUV_VERSION_LEN_MAX);
	struct cuv_version v;

	if (cuv_version_parse(text, strlen(text), &v) != CUV_VERSION_OK)
		fail_msg("`%s` is refused", text);
	assert_int_equal(cuv_version_format(&v, false, &out), 0);
	assert_string_equal(cuv_buf_str(&out), full);
	cuv_buf_reset(&out);
	assert_int_equal(cuv_version_format(&v, true, &out), 0);
	assert_string_equal(cuv_buf_str(&out), brief);
}

static void normal_forms(void **state)
{
	static const char *const forms[][3] = {
		{"1", "1", "1"},
		{"1.0", "1.0", "1"},
		{"0.0", "0.0", "0"},
		{"01.02.0", "1.2.0", "1.2"},
		{"v1.0", "1.0", "1"},
		{"0!1", "1", "1"},
		{"002!1.0", "2!1.0", "2!1"},
		{"1.0-ALPHA.1", "1.0a1", "1a1"},
		{"1.0beta", "1.0b0", "1b0"},
		{"1_c_2", "1rc2", "1rc2"},
		{"1.preview3", "1rc3", "1rc3"},
		{"1.0a-", "1.0a0", "1a0"},
		{"1.0-1", "1.0.post1", "1.post1"},
		{"1.0rev", "1.0.post0", "1.post0"},
		{"1.0.R.3", "1.0.post3", "1.post3"},
		{"1.0a1-2", "1.0a1.post2", "1a1.post2"},
		{"1.0DEV", "1.0.dev0", "1.dev0"},
		{"1!1.0a1.post2.dev3+Local-01", "1!1.0a1.post2.dev3+local.1", "1!1a1.post2.dev3+local.1"},
		{"1+00", "1+0", "1+0"},
		{"1+0a", "1+0a", "1+0a"},
		{"18446744073709551614", "18446744073709551614", "18446744073709551614"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		assert_version(forms[i][0], forms[i][1], forms[i][2]);
}

static void no_versions(void **state)
{
	static const char *const texts[] = {"",	   "v",	    "a",    "1.",      "1..0",	".1",	"1!",	"1!!2",
					    " 1",  "1 ",    "1.0x", "1.a.b",   "1a1a2", "1--1", "1.0+", "1+a..b",
					    "1+-", "1+a+b", "1.*",  "1dev1a1", "1-",	"vv1"};
	struct cuv_version v;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (cuv_version_parse(texts[i], strlen(texts[i]), &v) != CUV_VERSION_E_SYNTAX)
			fail_msg("`%s` is taken for a version", texts[i]);
}

static void limits(void **state)
{
	char text[CUV_VERSION_LEN_MAX + 2];
	struct cuv_version v;

	(void)state;
	assert_int_equal(cuv_version_parse("18446744073709551615", 20, &v), CUV_VERSION_E_NUMBER);
	assert_int_equal(cuv_version_parse("1.0a99999999999999999999", 24, &v), CUV_VERSION_E_NUMBER);
	assert_int_equal(cuv_version_parse("999999999999999999990!1", 23, &v), CUV_VERSION_E_NUMBER);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '.' : '1';
	assert_int_equal(cuv_version_parse(text, CUV_VERSION_LEN_MAX - 1, &v), CUV_VERSION_OK);
	assert_int_equal(v.n_release, CUV_VERSION_LEN_MAX / 2);
	assert_int_equal(cuv_version_parse(text, CUV_VERSION_LEN_MAX + 1, &v), CUV_VERSION_E_LENGTH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_forms),
		cmocka_unit_test(no_versions),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("versions", tests, NULL, NULL);
}
