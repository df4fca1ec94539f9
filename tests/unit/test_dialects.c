/* SPDX-License-Identifier: MIT */
/* What the dialects are made of: JSON that is passed on, lists of sites, comparing of output. */
#include "manager/dialect/files.h"
#include "manager/dialect/learn.h"
#include "manager/json_text.h"
#include "manager/origins.h"
#include "nixenv/requirements.h"
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

static bool valid(const char *text)
{
	return cuv_json_text_valid(text, strlen(text));
}

TEST(test_json_text)
{
	static const char *const good[] = {"0",
					   "-0.5e+3",
					   "123456789012345678901234567890",
					   "1e999",
					   "\"\"",
					   "\"\\u00e9\\ud83d\\ude00\\n\"",
					   "[]",
					   "{}",
					   " [1, {\"a\": [null]}] ",
					   "true",
					   "{\"a\":1,\"a\":2}"};
	static const char *const bad[] = {"",	     "01",	    "-",	   "1.",
					  "1e",	     "NaN",	    "[1,]",	   "[,]",
					  "{\"a\"}", "{1:2}",	    "[1 2]",	   "{\"a\":}",
					  "\"",	     "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
					  "\"\\x\"", "\"\t\"",	    "1 2",	   "[}",
					  "{]",	     "[[]",	    "tru",	   "\"\xff\"",
					  "1,",	     "]",	    "{\"a\":1,}",  "{\"a\":1,2}"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(valid(bad[i]));
	assert_false(cuv_json_text_valid("1\0", 2));
	assert_false(cuv_json_text_valid("\"\\", 2));
}

TEST(test_json_depth)
{
	char text[2 * (CUV_JSON_TEXT_DEPTH_MAX + 1) + 1];

	for (size_t n = CUV_JSON_TEXT_DEPTH_MAX; n <= CUV_JSON_TEXT_DEPTH_MAX + 1; n++) {
		memset(text, '[', n);
		text[n] = '0';
		memset(text + n + 1, ']', n);
		assert_true(cuv_json_text_valid(text, 2 * n + 1) == (n <= CUV_JSON_TEXT_DEPTH_MAX));
		assert_false(cuv_json_text_valid(text, 2 * n));
	}
}

TEST(test_origins)
{
	static const char *const bad[] = {"",		" , ",	       "site.example", "https://",
					  "://x",	"https://a/b", "https://a,*",  "https://a\n",
					  "https://u@a"};
	static const char list[] = "https://a.example,  http://b:8080 ";

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cuv_origins_valid(bad[i]));
	assert_true(cuv_origins_valid(list));
	assert_true(cuv_origins_have(list, "https://a.example"));
	assert_true(cuv_origins_have(list, "http://b:8080"));
	assert_false(cuv_origins_have(list, "http://b"));
	assert_false(cuv_origins_have(list, ""));
	assert_false(cuv_origins_have(list, "https://a.example,"));
	assert_false(cuv_origins_have(NULL, "https://a.example"));
}

/* Whether a case of this expected output passes for this output. */
static bool passes(const char *expected, const char *code, const char *out, const char *err, enum cuv_run_status status)
{
	json_t *want = expected ? json_string(expected) : NULL, *own = code ? json_string(code) : NULL;
	struct cuv_learn_case c = {.expected = want, .code = own};
	struct cuv_job_result r = {.run.status = status};
	json_t *answer;
	bool ret;

	cuv_buf_init(&r.out, 1024);
	cuv_buf_init(&r.err, 1024);
	cuv_buf_add_str(&r.out, out);
	cuv_buf_add_str(&r.err, err);
	answer = cuv_learn_result(&c, &r);
	assert_non_null(answer);
	ret = json_is_true(json_object_get(answer, "passed"));
	json_decref(answer);
	json_decref(want);
	json_decref(own);
	cuv_job_result_done(&r);
	return ret;
}

TEST(test_cases)
{
	assert_true(passes("b \nc", NULL, "a b\nc \n\n", "", CUV_RUN_SUCCESS));
	assert_false(passes("b\nd", NULL, "a b\nc", "", CUV_RUN_SUCCESS));
	assert_true(passes("", NULL, "", "", CUV_RUN_ERROR));
	assert_true(passes("a\n\n", "x", "a  \n", "", CUV_RUN_SUCCESS));
	assert_false(passes("a", "x", " a", "", CUV_RUN_SUCCESS));
	assert_false(passes("a", "x", "b a", "", CUV_RUN_SUCCESS));
	assert_true(passes("ValueError", NULL, "", "Traceback", CUV_RUN_ERROR));
	assert_false(passes("ValueError", NULL, "", "", CUV_RUN_SUCCESS));
	assert_true(passes(NULL, NULL, "", "Traceback", CUV_RUN_ERROR));
	assert_false(passes(NULL, "x", "", "Traceback", CUV_RUN_ERROR));
	assert_false(passes(NULL, NULL, "", "", CUV_RUN_KILLED));
	assert_false(passes("a", NULL, "a", "", CUV_RUN_TIMEOUT));
}

TEST(test_data_science)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;
	int64_t date = 0;

	assert_int_equal(cuv_data_science_read(&text, &date, &err), 0);
	assert_true(date > 0);
	assert_non_null(strstr(cuv_buf_str(&text), "numpy=="));
	assert_non_null(strstr(cuv_buf_str(&text), "pandas=="));
	assert_non_null(strstr(cuv_buf_str(&text), "requests=="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_text), cmocka_unit_test(test_json_depth),   cmocka_unit_test(test_origins),
		cmocka_unit_test(test_cases),	  cmocka_unit_test(test_data_science),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
