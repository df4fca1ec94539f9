/* SPDX-License-Identifier: MIT */
#include "manager/dialect/learn.h"

#include "manager/answer.h"
#include "manager/dialect/files.h"
#include "manager/run_cases.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of case.py. */
#define SOLUTION "solution.py"
#define CASE "test_case.py"
/* Texts of a case in its message. */
#define MESSAGE_FACTOR 4

static int status_of(enum cuv_error_code code)
{
	if (code == CUV_E_UNAUTHORIZED)
		return 403;
	return code == CUV_E_BAD_JSON ? 422 : cuv_error_http_status(code);
}

static json_t *body_of(const struct cuv_error *err, const char *request_id)
{
	if (err->code == CUV_E_UNAUTHORIZED)
		return json_pack("{s:s}", "detail", "Invalid API key");
	if (err->code == CUV_E_ORIGIN_REFUSED)
		return json_pack("{s:s}", "detail", "Access denied: Invalid origin");
	return cuv_dialect_detail(err, request_id);
}

const struct cuv_http_errors cuv_learn_errors = {status_of, body_of};

/* --- the request --- */

static int read_case(const json_t *item, size_t i, struct cuv_learn_case *ret, struct cuv_error *err)
{
	if (!json_is_object(item))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "item %zu of `test_cases` is not an object", i + 1);
	if (cuv_dialect_string(item, "input", &ret->input, err) < 0 ||
	    cuv_dialect_string(item, "expected_output", &ret->expected, err) < 0 ||
	    cuv_dialect_string(item, "code", &ret->code, err) < 0)
		return -EINVAL;
	if (ret->code && json_string_length(ret->code) > CUV_CODE_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE,
				     "`code` of item %zu of `test_cases` is larger than %llu bytes", i + 1,
				     CUV_CODE_BYTES_MAX);
	return 0;
}

static int read_cases(const json_t *body, struct cuv_learn_request *ret, struct cuv_error *err)
{
	const json_t *list = json_object_get(body, "test_cases"), *item;
	size_t i;
	int r;

	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > CUV_LEARN_CASES_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`test_cases` must be an array of at most %d objects",
				     CUV_LEARN_CASES_MAX);
	ret->has_cases = true;
	json_array_foreach(list, i, item)
	{
		r = read_case(item, i, &ret->cases[ret->n++], err);
		if (r < 0)
			return r;
	}
	if ((ret->n + 1) * ret->spec.limits.value[CUV_LIMIT_WALL] > CUV_CASES_WALL_MS_MAX)
		return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED,
				     "`test_cases` times `timeout` is above its maximum of %u s",
				     CUV_CASES_WALL_MS_MAX / 1000);
	return 0;
}

static int read_language(const json_t *body, struct cuv_error *err)
{
	const json_t *language;
	int r = cuv_dialect_string(body, "language", &language, err);

	if (r < 0 || !language || strcmp(json_string_value(language), "python") == 0)
		return r;
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "Unsupported language: %.64s. It must be python",
			     json_string_value(language));
}

static void set_input(const json_t *input, struct cuv_job_spec *spec)
{
	spec->stdin_data = input ? json_string_value(input) : "";
	spec->stdin_len = input ? json_string_length(input) : 0;
}

int cuv_learn_read(const json_t *body, struct cuv_learn_request *ret, struct cuv_error *err)
{
	int r;

	*ret = (struct cuv_learn_request){0};
	cuv_dialect_spec(CUV_PROFILE_LEARN, &ret->spec);
	r = cuv_dialect_code(body, "code", "`code` is blank: it is the program", &ret->spec, err);
	if (r == 0)
		r = read_language(body, err);
	if (r == 0)
		r = cuv_dialect_string(body, "input_data", &ret->input, err);
	if (r == 0)
		r = cuv_dialect_timeout(body, CUV_PROFILE_LEARN, false, &ret->spec, err);
	if (r == 0)
		r = read_cases(body, ret, err);
	set_input(ret->input, &ret->spec);
	return r;
}

/* --- the answer --- */

static bool ended_by_itself(const struct cuv_run_result *run)
{
	return run->status == CUV_RUN_SUCCESS || run->status == CUV_RUN_ERROR;
}

