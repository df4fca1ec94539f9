/* SPDX-License-Identifier: MIT */
/* The parts of the Jobe dialect: words, run_spec, outcomes, the cache of files. */
#include "lib/base/clock.h"
#include "manager/backends.h"
#include "manager/dialect/jobe_files.h"
#include "manager/dialect/jobe_outcome.h"
#include "manager/dialect/jobe_spec.h"
#include "manager/dialect/jobe_words.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#define DAY_NS (86400 * CUV_NS_PER_S)

static void words(const char *text, const char *joined)
{
	_cleanup_strv_ struct cuv_strv v = CUV_STRV_INIT;
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(256);

	assert_int_equal(cuv_jobe_words("`runargs`", text, &v, &err), 0);
	for (size_t i = 0; i < v.n; i++)
		cuv_buf_addf(&got, "%s|", v.items[i]);
	assert_string_equal(cuv_buf_str(&got), joined);
}

TEST(test_words_have_an_end)
{
	_cleanup_strv_ struct cuv_strv many = CUV_STRV_INIT, large = CUV_STRV_INIT;
	_cleanup_free_ char *text = malloc(2 * CUV_ARG_BYTES_MAX);
	struct cuv_error err;

	assert_non_null(text);
	memset(text, 'a', 2 * CUV_ARG_BYTES_MAX);
	text[CUV_ARG_BYTES_MAX + 1] = '\0';
	assert_true(cuv_jobe_words("`runargs`", text, &large, &err) < 0);
	assert_int_equal(err.code, CUV_E_FIELD_INVALID);
	for (size_t i = 1; i < 2 * CUV_ARG_BYTES_MAX; i += 2)
		text[i] = ' ';
	text[2 * CUV_ARG_BYTES_MAX - 1] = '\0';
	assert_true(cuv_jobe_words("`runargs`", text, &many, &err) < 0);
	assert_int_equal(err.code, CUV_E_FIELD_INVALID);
	assert_int_equal(many.n, CUV_ARGS_MAX);
}

TEST(test_words)
{
	words("", "");
	words("  a  b\tc ", "a|b|c|");
	words("name='two words' x", "name=two words|x|");
	words("'' \"\" \\ ", "||"
			     " |");
	words("\"a\\\"b\\\\c\\d'\" 'e\"\\'", "a\"b\\c\\d'|e\"\\|");
	words("\\$HOME '$(id)' \"\\`\" * ~ #", "$HOME|$(id)|`|*|~|#|");
	words("-c \"print(\\\"Blah\\\")\"", "-c|print(\"Blah\")|");
}

TEST(test_words_that_only_a_shell_could_read)
{
	static const char *const list[] = {"$HOME", "`id`", "\"$x\"", "a;b", "a|b", "a&",  "<f",
					   ">f",    "(a)",  "'a",     "\"a", "a\\", "a\nb"};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		_cleanup_strv_ struct cuv_strv v = CUV_STRV_INIT;
		struct cuv_error err = CUV_ERROR_INIT;

		assert_true(cuv_jobe_words("`runargs`", list[i], &v, &err) < 0);
		assert_int_equal(err.code, CUV_E_FIELD_INVALID);
	}
}

static uint64_t limit(const char *parameters, enum cuv_limit which)
{
	char text[512];
	struct cuv_jobe_spec spec;
	struct cuv_error err = CUV_ERROR_INIT;
	uint64_t value;

	(void)snprintf(text, sizeof(text),
		       "{\"run_spec\": {\"language_id\": \"Python3\", \"sourcecode\": \"\", \"parameters\": %s}}",
		       parameters);
	assert_int_equal(cuv_jobe_spec_read(text, strlen(text), &spec, &err), 0);
	value = spec.limits.value[which];
	cuv_jobe_spec_done(&spec);
	return value;
}

TEST(test_limits)
{
	assert_int_equal(limit("[]", CUV_LIMIT_CPU_TIME), 5000);
	assert_int_equal(limit("null", CUV_LIMIT_WALL), 10000);
	assert_int_equal(limit("{\"cputime\": \"2.5\"}", CUV_LIMIT_CPU_TIME), 2500);
	assert_int_equal(limit("{\"cputime\": 2.5}", CUV_LIMIT_WALL), 5000);
	assert_int_equal(limit("{\"cputime\": \"; id\"}", CUV_LIMIT_CPU_TIME), 5000);
	assert_int_equal(limit("{\"cputime\": 0}", CUV_LIMIT_CPU_TIME), 5000);
	assert_int_equal(limit("{}", CUV_LIMIT_MEMORY), 1000 * CUV_JOBE_MB);
	assert_int_equal(limit("{\"memorylimit\": 200}", CUV_LIMIT_MEMORY), 200 * CUV_JOBE_MB);
	assert_int_equal(limit("{\"memorylimit\": 0}", CUV_LIMIT_MEMORY), 4 * CUV_GIB);
	assert_int_equal(limit("{\"memorylimit\": 1e30}", CUV_LIMIT_MEMORY), 4 * CUV_GIB);
	assert_int_equal(limit("{\"disklimit\": -1}", CUV_LIMIT_FILE), CUV_GIB);
	assert_int_equal(limit("{\"disklimit\": 100}", CUV_LIMIT_WORK), 100 * CUV_JOBE_MB);
	assert_int_equal(limit("{\"disklimit\": 1}", CUV_LIMIT_WORK), 64 * CUV_MIB);
	assert_int_equal(limit("{\"streamsize\": 0.001}", CUV_LIMIT_STDOUT), 1024);
	assert_int_equal(limit("{\"numprocs\": 10000}", CUV_LIMIT_PROCESSES), 512);
}

