/* SPDX-License-Identifier: MIT */
/* What is written is read again; what breaks a bound is not. (The round trip of
 * arbitrary bytes is the fuzz target's, tests/fuzz/frame.) */
#include "lib/proto/look.h"
#include "lib/proto/messages.h"
#include "tests/unit/unit.h"
#include "worker-image/zygote/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HASH "0123456789abcdfghijklmnpqrsvwxyz"
#define ENV HASH "-env"

static struct cuv_reader body_of(const struct cuv_writer *w)
{
	assert_ok(cuv_buf_err(&w->buf));
	return (struct cuv_reader){.at = (const uint8_t *)w->buf.data + CUV_FRAME_HEADER,
				   .left = w->buf.len - CUV_FRAME_HEADER};
}

TEST(store_names)
{
	static const char *const good[] = {HASH "-a", HASH "-python3.11-idna-3.7", HASH "-a+b_c?d=e-F"};
	static const char *const bad[] = {"",
					  HASH,
					  HASH "-",
					  HASH "a",
					  HASH "-.hidden",
					  HASH "-a/b",
					  HASH "-a b",
					  "/" HASH "-a",
					  HASH "-../../x",
					  "../x",
					  "e" HASH "-a",
					  "e123456789abcdfghijklmnpqrsvwxyz-a",
					  HASH "-a\n",
					  HASH "-\xc3\xa9"};
	char longest[CUV_STORE_NAME_SIZE];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(cuv_store_name_valid(good[i]));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cuv_store_name_valid(bad[i]));
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, HASH "-", 33);
	longest[33 + 211] = '\0';
	assert_true(cuv_store_name_valid(longest));
	longest[33 + 211] = 'a';
	longest[33 + 212] = '\0';
	assert_false(cuv_store_name_valid(longest));
	longest[33 + 212] = 'a';
	longest[CUV_STORE_NAME_SIZE - 1] = 'a'; /* no NUL at all */
	assert_false(cuv_store_name_valid(longest));
}

TEST(file_names)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "/", "a\nb", "\x7f", "../main.py"};
	size_t i;

	assert_true(cuv_file_name_valid("main.py"));
	assert_true(cuv_file_name_valid("..."));
	assert_true(cuv_file_name_valid("\xc3\xa9.py"));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cuv_file_name_valid(bad[i]));
}

static void make_run(struct cuv_run *m)
{
	*m = CUV_RUN_INIT;
	snprintf(m->run_id, sizeof(m->run_id), "id");
	snprintf(m->image, sizeof(m->image), HASH "-image");
	snprintf(m->env, sizeof(m->env), ENV);
	assert_ok(cuv_strv_add(&m->closure, ENV));
	assert_ok(cuv_strv_add(&m->argv, "/nix/store/" ENV "/bin/python"));
	assert_ok(cuv_strv_add(&m->argv, ""));
	assert_ok(cuv_strv_add(&m->files, "main.py"));
	cuv_limits_default(&m->limits);
}

static int reread(const struct cuv_run *m, struct cuv_run *ret)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_reader r;

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, m);
	r = body_of(&w);
	return cuv_run_get(&r, ret);
}

TEST(a_run_is_read_as_written)
{
	_cleanup_run_ struct cuv_run m, got = CUV_RUN_INIT;

	make_run(&m);
	m.limits.value[CUV_LIMIT_MEMORY] = 12345;
	m.stream = true;
	m.kept = true;
	m.deterministic = true;
	assert_ok(reread(&m, &got));
	assert_string_equal(got.env, ENV);
	assert_string_equal(got.argv.items[1], "");
	assert_string_equal(got.files.items[0], "main.py");
	assert_int_equal(got.limits.value[CUV_LIMIT_MEMORY], 12345);
	assert_true(got.stream && got.kept && got.deterministic);
}

/* A store's zygote reads this frame too, and may be older than the launcher: who changes it,
 * here told by its length, says another version in protocol.h. */
TEST(a_run_is_of_the_zygotes_version)
{
	const struct cuv_run empty = CUV_RUN_INIT;
	_cleanup_writer_ struct cuv_writer w;

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &empty);
	assert_int_equal(CUV_ZYGOTE_VERSION, 2);
	assert_int_equal(body_of(&w).left, 161);
}

