/* SPDX-License-Identifier: MIT */
/* Which Pythons there are, and what a user may call them. */
#include "nixenv/python.h"
#include "tests/unit/unit.h"

#include <string.h>

static const char *chosen(const char *wanted)
{
	static struct cuv_error err;
	const struct cuv_python *p = cuv_python_choose("the field `python`", wanted, &err);

	return p ? p->version : err.message;
}

TEST(by_version_and_by_full_version)
{
	assert_string_equal(chosen(NULL), "3.11");
	assert_string_equal(chosen("3.11"), "3.11");
	assert_string_equal(chosen("3.11.2"), "3.11");
	assert_string_equal(chosen("3.13"), "3.13");
	assert_string_equal(chosen("3.13.5"), "3.13");
}

TEST(what_there_is_not_is_refused_with_what_there_is)
{
	static const char *const none[] = {"",	      "3",	  "3.1",	"3.12", "3.11.",
					   "3.11.20", "3.13.5.1", "python3.13", " 3.13"};
	struct cuv_error err = CUV_ERROR_INIT;

	assert_string_equal(chosen("3.12"), "the field `python` asks for Python 3.12; there are 3.11.2 and 3.13.5");
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		assert_null(cuv_python_choose("x", none[i], &err));
		assert_int_equal(err.code, CUV_E_FIELD_INVALID);
	}
}

TEST(the_default_has_the_short_names)
{
	char suffix[32];

	cuv_python_suffix(&cuv_pythons[0], suffix);
	assert_string_equal(suffix, "");
	cuv_python_suffix(cuv_python_find("3.13"), suffix);
	assert_string_equal(suffix, "-python313");
	assert_null(cuv_python_find("3.13.5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_version_and_by_full_version),
		cmocka_unit_test(what_there_is_not_is_refused_with_what_there_is),
		cmocka_unit_test(the_default_has_the_short_names),
	};

	return cmocka_run_group_tests_name("python", tests, NULL, NULL);
}
