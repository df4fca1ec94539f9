/* SPDX-License-Identifier: MIT */
/* The JSON of answers and errors. */
#include "manager/answer.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define HASH "0123456789abcdfghijklmnpqrsvwxyz"
#define CODE "x=1\n"

struct sample {
	struct cuv_job_spec spec;
	struct cuv_job_result result;
};

static void sample_init(struct sample *s)
{
	struct cuv_environment *e = &s->result.environment;

	*s = (struct sample){.spec = {.run_id = "0123456789abcdef0123456789abcdef", .code = CODE, .code_len = 4}};
	cuv_limits_default(&s->spec.limits);
	cuv_job_result_init(&s->result, &s->spec);
	snprintf(e->digest, sizeof(e->digest), HASH);
	snprintf(e->store_name, sizeof(e->store_name), HASH "-env");
	snprintf(e->image, sizeof(e->image), HASH "-image");
	snprintf(e->python, sizeof(e->python), "3.11.2");
	snprintf(e->lock_digest, sizeof(e->lock_digest), "sha256:00");
	e->exclude_s = 1709210096;
	e->resolve_ns = 1500000000;
	assert_ok(cuv_strv_add(&e->packages, "idna 3.7"));
	s->result.run = (struct cuv_run_result){
		.status = CUV_RUN_SUCCESS, .wall_ns = 20618123, .cpu_user_ns = 7729000, .max_memory_bytes = 3334144};
	s->result.lint_state = CUV_LINT_DONE;
	s->result.format_done = true;
	assert_ok(cuv_buf_add_str(&s->result.formatted, "x = 1\n"));
	assert_ok(cuv_buf_add_str(&s->result.out, "out"));
	assert_ok(cuv_buf_add_str(&s->result.err, "err"));
}

static json_t *answer_of(struct sample *s)
{
	json_t *a = cuv_answer_run(&s->spec, &s->result, "request");

	cuv_job_result_done(&s->result);
	assert_non_null(a);
	return a;
}

/* What stands at a dotted path. */
static json_t *at(json_t *a, const char *path)
{
	char name[64];
	size_t n;

	for (; *path && a; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		snprintf(name, sizeof(name), "%.*s", (int)n, path);
		a = json_is_array(a) ? json_array_get(a, (size_t)(name[0] - '0')) : json_object_get(a, name);
	}
	if (!a)
		fail_msg("nothing at %s", path);
	return a;
}

static void assert_text(json_t *a, const char *path, const char *want)
{
	assert_string_equal(json_string_value(at(a, path)), want);
}

TEST(packages_that_were_built_here_are_marked)
{
	struct sample s;
	json_t *a;

	sample_init(&s);
	assert_ok(cuv_strv_add(&s.result.environment.packages, "idna-ssl 1.1.0"));
	assert_ok(cuv_strv_add(&s.result.environment.packages, "six 1.16.0"));
	assert_ok(cuv_buf_add_str(&s.result.lock, "lock-version = \"1.0\"\n\n[[packages]]\nname = \"idna\"\n"
						  "wheels = []\n\n[[packages]]\nname = \"idna-ssl\"\n"
						  "\n[packages.tool.cuvette]\nwheel = {}\n"));
	a = answer_of(&s);
	assert_null(json_object_get(at(a, "environment.packages.0"), "built"));
	assert_true(json_is_true(at(a, "environment.packages.1.built")));
	assert_null(json_object_get(at(a, "environment.packages.2"), "built"));
	json_decref(a);
}

TEST(every_field_of_an_answer)
{
	struct sample s;
	json_t *a;

	sample_init(&s);
	a = answer_of(&s);
	assert_text(a, "stdout", "out");
	assert_text(a, "stderr", "err");
	assert_int_equal(json_integer_value(at(a, "return_code")), 0);
	assert_true(json_real_value(at(a, "execution_time")) == 0.020618);
	assert_text(a, "formatted_code", "x = 1\n");
	assert_int_equal(json_array_size(at(a, "lint_warnings")), 0);
	assert_true(json_is_true(at(a, "success")));
	assert_text(a, "status", "success");
	assert_true(json_is_null(at(a, "signal")));
	assert_true(json_real_value(at(a, "usage.wall")) == 0.020618);
	assert_true(json_real_value(at(a, "usage.cpu_user")) == 0.007729);
	assert_true(json_real_value(at(a, "usage.cpu_system")) == 0);
	assert_int_equal(json_integer_value(at(a, "usage.max_memory")), 3334144);
	assert_text(a, "environment.digest", HASH);
	assert_text(a, "environment.lock_digest", "sha256:00");
	assert_text(a, "environment.store_path", "/nix/store/" HASH "-env");
	assert_text(a, "environment.python", "3.11.2");
	assert_text(a, "environment.packages.0.name", "idna");
	assert_text(a, "environment.packages.0.version", "3.7");
	assert_true(json_is_false(at(a, "environment.cached")));
	assert_true(json_real_value(at(a, "environment.resolve_time")) == 1.5);
	assert_true(json_real_value(at(a, "environment.build_time")) == 0);
	assert_text(a, "environment.exclude_newer", "2024-02-29T12:34:56Z");
	assert_text(a, "image.digest", HASH);
	assert_text(a, "image.store_path", "/nix/store/" HASH "-image");
	assert_true(json_is_false(at(a, "truncated.stdout")));
	assert_int_equal(json_array_size(at(a, "artifacts")), 0);
	assert_text(a, "run_id", "0123456789abcdef0123456789abcdef");
	assert_text(a, "request_id", "request");
	assert_text(a, "lint", "done");
	assert_text(a, "path", "cold");
	assert_true(json_is_null(at(a, "why_cold")));
	json_decref(a);
}