/* Each change makes a run that must not be acted on. */
static void env_outside_the_closure(struct cuv_run *m)
{
	m->env[0] = '1';
}
static void image_that_is_a_path(struct cuv_run *m)
{
	snprintf(m->image, sizeof(m->image), "../../etc");
}
static void relative_program(struct cuv_run *m)
{
	m->argv.items[0][0] = 'n';
}
static void no_program(struct cuv_run *m)
{
	cuv_strv_done(&m->argv);
}
static void file_in_a_folder(struct cuv_run *m)
{
	assert_ok(cuv_strv_add(&m->files, "a/b"));
}
static void file_twice(struct cuv_run *m)
{
	assert_ok(cuv_strv_add(&m->files, "main.py"));
}
static void too_many_files(struct cuv_run *m)
{
	int i;

	for (i = 0; i < CUV_FILES_MAX; i++)
		assert_ok(cuv_strv_addf(&m->files, "f%d", i));
}
static void closure_that_is_a_path(struct cuv_run *m)
{
	assert_ok(cuv_strv_add(&m->closure, HASH "-a/../../etc"));
}
static void closure_too_long(struct cuv_run *m)
{
	int i;

	for (i = 0; i < CUV_CLOSURE_MAX; i++)
		assert_ok(cuv_strv_addf(&m->closure, HASH "-p%d", i));
}
static void arguments_too_long(struct cuv_run *m)
{
	int i;

	for (i = 0; i < 5; i++)
		assert_ok(cuv_strv_addf(&m->argv, "%8000d", i));
}
static void too_many_arguments(struct cuv_run *m)
{
	int i;

	for (i = 0; i < CUV_ARGS_MAX + 8; i++)
		assert_ok(cuv_strv_add(&m->argv, "x"));
}
static void no_memory_limit(struct cuv_run *m)
{
	m->limits.value[CUV_LIMIT_MEMORY] = 0;
}
static void endless_time(struct cuv_run *m)
{
	m->limits.value[CUV_LIMIT_WALL] = UINT64_MAX;
}

TEST(a_run_that_breaks_a_bound_is_refused)
{
	void (*const changes[])(struct cuv_run *) = {
		env_outside_the_closure,
		image_that_is_a_path,
		relative_program,
		no_program,
		file_in_a_folder,
		file_twice,
		too_many_files,
		closure_that_is_a_path,
		closure_too_long,
		arguments_too_long,
		too_many_arguments,
		no_memory_limit,
		endless_time,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		_cleanup_run_ struct cuv_run m, got = CUV_RUN_INIT;

		make_run(&m);
		changes[i](&m);
		if (reread(&m, &got) != -EBADMSG)
			fail_msg("change %zu was accepted", i);
		assert_int_equal(got.argv.n, 0);
	}
}

TEST(an_environment_is_read_as_written)
{
	_cleanup_environment_ struct cuv_environment m = CUV_ENVIRONMENT_INIT, got = CUV_ENVIRONMENT_INIT;
	struct cuv_writer w;
	struct cuv_reader r;

	snprintf(m.digest, sizeof(m.digest), HASH);
	snprintf(m.store_name, sizeof(m.store_name), ENV);
	snprintf(m.image, sizeof(m.image), HASH "-image");
	snprintf(m.python, sizeof(m.python), "3.11.2");
	m.exclude_s = 1700000000;
	m.cached = true;
	m.build_ns = 5;
	assert_ok(cuv_strv_add(&m.packages, "idna 3.7"));
	assert_ok(cuv_strv_add(&m.closure, ENV));
	cuv_writer_init(&w, CUV_MSG_ENV_READY);
	cuv_environment_put(&w, &m);
	r = body_of(&w);
	assert_ok(cuv_environment_get(&r, &got));
	assert_string_equal(got.packages.items[0], "idna 3.7");
	assert_true(got.cached && got.build_ns == 5 && got.exclude_s == 1700000000);
	cuv_writer_done(&w);
	/* the digest is the store name's, or it is nobody's */
	m.digest[0] = '1';
	cuv_writer_init(&w, CUV_MSG_ENV_READY);
	cuv_environment_put(&w, &m);
	r = body_of(&w);
	cuv_environment_done(&got);
	got = CUV_ENVIRONMENT_INIT;
	assert_int_equal(cuv_environment_get(&r, &got), -EBADMSG);
	cuv_writer_done(&w);
}

