/* SPDX-License-Identifier: MIT */
/* API keys: what is kept of them, who they are, and how much they may have. */
#include "manager/clients.h"
#include "tests/unit/store_test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1700000000
#define DAY 86400
#define SECRET_AT (sizeof("cuv_0123456789abcdef_") - 1)

static int take_run(struct cuv_clients *a, const struct cuv_client *c, int64_t now_s, struct cuv_error *err)
{
	int r = cuv_clients_take_place(a, c, err);

	if (r == 0 && (r = cuv_clients_use_run(a, c, now_s, err)) < 0)
		cuv_clients_give_place(a, c);
	return r;
}

static struct cuv_key_info make(struct cuv_store *s, const char *name, unsigned scopes, uint32_t rate,
				uint32_t concurrency, uint32_t quota, char text[CUV_KEY_TEXT_SIZE])
{
	struct cuv_key_info k = {.scopes = scopes, .rate = rate, .concurrency = concurrency, .quota = quota};
	struct cuv_error err;

	(void)snprintf(k.name, sizeof(k.name), "%s", name);
	assert_ok(cuv_keys_make(s, NOW, &k, text, &err));
	return k;
}

static void read_file(const char *name, struct cuv_buf *ret)
{
	char path[96], part[4096];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	while ((n = read(fd, part, sizeof(part))) > 0)
		cuv_buf_add(ret, part, (size_t)n);
	(void)close(fd);
}

static bool file_has(const char *name, const char *what)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(1 << 20);

	read_file(name, &b);
	return memmem(b.data, b.len, what, strlen(what)) != NULL;
}

static const char *secret_of(const char *text)
{
	return text + SECRET_AT;
}

TEST(no_key_is_in_the_file)
{
	struct cuv_store *s = *state;
	char text[CUV_KEY_TEXT_SIZE], id[CUV_KEY_ID_SIZE];
	struct cuv_key_info k = make(s, "course", CUV_SCOPE_RUN, 0, 0, 0, text);
	struct cuv_sha256 hash;

	assert_ok(cuv_key_parse(text, id, &hash));
	assert_string_equal(id, k.id);
	assert_memory_equal(hash.bytes, k.hash.bytes, sizeof(hash.bytes));
	assert_true(file_has("service.db-wal", k.id));
	assert_false(file_has("service.db-wal", secret_of(text)));
	assert_false(file_has("service.db", secret_of(text)));
}