TEST(test_interpreter_args)
{
	static const char text[] = "{\"run_spec\": {\"language_id\": \"python3\", \"sourcecode\": \"\", "
				   "\"parameters\": {\"interpreterargs\": [%s]}}}";
	static const struct {
		const char *args;
		size_t n;
	} cases[] = {{"\"-BE\", \"-s\"", 0}, {"\"-u\"", 1}, {"\"-W\", \"-B\"", 2}, {"\"-X dev\"", 2}, {"\"-\"", 1}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char body[512];
		struct cuv_jobe_spec spec;
		struct cuv_error err = CUV_ERROR_INIT;

		(void)snprintf(body, sizeof(body), text, cases[i].args);
		assert_int_equal(cuv_jobe_spec_read(body, strlen(body), &spec, &err), 0);
		assert_int_equal(spec.interpreter_args.n, cases[i].n);
		cuv_jobe_spec_done(&spec);
	}
}

static bool is_syntax_error(const char *text)
{
	return cuv_jobe_is_syntax_error(text, strlen(text), "main.py");
}

TEST(test_syntax_errors)
{
	assert_true(
		is_syntax_error("  File \"/box/main.py\", line 1\n    (\n    ^\nSyntaxError: '(' was never closed\n"));
	assert_true(is_syntax_error("  File \"/box/main.py\", line 10\nIndentationError: unexpected indent"));
	assert_true(
		is_syntax_error("/box/main.py:1: SyntaxWarning: \"is\"\n  if x is 1:\n/box/main.py:2: SyntaxWarning: "
				"y\n  File \"/box/main.py\", line 3\nTabError: z\n"));
	assert_false(is_syntax_error(""));
	assert_false(
		is_syntax_error("Traceback (most recent call last):\n  File \"/box/main.py\", line 1, in <module>\n  "
				"File \"<string>\", line 1\nSyntaxError: x\n"));
	assert_false(is_syntax_error("  File \"/box/main.py\", line 1, in f\nSyntaxError: x\n"));
	assert_false(is_syntax_error("  File \"/box/main.py\", line 1\nValueError: x\n"));
	assert_false(is_syntax_error("  File \"/box/other.py\", line 1\nSyntaxError: x\n"));
	assert_false(is_syntax_error("/box/main.py:1: SyntaxWarning: \"is\"\n  if x is 1:\n"));
	assert_false(is_syntax_error("  File \"/box/main.py"));
}

TEST(test_text)
{
	static const struct {
		const char *raw;
		size_t len;
		const char *text;
	} cases[] = {
		{"é\n", 3, "é\n"}, {"a\xff\t\x7f", 4, "a\\xff\t\\x7f"}, {"", 0, ""}, {"é\xff", 3, "\\xc3\\xa9\\xff"}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *got = cuv_jobe_text(cases[i].raw, cases[i].len);

		assert_string_equal(json_string_value(got), cases[i].text);
		json_decref(got);
	}
}

static int put(struct cuv_jobe_files *f, const char *owner, const char *id, size_t len, uint64_t now_ns)
{
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_free_ char *data = malloc(len + 1);

	assert_non_null(data);
	memset(data, 'a', len);
	return cuv_jobe_files_put(f, owner, id, data, len, now_ns, &err) == 0 ? 0 : (int)err.code;
}

static int get(struct cuv_jobe_files *f, const char *owner, const char *id, const char *content)
{
	_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(100);
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = cuv_jobe_files_get(f, owner, id, 3, &charge, &got, &err);

	assert_string_equal(cuv_buf_str(&got), content);
	return r;
}