/* One message holds the largest environment, and one the run in it, where names are as
 * long as they usually are. */
TEST(the_largest_environment_fits)
{
	_cleanup_environment_ struct cuv_environment m = CUV_ENVIRONMENT_INIT, got = CUV_ENVIRONMENT_INIT;
	struct cuv_run run, run_got;
	struct cuv_writer w;
	struct cuv_reader r;

	make_run(&run);
	snprintf(m.digest, sizeof(m.digest), HASH);
	snprintf(m.store_name, sizeof(m.store_name), ENV);
	snprintf(m.image, sizeof(m.image), HASH "-image");
	assert_ok(cuv_strv_add(&m.closure, ENV));
	for (int i = 0; i < CUV_PACKAGES_MAX; i++) {
		assert_ok(cuv_strv_addf(&m.packages, "a-package-of-some-name-%d 2026.10.1.post1", i));
		assert_ok(cuv_strv_addf(&m.closure, HASH "-a-package-of-some-name-%d-2026.10.1.post1", i));
		assert_ok(cuv_strv_add(&run.closure, m.closure.items[i + 1]));
	}
	cuv_writer_init(&w, CUV_MSG_ENV_READY);
	cuv_environment_put(&w, &m);
	r = body_of(&w);
	assert_ok(cuv_environment_get(&r, &got));
	assert_int_equal(got.packages.n, CUV_PACKAGES_MAX);
	cuv_writer_done(&w);
	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &run);
	r = body_of(&w);
	assert_ok(cuv_run_get(&r, &run_got));
	assert_int_equal(run_got.closure.n, CUV_PACKAGES_MAX + 1);
	cuv_writer_done(&w);
	cuv_run_done(&run);
	cuv_run_done(&run_got);
}

TEST(an_error_is_read_as_written)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_error e, got;
	struct cuv_reader r;

	cuv_error_set_at(&e, CUV_E_WHEEL_UNAVAILABLE, 4, 2, "idna", 4, "no wheel");
	e.retry_after_s = 9;
	cuv_writer_init(&w, CUV_MSG_FAILURE);
	cuv_failure_put(&w, &e);
	r = body_of(&w);
	assert_ok(cuv_failure_get(&r, &got));
	assert_int_equal(got.code, CUV_E_WHEEL_UNAVAILABLE);
	assert_true(got.line == 4 && got.column == 2 && got.retry_after_s == 9);
	assert_string_equal(got.message, "no wheel");
	assert_string_equal(got.excerpt, "idna");
}

TEST(an_error_without_code_is_none)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_error e = CUV_ERROR_INIT, got;
	struct cuv_reader r;

	cuv_writer_init(&w, CUV_MSG_FAILURE);
	cuv_failure_put(&w, &e);
	r = body_of(&w);
	assert_int_equal(cuv_failure_get(&r, &got), -EBADMSG);
}

TEST(results_and_output_keep_to_their_enums)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_run_result m = {.status = CUV_RUN_KILLED, .exit_code = 137, .signal = 9, .stderr_truncated = true},
			      got;
	struct cuv_output o;
	struct cuv_reader r;
	uint8_t *status;

	cuv_writer_init(&w, CUV_MSG_RUN_RESULT);
	cuv_run_result_put(&w, &m);
	r = body_of(&w);
	assert_ok(cuv_run_result_get(&r, &got));
	assert_true(got.status == CUV_RUN_KILLED && got.exit_code == 137 && got.signal == 9 && got.stderr_truncated);
	status = (uint8_t *)w.buf.data + CUV_FRAME_HEADER;
	*status = 0;
	r = body_of(&w);
	assert_int_equal(cuv_run_result_get(&r, &got), -EBADMSG);
	*status = _CUV_RUN_STATUS_MAX;
	r = body_of(&w);
	assert_int_equal(cuv_run_result_get(&r, &got), -EBADMSG);
	r = (struct cuv_reader){.at = (const uint8_t *)"\3\0\0\0\0", .left = 5};
	assert_int_equal(cuv_output_get(&r, &o), -EBADMSG);
}

