/* SPDX-License-Identifier: MIT */
#include "manager/lint_settings.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static const char *selected(const char *text)
{
	static struct cuv_lint_settings s;
	struct cuv_error err = CUV_ERROR_INIT;

	s = (struct cuv_lint_settings){0};
	return cuv_lint_select_read("it", text, &s, &err) == 0 ? s.select : NULL;
}

TEST(rules_and_what_their_codes_begin_with)
{
	assert_string_equal(selected("E"), "E");
	assert_string_equal(selected("E5,E501 ,\tPL"), "E5,E501,PL");
	assert_string_equal(selected("[\"F401\", \"ALL\"]"), "F401,ALL");
	assert_string_equal(selected("PLC,PLR09,C,C4,T20,RUF1"), "PLC,PLR09,C,C4,T20,RUF1");
}

TEST(what_is_no_rule_is_refused)
{
	static const char *const bad[] = {"",
					  " ,",
					  "e",
					  "XX",
					  "E5011",
					  "E9990",
					  "AI",
					  "AL",
					  "P",
					  "F401x",
					  "--fix",
					  "E;F",
					  "E=F",
					  "é",
					  "E\n",
					  "ANN101",
					  "[]",
					  "[1]",
					  "[\"\"]",
					  "[\"E,\"]",
					  "[\"E\",]",
					  "{\"E\":1}",
					  "E5011111111111",
					  "#",
					  "SPDX",
					  "5",
					  "F 401",
					  "[\"E\\u0000\"]"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (selected(bad[i]))
			fail_msg("`%s` was taken for `%s`", bad[i], selected(bad[i]));
}

TEST(no_more_rules_than_there_is_room_for)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_LINT_SELECT_TEXT_MAX);

	for (int i = 0; i < CUV_LINT_SELECT_MAX; i++)
		assert_ok(cuv_buf_add_str(&text, i ? ",PLR0911" : "PLR0911"));
	assert_string_equal(selected(cuv_buf_str(&text)), cuv_buf_str(&text));
	assert_ok(cuv_buf_add_str(&text, ",E"));
	assert_null(selected(cuv_buf_str(&text)));
}

TEST(lengths_and_pythons)
{
	struct cuv_lint_settings s = {0};
	struct cuv_error err = CUV_ERROR_INIT;
	static const char *const lengths[] = {"0", "321", "-1", "+5", "8.0", "", " 88", "1e2"};
	static const char *const pythons[] = {"py36", "py316", "py3", "py307", "py2", "3.11", "", "py3 11", "PY311"};

	assert_ok(cuv_lint_line_read("it", "320", &s, &err));
	assert_int_equal(s.line_length, 320);
	assert_ok(cuv_lint_target_read("it", "py37", &s, &err));
	assert_int_equal(s.minor, 7);
	assert_ok(cuv_lint_target_read("it", "py315", &s, &err));
	assert_int_equal(s.minor, 15);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		assert_true(cuv_lint_line_read("it", lengths[i], &s, &err) < 0);
	for (size_t i = 0; i < ARRAY_SIZE(pythons); i++)
		assert_true(cuv_lint_target_read("it", pythons[i], &s, &err) < 0);
	assert_int_equal(err.code, CUV_E_FIELD_INVALID);
}

TEST(each_setting_is_part_of_what_is_known_of_code)
{
	const struct cuv_python *python = cuv_pythons;
	static const struct cuv_lint_settings s[] = {{.select = "E"},
						     {.select = "F"},
						     {.line_length = 10},
						     {.minor = 8},
						     {.select = "E", .line_length = 10}};
	char text[ARRAY_SIZE(s) + 1][CUV_LINT_SETTINGS_TEXT_SIZE];

	cuv_lint_settings_text(NULL, python, text[ARRAY_SIZE(s)]);
	for (size_t i = 0; i < ARRAY_SIZE(s); i++) {
		cuv_lint_settings_text(&s[i], python, text[i]);
		assert_false(cuv_lint_settings_kept(&s[i], python));
		for (size_t k = 0; k <= ARRAY_SIZE(s); k++)
			assert_true(k == i || k < i || strcmp(text[i], text[k]) != 0);
	}
}

TEST(a_kept_ruff_is_for_nothing_said_and_the_default_python)
{
	const struct cuv_lint_settings none = {0}, same = {.minor = (unsigned)cuv_pythons->minor};

	assert_true(cuv_lint_settings_kept(NULL, cuv_pythons));
	assert_true(cuv_lint_settings_kept(&none, cuv_pythons));
	assert_true(cuv_lint_settings_kept(&same, cuv_pythons));
	for (size_t i = 1; i < cuv_pythons_n; i++) {
		assert_false(cuv_lint_settings_kept(&none, &cuv_pythons[i]));
		assert_true(cuv_lint_settings_kept(&same, &cuv_pythons[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_and_what_their_codes_begin_with),
		cmocka_unit_test(what_is_no_rule_is_refused),
		cmocka_unit_test(no_more_rules_than_there_is_room_for),
		cmocka_unit_test(lengths_and_pythons),
		cmocka_unit_test(each_setting_is_part_of_what_is_known_of_code),
		cmocka_unit_test(a_kept_ruff_is_for_nothing_said_and_the_default_python),
	};

	return cmocka_run_group_tests_name("lint_settings", tests, NULL, NULL);
}
