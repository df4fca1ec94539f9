/* SPDX-License-Identifier: MIT */
#include "manager/ruff/cache.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct cuv_ruff_key key_of(const char *code)
{
	struct cuv_ruff_key key;

	cuv_ruff_cache_key("ruff-1", code, strlen(code), &key);
	return key;
}

static void put(struct cuv_ruff_cache *c, const char *code, const char *formatted)
{
	const struct cuv_ruff_key key = key_of(code);
	struct cuv_ruff_report r;

	cuv_ruff_report_init(&r);
	r.parsed = true;
	assert_ok(cuv_buf_add_str(&r.formatted, formatted));
	assert_ok(cuv_buf_add_str(&r.warnings, "[]"));
	cuv_ruff_cache_put(c, &key, &r);
	cuv_ruff_report_done(&r);
}

static enum cuv_ruff_known get(struct cuv_ruff_cache *c, const char *code, const char *formatted)
{
	const struct cuv_ruff_key key = key_of(code);
	enum cuv_ruff_known known;
	struct cuv_ruff_report r;

	cuv_ruff_report_init(&r);
	known = cuv_ruff_cache_get(c, &key, &r);
	if (known == CUV_RUFF_KNOWN && formatted) {
		assert_true(r.parsed);
		assert_string_equal(cuv_buf_str(&r.formatted), formatted);
		assert_string_equal(cuv_buf_str(&r.warnings), "[]");
	} else if (known != CUV_RUFF_KNOWN) {
		assert_int_equal(r.formatted.len + r.warnings.len, 0);
	}
	cuv_ruff_report_done(&r);
	return known;
}

TEST(what_was_kept_is_found_by_the_same_bytes_only)
{
	struct cuv_ruff_cache c;
	struct cuv_ruff_key a, b;

	cuv_ruff_cache_init(&c, 1u << 20);
	assert_int_equal(get(&c, "x=1", NULL), CUV_RUFF_UNKNOWN);
	put(&c, "x=1", "x = 1\n");
	assert_int_equal(get(&c, "x=1", "x = 1\n"), CUV_RUFF_KNOWN);
	assert_int_equal(get(&c, "x=1 ", NULL), CUV_RUFF_UNKNOWN);
	cuv_ruff_cache_key("ruff-1", "x", 1, &a);
	cuv_ruff_cache_key("ruff-2", "x", 1, &b);
	assert_true(memcmp(&a, &b, sizeof(a)) != 0);
	cuv_ruff_cache_done(&c);
}

TEST(what_was_too_much_for_a_server_is_remembered_until_it_is_known)
{
	const struct cuv_ruff_key key = key_of("x=1");
	struct cuv_ruff_cache c;

	cuv_ruff_cache_init(&c, 1u << 20);
	cuv_ruff_cache_put(&c, &key, NULL);
	assert_int_equal(get(&c, "x=1", NULL), CUV_RUFF_TOO_MUCH);
	put(&c, "x=1", "x = 1\n");
	assert_int_equal(get(&c, "x=1", "x = 1\n"), CUV_RUFF_KNOWN);
	cuv_ruff_cache_done(&c);
}

TEST(the_bytes_are_bounded_and_the_oldest_goes)
{
	struct cuv_ruff_cache c;
	char code[32], text[1000];
	int i;

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cuv_ruff_cache_init(&c, 32u << 10);
	for (i = 0; i < 3000; i++) {
		snprintf(code, sizeof(code), "x=%d", i);
		put(&c, code, text);
		assert_true(c.bytes <= c.max_bytes);
		/* asked for again and again, so that it is never the oldest */
		assert_int_equal(get(&c, "x=0", text), CUV_RUFF_KNOWN);
	}
	assert_int_equal(get(&c, "x=1", NULL), CUV_RUFF_UNKNOWN);
	assert_int_equal(get(&c, "x=2999", text), CUV_RUFF_KNOWN);
	cuv_ruff_cache_done(&c);
	assert_int_equal(c.bytes, 0);
}

TEST(what_is_large_is_not_kept)
{
	struct cuv_ruff_cache c;
	char text[3000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	cuv_ruff_cache_init(&c, 32u << 10);
	put(&c, "x=1", text);
	assert_int_equal(get(&c, "x=1", NULL), CUV_RUFF_UNKNOWN);
	assert_int_equal(c.bytes, 0);
	cuv_ruff_cache_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_kept_is_found_by_the_same_bytes_only),
		cmocka_unit_test(what_was_too_much_for_a_server_is_remembered_until_it_is_known),
		cmocka_unit_test(the_bytes_are_bounded_and_the_oldest_goes),
		cmocka_unit_test(what_is_large_is_not_kept),
	};

	return cmocka_run_group_tests_name("ruff_cache", tests, NULL, NULL);
}