TEST(an_answer_tells_the_way_into_the_box)
{
	struct sample s;
	json_t *a;

	sample_init(&s);
	s.result.run.path = CUV_RUN_PATH_POOL;
	a = answer_of(&s);
	assert_text(a, "path", "pool");
	json_decref(a);
	sample_init(&s);
	snprintf(s.result.run.why_cold, sizeof(s.result.run.why_cold), "it is being made");
	a = answer_of(&s);
	assert_text(a, "why_cold", "it is being made");
	json_decref(a);
}

TEST(output_that_is_no_text_is_replaced)
{
	struct sample s;
	json_t *a;

	sample_init(&s);
	cuv_buf_add(&s.result.out, "\xff\0\xe2\x82", 4);
	a = answer_of(&s);
	assert_int_equal(json_string_length(at(a, "stdout")), 10);
	assert_memory_equal(json_string_value(at(a, "stdout")), "out\xef\xbf\xbd\0\xef\xbf\xbd", 10);
	json_decref(a);
}

TEST(a_program_that_failed_is_no_success)
{
	struct sample s;
	json_t *a;

	sample_init(&s);
	s.result.run.status = CUV_RUN_OUT_OF_MEMORY;
	s.result.run.exit_code = 137;
	s.result.run.signal = 9;
	s.result.run.stdout_truncated = true;
	a = answer_of(&s);
	assert_true(json_is_false(at(a, "success")));
	assert_text(a, "status", "out-of-memory");
	assert_text(a, "signal", "SIGKILL");
	assert_int_equal(json_integer_value(at(a, "return_code")), 137);
	assert_true(json_is_true(at(a, "truncated.stdout")));
	json_decref(a);
	sample_init(&s);
	s.result.run.status = CUV_RUN_KILLED;
	s.result.run.signal = 40; /* a real-time signal has no name */
	a = answer_of(&s);
	assert_text(a, "signal", "SIG40");
	json_decref(a);
}

static json_t *lint_answer(enum cuv_lint_state state, bool format_done, const char *lint)
{
	struct sample s;

	sample_init(&s);
	s.result.lint_state = state;
	s.result.format_done = format_done;
	cuv_buf_add_str(&s.result.lint, lint);
	return answer_of(&s);
}

#define F401                                                                                                           \
	"{\"cell\":null,\"code\":\"F401\",\"end_location\":{\"column\":10,\"row\":2},\"filename\":\"/box/main.py\","   \
	"\"fix\":{\"applicability\":\"safe\",\"edits\":[{\"content\":\"\",\"end_location\":{\"column\":1,\"row\":3},"  \
	"\"location\":{\"column\":1,\"row\":2}}],\"message\":\"Remove\"},\"location\":{\"column\":8,\"row\":2},"       \
	"\"message\":\"unused\",\"noqa_row\":1,\"url\":\"u\"}"
#define SYNTAX(row, code)                                                                                              \
	"{\"code\":" code ",\"end_location\":{\"column\":9,\"row\":" row "},\"fix\":null,\"location\":{\"column\":8,"  \
	"\"row\":" row "},\"message\":\"Expected\",\"url\":null}"

TEST(warnings_are_ours_in_shape)
{
	json_t *a = lint_answer(CUV_LINT_DONE, true, "[" F401 "]");
	json_t *w = at(a, "lint_warnings.0");

	assert_int_equal(json_object_size(w), 8);
	assert_text(w, "code", "F401");
	assert_text(w, "message", "unused");
	assert_int_equal(json_integer_value(at(w, "row")), 2);
	assert_int_equal(json_integer_value(at(w, "column")), 8);
	assert_int_equal(json_integer_value(at(w, "end_row")), 2);
	assert_int_equal(json_integer_value(at(w, "end_column")), 10);
	assert_text(w, "url", "u");
	assert_text(w, "fix.message", "Remove");
	assert_int_equal(json_integer_value(at(w, "fix.edits.0.end_row")), 3);
	assert_text(w, "fix.edits.0.content", "");
	json_decref(a);
}

