/* SPDX-License-Identifier: MIT */
/* Who has asked for which environments: to each their own, bounded, and kept. */
#include "manager/holdings.h"
#include "tests/unit/store_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW 1700000000
#define ONE "0123456789abcdfghijklmnpqrsvwxyz"
#define TWO "zyxwvsrqpnmlkjihgfdcba9876543210"

static void note(struct cuv_holdings *h, const char *owner, const char *digest, bool cached, int64_t when_s)
{
	struct cuv_environment e = {.lock_digest = "sha256:abc", .python = "3.11.2", .cached = cached};

	(void)snprintf(e.digest, sizeof(e.digest), "%s", digest);
	cuv_holdings_note(h, owner, &e, when_s);
}

static int count_one(void *arg, const struct cuv_holding *found)
{
	(void)found;
	++*(size_t *)arg;
	return 0;
}

static size_t count(struct cuv_holdings *h, const char *owner)
{
	struct cuv_error err;
	size_t n = 0;

	assert_ok(cuv_holdings_each(h, owner, count_one, &n, &err));
	return n;
}

static int first_one(void *arg, const struct cuv_holding *found)
{
	memcpy(arg, found->digest, sizeof(found->digest));
	return 1;
}

TEST(each_owner_sees_their_own)
{
	struct cuv_holdings h;
	struct cuv_holding found;
	struct cuv_error err;
	char digest[CUV_ENV_DIGEST_SIZE];

	cuv_holdings_init(&h, *state);
	note(&h, "a", ONE, false, NOW);
	note(&h, "b", TWO, true, NOW + 1);
	note(&h, "a", TWO, true, NOW + 2);
	note(&h, "a", TWO, true, NOW + 3);
	note(&h, "a", ONE, true, NOW + 4);
	assert_int_equal(count(&h, "a"), 2);
	assert_int_equal(count(&h, "b"), 1);
	assert_int_equal(count(&h, "c"), 0);
	assert_int_equal(count(&h, NULL), 2);
	assert_int_equal(cuv_holdings_each(&h, "a", first_one, digest, &err), 1);
	assert_string_equal(digest, ONE); /* used last */

	assert_ok(cuv_holdings_find(&h, "a", TWO, &found, &err));
	assert_int_equal(found.hits, 2);
	assert_int_equal(found.first_s, NOW + 2);
	assert_int_equal(found.used_s, NOW + 3);
	assert_int_equal(found.owners, 1);
	assert_string_equal(found.python, "3.11.2");
	assert_ok(cuv_holdings_find(&h, NULL, TWO, &found, &err));
	assert_int_equal(found.hits, 3);
	assert_int_equal(found.first_s, NOW + 1);
	assert_int_equal(found.owners, 2);
	assert_int_equal(cuv_holdings_find(&h, "b", ONE, &found, &err), -ENOENT);
	assert_int_equal(err.code, CUV_E_ENVIRONMENT_UNKNOWN);
	assert_int_equal(cuv_holdings_find(&h, "b", "../../etc", &found, &err), -ENOENT);
	cuv_holdings_done(&h);
}

TEST(what_is_forgotten_is_forgotten_by_one)
{
	struct cuv_holdings h;
	struct cuv_holding found;
	struct cuv_error err;

	cuv_holdings_init(&h, *state);
	note(&h, "a", ONE, false, NOW);
	note(&h, "b", ONE, true, NOW);
	note(&h, "a", ONE, true, NOW + 1); /* noted, not written yet */
	assert_ok(cuv_holdings_forget(&h, "a", ONE, &err));
	assert_int_equal(cuv_holdings_forget(&h, "a", ONE, &err), -ENOENT);
	assert_int_equal(cuv_holdings_forget(&h, "c", ONE, &err), -ENOENT);
	assert_int_equal(count(&h, "a"), 0);
	assert_int_equal(count(&h, "b"), 1);
	note(&h, "a", ONE, true, NOW + 9);
	assert_ok(cuv_holdings_find(&h, "a", ONE, &found, &err));
	assert_int_equal(found.hits, 1);
	assert_int_equal(found.first_s, NOW + 9);
	cuv_holdings_done(&h);
}

TEST(it_is_there_after_a_restart)
{
	struct cuv_holdings h;
	struct cuv_holding found;
	struct cuv_error err;

	cuv_holdings_init(&h, *state);
	note(&h, "a", ONE, false, NOW);
	note(&h, "a", ONE, true, NOW + 1);
	cuv_holdings_done(&h);
	cuv_holdings_init(&h, *state);
	note(&h, "a", ONE, true, NOW + 2); /* not new, but this one does not know that */
	assert_ok(cuv_holdings_find(&h, "a", ONE, &found, &err));
	assert_int_equal(found.hits, 2);
	assert_int_equal(found.used_s, NOW + 2);
	assert_int_equal(found.first_s, NOW);
	cuv_holdings_done(&h);
}

/* The number in base 16, in front of what is left of a digest. */
static void numbered(unsigned i, char ret[CUV_ENV_DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdfg";

	memcpy(ret, ONE, CUV_ENV_DIGEST_SIZE);
	for (int k = 3; k >= 0; k--, i /= 16)
		ret[k] = digits[i % 16];
}

TEST(the_longest_unused_ones_go)
{
	const unsigned n = CUV_HOLDINGS_OWNED_MAX + 5;
	struct cuv_holdings h;
	struct cuv_holding found;
	struct cuv_error err;
	char digest[CUV_ENV_DIGEST_SIZE];

	cuv_holdings_init(&h, *state);
	note(&h, "b", ONE, true, NOW - 1000);
	for (unsigned i = 0; i < n; i++) {
		numbered(i, digest);
		note(&h, "a", digest, false, NOW + i);
		/* The first one is used all the time. */
		numbered(0, digest);
		note(&h, "a", digest, true, NOW + i);
	}
	assert_int_equal(count(&h, "a"), CUV_HOLDINGS_OWNED_MAX);
	assert_int_equal(count(&h, "b"), 1);
	numbered(0, digest);
	assert_ok(cuv_holdings_find(&h, "a", digest, &found, &err));
	assert_int_equal(found.hits, n);
	numbered(1, digest);
	assert_int_equal(cuv_holdings_find(&h, "a", digest, &found, &err), -ENOENT);
	numbered(n - 1, digest);
	assert_ok(cuv_holdings_find(&h, "a", digest, &found, &err));
	cuv_holdings_done(&h);
}

TEST(without_a_store_nothing_is_kept)
{
	struct cuv_holdings h;
	struct cuv_holding found;
	struct cuv_error err;

	cuv_holdings_init(&h, NULL);
	note(&h, "a", ONE, true, NOW);
	assert_true(cuv_holdings_find(&h, "a", ONE, &found, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	cuv_holdings_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(each_owner_sees_their_own),
		WITH_STORE(what_is_forgotten_is_forgotten_by_one),
		WITH_STORE(it_is_there_after_a_restart),
		WITH_STORE(the_longest_unused_ones_go),
		cmocka_unit_test(without_a_store_nothing_is_kept),
	};

	return cmocka_run_group_tests_name("holdings", tests, NULL, NULL);
}