TEST(every_layer_and_status_has_a_name)
{
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++)
		assert_int_equal(cuv_layer_find(cuv_layer_name((enum cuv_layer)i)), i);
	assert_int_equal(cuv_layer_find("nothing"), -1);
	assert_false(cuv_layer_degradable(CUV_LAYER_NAMESPACES));
	assert_true(cuv_layer_degradable(CUV_LAYER_CGROUP_CPU));
	for (i = 1; i < _CUV_RUN_STATUS_MAX; i++)
		assert_non_null(cuv_run_status_name((enum cuv_run_status)i));
	assert_string_equal(cuv_run_status_name(CUV_RUN_OUT_OF_MEMORY), "out-of-memory");
	assert_string_equal(cuv_env_phase_name(CUV_PHASE_BUILDING), "building");
}

static int ask_again(const struct cuv_env_ask *m, struct cuv_env_ask *got)
{
	_cleanup_writer_ struct cuv_writer w;
	struct cuv_reader r;

	cuv_writer_init(&w, CUV_MSG_ENV_ASK);
	cuv_env_ask_put(&w, m);
	r = body_of(&w);
	return cuv_env_ask_get(&r, got);
}

TEST(an_ask_is_read_as_written)
{
	static const struct cuv_env_ask asks[] = {
		{CUV_ENV_REQUIREMENTS, "3.11", "", 1700000000, 60000, 600000, true, false},
		{CUV_ENV_REQUIREMENTS, "3.11", "", 1700000000, 60000, 600000, false, true},
		{CUV_ENV_LOCK, "3.11", "", 0, 1, 2, false, false},
		{CUV_ENV_DIGEST, "3.11", "0123456789abcdfghijklmnpqrsvwxyz", 0, 0, 0, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		struct cuv_env_ask got = {0};

		assert_int_equal(ask_again(&asks[i], &got), 0);
		assert_int_equal(got.source, asks[i].source);
		assert_string_equal(got.python, asks[i].python);
		assert_string_equal(got.digest, asks[i].digest);
		assert_int_equal(got.exclude_s, asks[i].exclude_s);
		assert_int_equal(got.resolve_ms, asks[i].resolve_ms);
		assert_int_equal(got.build_ms, asks[i].build_ms);
		assert_int_equal(got.sdist, asks[i].sdist);
		assert_int_equal(got.lock_only, asks[i].lock_only);
	}
	assert_string_equal(cuv_env_source_name(CUV_ENV_DIGEST), "digest");
}

TEST(an_ask_that_breaks_a_bound_is_refused)
{
	static const struct cuv_env_ask asks[] = {
		{CUV_ENV_REQUIREMENTS, "3.11", "", -1, 0, 0, false, false},
		{CUV_ENV_REQUIREMENTS, "3.11", "", 253402300800, 0, 0, false, false},
		{_CUV_ENV_SOURCE_NONE, "3.11", "", 0, 0, 0, false, false},
		{_CUV_ENV_SOURCE_MAX, "3.11", "", 0, 0, 0, false, false},
		/* a date for what is locked, a digest for what is not one */
		{CUV_ENV_LOCK, "3.11", "", 1, 0, 0, false, false},
		{CUV_ENV_LOCK, "3.11", "0123456789abcdfghijklmnpqrsvwxyz", 0, 0, 0, false, false},
		{CUV_ENV_DIGEST, "3.11", "", 0, 0, 0, false, false},
		{CUV_ENV_DIGEST, "3.11", "0123456789abcdfghijklmnpqrsvwxy", 0, 0, 0, false, false},
		{CUV_ENV_DIGEST, "3.11", "0123456789abcdefghijklmnopqrstuv", 0, 0, 0, false, false},
		{CUV_ENV_DIGEST, "3.11", "../3456789abcdfghijklmnpqrsvwxyz", 0, 0, 0, false, false},
		/* a lock is there already */
		{CUV_ENV_LOCK, "3.11", "", 0, 0, 0, false, true},
		{CUV_ENV_DIGEST, "3.11", "0123456789abcdfghijklmnpqrsvwxyz", 0, 0, 0, false, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		struct cuv_env_ask got;

		assert_int_equal(ask_again(&asks[i], &got), -EBADMSG);
	}
}

TEST(a_look_is_read_as_written)
{
	_cleanup_writer_ struct cuv_writer w, ask;
	_cleanup_look_ struct cuv_look m = {.closure_bytes = 12345}, got = CUV_LOOK_INIT;
	struct cuv_look_ask again, question = {.digest = HASH};
	struct cuv_reader r;

	memcpy(m.environment.digest, HASH, sizeof(HASH));
	memcpy(m.environment.store_name, ENV, sizeof(ENV));
	memcpy(m.environment.image, ENV, sizeof(ENV));
	assert_ok(cuv_strv_add(&m.environment.closure, ENV));
	cuv_writer_init(&w, CUV_MSG_LOOK);
	cuv_look_put(&w, &m);
	r = body_of(&w);
	assert_ok(cuv_look_get(&r, &got));
	assert_int_equal(got.closure_bytes, 12345);
	assert_string_equal(got.environment.store_name, ENV);
	assert_int_equal(got.environment.closure.n, 1);

	cuv_writer_init(&ask, CUV_MSG_LOOK_ASK);
	cuv_look_ask_put(&ask, &question);
	r = body_of(&ask);
	assert_ok(cuv_look_ask_get(&r, &again));
	assert_string_equal(again.digest, HASH);
}

TEST(uses_are_counted_of_a_digest)
{
	static const struct cuv_env_used bad[] = {{HASH, 0}, {"", 1}, {"x", 1}}, good = {HASH, 70000};

	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		const struct cuv_env_used *m = i < ARRAY_SIZE(bad) ? &bad[i] : &good;
		_cleanup_writer_ struct cuv_writer w;
		struct cuv_env_used got = {.count = 5};
		struct cuv_reader r;

		cuv_writer_init(&w, CUV_MSG_ENV_USED);
		cuv_env_used_put(&w, m);
		r = body_of(&w);
		assert_int_equal(cuv_env_used_get(&r, &got), m == &good ? 0 : -EBADMSG);
		assert_int_equal(got.count, m == &good ? 70000 : 5);
	}
}

TEST(a_list_of_digests_has_only_digests)
{
	static const char *const bad[] = {"", "../../../../../../../../../etc/x", HASH "-env"};

	for (size_t i = 0; i <= ARRAY_SIZE(bad); i++) {
		_cleanup_which_ struct cuv_which m = CUV_WHICH_INIT, got = CUV_WHICH_INIT;
		_cleanup_writer_ struct cuv_writer w;
		struct cuv_reader r;

		assert_ok(cuv_strv_add(&m.digests, HASH));
		if (i < ARRAY_SIZE(bad))
			assert_ok(cuv_strv_add(&m.digests, bad[i]));
		cuv_writer_init(&w, CUV_MSG_WHICH);
		cuv_which_put(&w, &m);
		r = body_of(&w);
		assert_int_equal(cuv_which_get(&r, &got), i < ARRAY_SIZE(bad) ? -EBADMSG : 0);
		assert_int_equal(got.digests.n, i < ARRAY_SIZE(bad) ? 0 : 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(store_names),
		cmocka_unit_test(file_names),
		cmocka_unit_test(a_run_is_read_as_written),
		cmocka_unit_test(a_run_is_of_the_zygotes_version),
		cmocka_unit_test(a_run_that_breaks_a_bound_is_refused),
		cmocka_unit_test(an_environment_is_read_as_written),
		cmocka_unit_test(the_largest_environment_fits),
		cmocka_unit_test(an_error_is_read_as_written),
		cmocka_unit_test(an_error_without_code_is_none),
		cmocka_unit_test(results_and_output_keep_to_their_enums),
		cmocka_unit_test(every_layer_and_status_has_a_name),
		cmocka_unit_test(an_ask_is_read_as_written),
		cmocka_unit_test(an_ask_that_breaks_a_bound_is_refused),
		cmocka_unit_test(a_look_is_read_as_written),
		cmocka_unit_test(uses_are_counted_of_a_digest),
		cmocka_unit_test(a_list_of_digests_has_only_digests),
	};

	return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