TEST(unparsable_code_has_one_warning_and_stays_as_it_is)
{
	static const char *const codes[] = {"[" F401 "," SYNTAX("3", "null") "," SYNTAX("4", "null") "]",
					    "[" SYNTAX("3", "\"invalid-syntax\"") "]"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		json_t *a = lint_answer(CUV_LINT_DONE, false, codes[i]);

		assert_text(a, "formatted_code", CODE);
		assert_int_equal(json_array_size(at(a, "lint_warnings")), 1);
		assert_text(a, "lint_warnings.0.code", "invalid-syntax");
		assert_int_equal(json_integer_value(at(a, "lint_warnings.0.row")), 3);
		assert_true(json_is_null(at(a, "lint_warnings.0.fix")));
		assert_text(a, "lint", "done");
		json_decref(a);
	}
}

TEST(without_lint_the_code_is_as_it_came)
{
	static const struct {
		enum cuv_lint_state state;
		const char *lint;
		const char *want;
	} cases[] = {{CUV_LINT_UNAVAILABLE, "[" F401 "]", "unavailable"},
		     {CUV_LINT_SKIPPED, "", "skipped"},
		     {CUV_LINT_DONE, "{\"not\":\"a list\"}", "unavailable"},
		     {CUV_LINT_DONE, "[" F401, "unavailable"}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *a = lint_answer(cases[i].state, true, cases[i].lint);

		assert_text(a, "lint", cases[i].want);
		assert_text(a, "formatted_code", CODE);
		assert_int_equal(json_array_size(at(a, "lint_warnings")), 0);
		json_decref(a);
	}
}

TEST(an_error_has_its_shape)
{
	struct cuv_error e;
	json_t *a;

	cuv_error_set_at(&e, CUV_E_REQUIREMENT_INVALID, 3, 5, "a b", 3, "what");
	snprintf(e.explanation, sizeof(e.explanation), "why");
	e.retry_after_s = 7;
	a = cuv_answer_error(&e, "request");
	assert_text(a, "error.code", "requirement-invalid");
	assert_text(a, "error.message", "what");
	assert_int_equal(json_integer_value(at(a, "error.details.line")), 3);
	assert_int_equal(json_integer_value(at(a, "error.details.column")), 5);
	assert_text(a, "error.details.text", "a b");
	assert_text(a, "error.details.explanation", "why");
	assert_int_equal(json_integer_value(at(a, "error.details.retry_after")), 7);
	assert_text(a, "request_id", "request");
	json_decref(a);
	cuv_error_set(&e, CUV_E_NOT_FOUND, "nothing");
	a = cuv_answer_error(&e, NULL);
	assert_int_equal(json_object_size(at(a, "error.details")), 0);
	assert_true(json_is_null(at(a, "request_id")));
	json_decref(a);
}

TEST(layers_are_listed)
{
	struct cuv_layers layers = {0};
	json_t *a;
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++)
		layers.layer[i].state = CUV_LAYER_OK;
	layers.layer[1].state = CUV_LAYER_DEGRADED;
	snprintf(layers.layer[1].why, sizeof(layers.layer[1].why), "because");
	a = cuv_answer_isolation(&layers);
	assert_int_equal(json_array_size(a), _CUV_LAYER_MAX);
	assert_text(a, "0.state", "ok");
	assert_null(json_object_get(json_array_get(a, 0), "why"));
	assert_text(a, "1.state", "degraded");
	assert_text(a, "1.why", "because");
	json_decref(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_that_were_built_here_are_marked),
		cmocka_unit_test(every_field_of_an_answer),
		cmocka_unit_test(an_answer_tells_the_way_into_the_box),
		cmocka_unit_test(output_that_is_no_text_is_replaced),
		cmocka_unit_test(a_program_that_failed_is_no_success),
		cmocka_unit_test(warnings_are_ours_in_shape),
		cmocka_unit_test(unparsable_code_has_one_warning_and_stays_as_it_is),
		cmocka_unit_test(without_lint_the_code_is_as_it_came),
		cmocka_unit_test(an_error_has_its_shape),
		cmocka_unit_test(layers_are_listed),
	};

	return cmocka_run_group_tests_name("answer", tests, NULL, NULL);
}
