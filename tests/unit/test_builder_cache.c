/* SPDX-License-Identifier: MIT */
/* What the builder remembers: the last ones asked for, and recent failures. */
#include "lib/base/clock.h"
#include "nixenv/builder/cache.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct cuv_key key_of(unsigned n)
{
	struct cuv_key key;

	(void)snprintf(key.hex, sizeof(key.hex), "%064x", n + 1);
	return key;
}

static void put(struct cuv_cache *c, unsigned n)
{
	struct cuv_environment e = CUV_ENVIRONMENT_INIT;
	struct cuv_key key = key_of(n);

	(void)snprintf(e.digest, sizeof(e.digest), "%032u", n);
	assert_ok(cuv_strv_add(&e.packages, "a 1"));
	assert_non_null(cuv_cache_take_ready(c, &key, &e));
	assert_null(e.packages.items); /* taken */
}

static bool has(struct cuv_cache *c, unsigned n)
{
	struct cuv_key key = key_of(n);
	const struct cuv_environment *e = cuv_cache_ready(c, &key);
	char digest[33];

	(void)snprintf(digest, sizeof(digest), "%032u", n);
	assert_true(!e || strcmp(e->digest, digest) == 0);
	return e != NULL;
}

TEST(the_one_unused_longest_goes_first)
{
	struct cuv_cache *c = cuv_cache_new();
	struct cuv_key key = key_of(5);

	assert_non_null(c);
	for (unsigned n = 0; n < CUV_CACHE_READY_MAX; n++)
		put(c, n);
	assert_true(has(c, 0)); /* used just now */
	put(c, 1000);
	assert_true(has(c, 0) && has(c, 1000) && has(c, 2));
	assert_false(has(c, 1));
	put(c, 1000); /* replaced, not added */
	assert_true(has(c, 3));
	cuv_cache_drop_ready(c, &key);
	assert_false(has(c, 5));
	cuv_cache_drop_ready(c, &key);
	put(c, 1001); /* takes the free place */
	assert_true(has(c, 4));
	cuv_cache_free(c);
}

TEST(only_lasting_failures_are_kept)
{
	struct cuv_cache *c = cuv_cache_new();

	for (unsigned code = CUV_E_NONE + 1; code < _CUV_E_MAX; code++) {
		struct cuv_key key = key_of(code);
		const struct cuv_error *kept;
		struct cuv_error err;

		cuv_error_set(&err, (enum cuv_error_code)code, "%u", code);
		cuv_cache_put_failed(c, &key, &err, 1);
		kept = cuv_cache_failed(c, &key, 1);
		assert_true(!kept || kept->code == code);
		assert_int_equal(kept != NULL,
				 code == CUV_E_REQUIREMENTS_UNRESOLVABLE || code == CUV_E_WHEEL_UNAVAILABLE ||
					 code == CUV_E_HASH_MISMATCH || code == CUV_E_ENVIRONMENT_TOO_LARGE ||
					 code == CUV_E_BUILD_FAILED || code == CUV_E_ADDRESS_REFUSED ||
					 code == CUV_E_ENVIRONMENT_UNKNOWN || code == CUV_E_URL_UNAVAILABLE);
	}
	cuv_cache_free(c);
}

TEST(failures_are_bounded)
{
	struct cuv_cache *c = cuv_cache_new();
	struct cuv_key first = key_of(0), last = key_of(CUV_CACHE_FAILED_MAX);
	struct cuv_error err;

	cuv_error_set(&err, CUV_E_WHEEL_UNAVAILABLE, "none");
	for (unsigned n = 0; n <= CUV_CACHE_FAILED_MAX; n++) {
		struct cuv_key key = key_of(n);

		cuv_cache_put_failed(c, &key, &err, 1);
	}
	assert_null(cuv_cache_failed(c, &first, 1));
	assert_non_null(cuv_cache_failed(c, &last, 1));
	assert_null(cuv_cache_free(c));
	assert_null(cuv_cache_free(NULL));
}

TEST(failures_are_forgotten_after_a_minute)
{
	const uint64_t then = 5 * CUV_NS_PER_S, minute = CUV_CACHE_FAILED_S * CUV_NS_PER_S;
	struct cuv_cache *c = cuv_cache_new();
	struct cuv_key key = key_of(0);
	struct cuv_error err;

	cuv_error_set(&err, CUV_E_BUILD_FAILED, "no");
	cuv_cache_put_failed(c, &key, &err, then);
	assert_non_null(cuv_cache_failed(c, &key, then + minute - 1));
	assert_null(cuv_cache_failed(c, &key, then + minute));
	/* For good, until it fails again. */
	assert_null(cuv_cache_failed(c, &key, then));
	cuv_cache_put_failed(c, &key, &err, then + minute);
	assert_non_null(cuv_cache_failed(c, &key, then + minute));
	cuv_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_one_unused_longest_goes_first),
		cmocka_unit_test(only_lasting_failures_are_kept),
		cmocka_unit_test(failures_are_bounded),
		cmocka_unit_test(failures_are_forgotten_after_a_minute),
	};

	return cmocka_run_group_tests_name("builder_cache", tests, NULL, NULL);
}