TEST(what_is_no_key)
{
	static const char *const texts[] = {"",
					    "cuv_",
					    "cuv_0123456789abcdef",
					    "cuv_0123456789abcdef_",
					    "secret",
					    "cuv_0123456789abcdeg_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
					    "cuv_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
					    "cuv_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
					    "cuv-0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
	char id[CUV_KEY_ID_SIZE];
	struct cuv_sha256 hash;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(cuv_key_parse(texts[i], id, &hash), -EINVAL);
}

TEST(names_and_scopes)
{
	struct cuv_store *s = *state;
	char text[CUV_KEY_TEXT_SIZE], scopes[CUV_SCOPES_SIZE];
	struct cuv_key_info k = make(s, "a", CUV_SCOPE_ALL, 0, 0, 0, text);
	struct cuv_error err;

	assert_int_equal(cuv_keys_make(s, NOW, &k, text, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_FIELD_INVALID);
	assert_false(cuv_key_name_valid(""));
	assert_false(cuv_key_name_valid("a b"));
	assert_false(cuv_key_name_valid("0123456789abcdef"));
	assert_true(cuv_key_name_valid("ann@example.org"));
	assert_int_equal(cuv_scopes_read("run"), CUV_SCOPE_RUN);
	assert_int_equal(cuv_scopes_read("admin,run"), CUV_SCOPE_RUN | CUV_SCOPE_ADMIN);
	assert_int_equal(cuv_scopes_read(""), -EINVAL);
	assert_int_equal(cuv_scopes_read("run,,admin"), -EINVAL);
	assert_int_equal(cuv_scopes_read("root"), -EINVAL);
	cuv_scopes_text(CUV_SCOPE_ALL, scopes);
	assert_string_equal(scopes, "run,environments,admin");
}

TEST(open_until_there_is_a_key)
{
	struct cuv_store *s = *state;
	struct cuv_client c;
	struct cuv_clients a;
	struct cuv_error err;
	char text[CUV_KEY_TEXT_SIZE];

	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_true(cuv_clients_is_open(&a));
	assert_ok(cuv_clients_check(&a, NULL, CUV_SCOPE_ADMIN, &c, &err));
	cuv_clients_done(&a);
	(void)make(s, "a", CUV_SCOPE_RUN, 0, 0, 0, text);
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_false(cuv_clients_is_open(&a));
	assert_true(cuv_clients_check(&a, NULL, CUV_SCOPE_RUN, &c, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAUTHORIZED);
	cuv_clients_done(&a);
	/* Not even when the last one has been revoked. */
	assert_ok(cuv_keys_revoke(s, "a", NOW, &err));
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_false(cuv_clients_is_open(&a));
	assert_true(cuv_clients_check(&a, text, CUV_SCOPE_RUN, &c, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAUTHORIZED);
	cuv_clients_done(&a);
}

TEST(each_key_is_another_client)
{
	struct cuv_store *s = *state;
	char one[CUV_KEY_TEXT_SIZE], other[CUV_KEY_TEXT_SIZE], forged[CUV_KEY_TEXT_SIZE];
	struct cuv_key_info k = make(s, "one", CUV_SCOPE_RUN, 0, 0, 0, one);
	struct cuv_client c, env;
	struct cuv_clients a;
	struct cuv_error err;

	(void)make(s, "other", CUV_SCOPE_ADMIN, 0, 0, 0, other);
	assert_ok(cuv_clients_init(&a, "secret", s, &err));
	assert_ok(cuv_clients_check(&a, one, CUV_SCOPE_RUN, &c, &err));
	assert_string_equal(c.tenant, k.id);
	assert_true(cuv_clients_check(&a, other, CUV_SCOPE_RUN, &c, &err) < 0);
	assert_int_equal(err.code, CUV_E_SCOPE_MISSING);
	assert_ok(cuv_clients_check(&a, "secret", CUV_SCOPE_ADMIN, &env, &err));
	assert_null(env.key);
	/* The id of one with the secret of another. */
	(void)snprintf(forged, sizeof(forged), "%s", one);
	memcpy(forged + SECRET_AT, secret_of(other), strlen(secret_of(other)));
	assert_true(cuv_clients_check(&a, forged, CUV_SCOPE_RUN, &c, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAUTHORIZED);
	cuv_clients_done(&a);
}

TEST(what_requests_hold_is_counted_by_client)
{
	struct cuv_store *s = *state;
	char text[2][CUV_KEY_TEXT_SIZE];
	struct cuv_client one, other, env;
	struct cuv_charge charge, more, others, envs, strangers;
	struct cuv_clients a;
	struct cuv_budget b;
	struct cuv_error err;

	cuv_budget_init(&b, 100);
	/* Alone. */
	(void)make(s, "one", CUV_SCOPE_RUN, 0, 0, 0, text[0]);
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_ok(cuv_clients_check(&a, text[0], CUV_SCOPE_RUN, &one, &err));
	charge = cuv_clients_charge(&a, &one, &b);
	assert_true(cuv_charge_add(&charge, 100));
	cuv_charge_done(&charge);
	cuv_clients_done(&a);

	(void)make(s, "other", CUV_SCOPE_RUN, 0, 0, 0, text[1]);
	assert_ok(cuv_clients_init(&a, "secret", s, &err));
	assert_ok(cuv_clients_check(&a, text[0], CUV_SCOPE_RUN, &one, &err));
	assert_ok(cuv_clients_check(&a, text[1], CUV_SCOPE_RUN, &other, &err));
	assert_ok(cuv_clients_check(&a, "secret", CUV_SCOPE_RUN, &env, &err));
	charge = cuv_clients_charge(&a, &one, &b);
	more = cuv_clients_charge(&a, &one, &b);
	others = cuv_clients_charge(&a, &other, &b);
	envs = cuv_clients_charge(&a, &env, &b);
	strangers = cuv_clients_charge(&a, NULL, &b);
	assert_true(cuv_charge_add(&charge, 75));
	assert_false(cuv_charge_add(&more, 1));
	assert_true(cuv_charge_add(&others, 10));
	assert_true(cuv_charge_add(&envs, 10));
	assert_true(cuv_charge_add(&strangers, 5));
	cuv_charge_done(&charge);
	assert_true(cuv_charge_add(&strangers, 70));
	assert_false(cuv_charge_add(&strangers, 1));
	cuv_charge_done(&strangers);
	cuv_charge_done(&envs);
	cuv_charge_done(&others);
	cuv_clients_done(&a);
}

TEST(bounds)
{
	struct cuv_store *s = *state;
	char text[CUV_KEY_TEXT_SIZE];
	struct cuv_client c;
	struct cuv_clients a;
	struct cuv_error err;

	(void)make(s, "at-once", CUV_SCOPE_RUN, 0, 2, 0, text);
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_ok(cuv_clients_check(&a, text, CUV_SCOPE_RUN, &c, &err));
	assert_ok(take_run(&a, &c, NOW, &err));
	assert_ok(take_run(&a, &c, NOW, &err));
	assert_true(take_run(&a, &c, NOW, &err) < 0);
	assert_int_equal(err.code, CUV_E_RATE_LIMITED);
	assert_int_equal(err.retry_after_s, 1);
	cuv_clients_give_place(&a, &c);
	assert_ok(take_run(&a, &c, NOW, &err));
	cuv_clients_done(&a);

	/* More runs in the place of one. */
	(void)make(s, "cases", CUV_SCOPE_RUN, 3, 1, 0, text);
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_ok(cuv_clients_check(&a, text, CUV_SCOPE_RUN, &c, &err));
	assert_ok(take_run(&a, &c, NOW, &err));
	assert_ok(cuv_clients_use_run(&a, &c, NOW, &err));
	assert_ok(cuv_clients_use_run(&a, &c, NOW, &err));
	assert_true(cuv_clients_use_run(&a, &c, NOW, &err) < 0);
	cuv_clients_done(&a);

	(void)make(s, "a-minute", CUV_SCOPE_RUN, 2, 0, 0, text);
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_ok(cuv_clients_check(&a, text, CUV_SCOPE_RUN, &c, &err));
	assert_ok(take_run(&a, &c, NOW, &err));
	assert_ok(take_run(&a, &c, NOW, &err));
	assert_true(take_run(&a, &c, NOW, &err) < 0);
	assert_in_range(err.retry_after_s, 1, 31);
	cuv_clients_done(&a);

	/* The day's are counted in the file: a new process knows them. */
	(void)make(s, "a-day", CUV_SCOPE_RUN, 0, 0, 2, text);
	for (int i = 0; i < 3; i++) {
		assert_ok(cuv_clients_init(&a, NULL, s, &err));
		assert_ok(cuv_clients_check(&a, text, CUV_SCOPE_RUN, &c, &err));
		assert_int_equal(take_run(&a, &c, NOW, &err) == 0, i < 2);
		cuv_clients_done(&a);
	}
	assert_int_equal(err.retry_after_s, DAY - NOW % DAY);
	assert_ok(cuv_clients_init(&a, NULL, s, &err));
	assert_ok(cuv_clients_check(&a, text, CUV_SCOPE_RUN, &c, &err));
	assert_ok(take_run(&a, &c, NOW + DAY, &err));
	cuv_clients_done(&a);
}

TEST(the_store_is_one_at_a_times)
{
	struct cuv_store *s = *state;

	assert_non_null(cuv_store_try(s));
	assert_null(cuv_store_try(s));
	cuv_store_give(s);
	assert_non_null(cuv_store_take(s));
	assert_null(cuv_store_try(s));
	cuv_store_give(s);
}

TEST(a_later_versions_file_is_left_alone)
{
	struct cuv_store *s = *state, *again = NULL;
	struct cuv_error err;

	assert_int_equal(sqlite3_exec(cuv_store_take(s), "PRAGMA user_version = 1000", NULL, NULL, NULL), SQLITE_OK);
	cuv_store_give(s);
	assert_true(cuv_store_open(folder, &again, &err) < 0);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	assert_non_null(strstr(err.message, "later version"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(no_key_is_in_the_file),
		WITH_STORE(what_is_no_key),
		WITH_STORE(names_and_scopes),
		WITH_STORE(open_until_there_is_a_key),
		WITH_STORE(each_key_is_another_client),
		WITH_STORE(what_requests_hold_is_counted_by_client),
		WITH_STORE(bounds),
		WITH_STORE(the_store_is_one_at_a_times),
		WITH_STORE(a_later_versions_file_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