TEST(test_files)
{
	struct cuv_files *cache = cuv_files_memory_new(100);
	struct cuv_jobe_files f;

	assert_non_null(cache);
	cuv_jobe_files_init(&f, cache);
	assert_int_equal(put(&f, "one", "random01", 3, 1), 0);
	assert_int_equal(put(&f, "one", "random01", 5, 2), 0); /* in its place */
	assert_int_equal(f.n, 1);
	assert_int_equal(f.bytes, 5);
	assert_int_equal(get(&f, "one", "random01", "aaaaa"), 1);
	assert_int_equal(get(&f, "two", "random01", ""), 0);
	assert_int_equal(put(&f, "one", "empty000", 0, 3), 0);
	assert_int_equal(get(&f, "one", "empty000", ""), 1);
	/* MD5 of "a" */
	assert_int_equal(put(&f, "one", "0cc175b9c0f1b6a831c399e269772661", 1, 3), 0);
	assert_int_equal(put(&f, "one", "0CC175B9C0F1B6A831C399E269772661", 1, 3), 0);
	assert_int_equal(put(&f, "one", "0cc175b9c0f1b6a831c399e269772661", 2, 3), CUV_E_HASH_MISMATCH);
	assert_true(cuv_jobe_files_has(&f, "one", "0cc175b9c0f1b6a831c399e269772661", 4));
	/* What the cache has no room for is not there. */
	assert_int_equal(put(&f, "one", "large001", 200, 5), CUV_E_OVERLOADED);
	assert_false(cuv_jobe_files_has(&f, "one", "large001", 5));
	cuv_jobe_files_done(&f);
	cache->close(cache);
}

static int lose(struct cuv_files *cache, const char *name, struct cuv_charge *charge, struct cuv_buf *ret,
		struct cuv_error *err)
{
	(void)cache;
	(void)name;
	(void)charge;
	(void)ret;
	(void)err;
	return -ENOENT;
}

/* Its client puts it again. */
TEST(test_a_file_that_the_cache_has_lost_is_missing)
{
	struct cuv_files *cache = cuv_files_memory_new(100);
	struct cuv_jobe_files f;

	assert_non_null(cache);
	cache->get = lose;
	cuv_jobe_files_init(&f, cache);
	assert_int_equal(put(&f, "one", "random01", 3, 1), 0);
	assert_int_equal(get(&f, "one", "random01", ""), 0);
	cuv_jobe_files_done(&f);
	cache->close(cache);
}

TEST(test_files_are_bounded)
{
	struct cuv_files *cache = cuv_files_memory_new(CUV_JOBE_MEMORY_BYTES_MAX);
	_cleanup_free_ char *all = calloc(1, CUV_JOBE_MEMORY_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_jobe_files f;
	char id[32];

	assert_true(cache && all);
	cuv_jobe_files_init(&f, cache);
	for (unsigned i = 0; i < CUV_JOBE_CACHE_FILES_MAX; i++) {
		(void)snprintf(id, sizeof(id), "number%04u", i);
		assert_int_equal(put(&f, "one", id, 1, i), 0);
	}
	assert_int_equal(f.n, CUV_JOBE_CACHE_FILES_MAX / 2);
	assert_false(cuv_jobe_files_has(&f, "one", "number0000", 5000));
	assert_true(cuv_jobe_files_has(&f, "one", id, 5000));
	/* Bytes: an owner has half, and pushes out none of another's while there is room. */
	assert_int_equal(put(&f, "two", "large001", CUV_JOBE_FILE_BYTES_MAX, 6000), 0);
	assert_int_equal(put(&f, "two", "large002", CUV_JOBE_FILE_BYTES_MAX, 6000), 0);
	assert_int_equal(put(&f, "two", "large003", CUV_JOBE_FILE_BYTES_MAX, 6000), 0);
	assert_false(cuv_jobe_files_has(&f, "two", "large001", 6000));
	assert_true(cuv_jobe_files_has(&f, "two", "large003", 6000));
	assert_int_equal(f.n, CUV_JOBE_CACHE_FILES_MAX / 2 + 2);
	assert_true(f.bytes <= CUV_JOBE_CACHE_BYTES_MAX);
	/* Age: what was asked for stays. */
	assert_true(cuv_jobe_files_has(&f, "one", id, DAY_NS));
	assert_true(cuv_jobe_files_has(&f, "one", id, 2 * DAY_NS + 10000));
	assert_false(cuv_jobe_files_has(&f, "two", "large003", 2 * DAY_NS + 10000));
	assert_int_equal(f.n, 1);
	cuv_jobe_files_done(&f);
	/* Nothing of it is left there. */
	assert_int_equal(cache->put(cache, &(struct cuv_files_content){"x", all, CUV_JOBE_MEMORY_BYTES_MAX}, 1, &err),
			 0);
	cache->close(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_have_an_end),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_that_only_a_shell_could_read),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_interpreter_args),
		cmocka_unit_test(test_syntax_errors),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_a_file_that_the_cache_has_lost_is_missing),
		cmocka_unit_test(test_files_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