/* What a learner should know of the end, besides what the program wrote. */
static void say_end(const struct cuv_run_result *run, const struct cuv_limits *l, struct cuv_buf *ret)
{
	if (run->status == CUV_RUN_TIMEOUT)
		cuv_buf_addf(ret, "Execution timed out after %g seconds", (double)l->value[CUV_LIMIT_WALL] / 1000);
	else if (run->status == CUV_RUN_OUT_OF_MEMORY)
		cuv_buf_addf(ret, "Execution ran out of memory: it may have %llu MiB",
			     (unsigned long long)l->value[CUV_LIMIT_MEMORY] / CUV_MIB);
	else if (run->status == CUV_RUN_OUTPUT_LIMIT)
		cuv_buf_addf(ret, "Execution wrote more than %llu MiB",
			     (unsigned long long)l->value[CUV_LIMIT_STDOUT] / CUV_MIB);
	else if (run->status == CUV_RUN_KILLED)
		cuv_buf_addf(ret, "Execution was ended by signal %d", (int)run->signal);
	else if (run->status == CUV_RUN_FAILED)
		cuv_buf_add_str(ret, "Execution failed in the service; the request can be sent again");
}

json_t *cuv_learn_answer(const struct cuv_job_result *r, const struct cuv_job_spec *spec)
{
	const bool timeout = r->run.status == CUV_RUN_TIMEOUT;
	_cleanup_buf_ struct cuv_buf error = CUV_BUF_INIT(r->err.len + 256);

	say_end(&r->run, &spec->limits, &error);
	if (!timeout && r->err.len > 0) {
		if (error.len > 0)
			cuv_buf_add_char(&error, '\n');
		cuv_buf_add(&error, r->err.data, r->err.len);
	}
	if (cuv_buf_err(&error) < 0)
		return NULL;
	return json_pack("{s:o, s:o, s:o, s:n}", "output", timeout ? json_string("") : cuv_answer_text(&r->out),
			 "error", cuv_answer_text(&error), "execution_time", cuv_dialect_seconds(r->run.wall_ns),
			 "test_results");
}

/* Without white space at the ends of lines, and empty lines at the end. */
static int add_trimmed(struct cuv_buf *ret, const char *text, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(text, '\n', len);
		const size_t line = newline ? (size_t)(newline - text) : len;
		size_t kept = line;

		while (kept > 0 && isspace((unsigned char)text[kept - 1]))
			kept--;
		cuv_buf_add(ret, text, kept);
		if (newline)
			cuv_buf_add_char(ret, '\n');
		text += line + (newline != NULL);
		len -= line + (newline != NULL);
	}
	while (ret->len > 0 && ret->data[ret->len - 1] == '\n')
		ret->data[--ret->len] = '\0';
	return cuv_buf_err(ret);
}

/* whole: the output is to be this; else it is to have this in it. */
static bool is_as_expected(const json_t *expected, const struct cuv_buf *out, bool whole)
{
	const size_t len = json_string_length(expected);
	_cleanup_buf_ struct cuv_buf want = CUV_BUF_INIT(len), have = CUV_BUF_INIT(out->len);

	if (add_trimmed(&want, json_string_value(expected), len) < 0 ||
	    add_trimmed(&have, cuv_buf_str(out), out->len) < 0)
		return false;
	if (whole)
		return want.len == have.len && memcmp(cuv_buf_str(&want), cuv_buf_str(&have), want.len) == 0;
	return memmem(cuv_buf_str(&have), have.len, cuv_buf_str(&want), want.len) != NULL;
}

static bool passed(const struct cuv_learn_case *c, const struct cuv_job_result *r)
{
	if (!ended_by_itself(&r->run))
		return false;
	/* Nothing to compare with: an assertion of the case's own code still counts. */
	if (!c->expected)
		return !c->code || r->run.status == CUV_RUN_SUCCESS;
	if (r->err.len > 0 && strstr(json_string_value(c->expected), "Error"))
		return true;
	return is_as_expected(c->expected, &r->out, c->code != NULL);
}

static void add_text(struct cuv_buf *b, const json_t *text)
{
	cuv_buf_add(b, json_string_value(text), json_string_length(text));
}

static json_t *or_null(const json_t *text)
{
	return text ? json_stringn(json_string_value(text), json_string_length(text)) : json_null();
}

json_t *cuv_learn_result(const struct cuv_learn_case *c, const struct cuv_job_result *r)
{
	_cleanup_buf_ struct cuv_buf message =
		CUV_BUF_INIT(json_string_length(c->input) + json_string_length(c->expected) + 128);
	const bool ok = passed(c, r);

	cuv_buf_add_str(&message, ok ? "✅ Test passed: " : "❌ Test failed: ");
	if (json_string_length(c->input) > 0)
		add_text(&message, c->input);
	else
		cuv_buf_add_str(&message, "(no input)");
	cuv_buf_add_str(&message, " -> Expected: ");
	if (c->expected)
		add_text(&message, c->expected);
	else
		cuv_buf_add_str(&message, "(expected output)");
	if (cuv_buf_err(&message) < 0)
		return NULL;
	return json_pack("{s:b, s:o, s:o, s:o}", "passed", ok, "message", cuv_answer_text(&message), "input",
			 or_null(c->input), "expected_output", or_null(c->expected));
}

/* --- running --- */

/* The module and the case's code beside a program that runs both. */
static int add_files(const struct cuv_learn_case *c, struct cuv_upload *files, struct cuv_job_spec *spec,
		     struct cuv_error *err)
{
	const struct cuv_embedded *program = cuv_dialect_file("case.py");
	int r;

	files->where = "the test case";
	r = cuv_upload_file(files, SOLUTION, spec->code, spec->code_len, err);
	if (r == 0)
		r = cuv_upload_file(files, CASE, json_string_value(c->code), json_string_length(c->code), err);
	if (r == 0)
		r = cuv_upload_finish(files, &spec->limits, err);
	spec->code = (const char *)program->data;
	spec->code_len = program->len;
	spec->files = files;
	return r;
}

/* One case to the end of a list. */
static int run_case(struct cuv_runner *u, struct cuv_http *h, const struct cuv_learn_request *m,
		    const struct cuv_learn_case *c, json_t *list, struct cuv_error *err)
{
	struct cuv_upload files = CUV_UPLOAD_INIT;
	struct cuv_job_spec spec = m->spec;
	struct cuv_job_result result;
	int r = cuv_runner_again(u, err);

	files.charge = u->charge;
	if (r == 0 && !cuv_charge_add(u->charge, MESSAGE_FACTOR * (json_string_length(c->input) +
								   json_string_length(c->expected))))
		r = cuv_budget_exhausted(err, "answer");
	if (c->input)
		set_input(c->input, &spec);
	if (r == 0 && c->code)
		r = add_files(c, &files, &spec, err);
	if (r == 0) {
		r = cuv_runner_run_http(u, h, &spec, &result, err);
		if (r == 0 && json_array_append_new(list, cuv_learn_result(c, &result)) < 0)
			r = cuv_budget_exhausted(err, "answer");
		cuv_job_result_done(&result);
	}
	cuv_upload_done(&files);
	return r;
}

static int run_all(struct cuv_runner *u, struct cuv_http *h, struct cuv_learn_request *m, json_t **ret,
		   struct cuv_error *err)
{
	struct cuv_job_result result;
	json_t *list = NULL;
	int r = cuv_runner_run_http(u, h, &m->spec, &result, err);

	if (r == 0 && !(*ret = cuv_learn_answer(&result, &m->spec)))
		r = cuv_budget_exhausted(err, "answer");
	cuv_job_result_done(&result);
	if (r < 0 || !m->has_cases)
		return r;
	list = json_array();
	for (size_t i = 0; r == 0 && i < m->n; i++)
		r = run_case(u, h, m, &m->cases[i], list, err);
	if (json_object_set_new(*ret, "test_results", list) < 0 && r == 0)
		r = cuv_budget_exhausted(err, "answer");
	return r;
}

int cuv_learn_serve(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err)
{
	struct cuv_learn_request m;
	json_t *answer = NULL;
	int r = cuv_learn_read(body, &m, err);

	u->dialect = CUV_DIALECT_CASES;
	if (r == 0)
		r = run_all(u, h, &m, &answer, err);
	if (r == 0)
		cuv_http_reply_json(h, 200, NULL, answer);
	json_decref(answer);
	return r;
}
