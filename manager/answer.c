/* SPDX-License-Identifier: MIT */
#include "manager/answer.h"

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "manager/artifacts.h"
#include "manager/explain.h"
#include "manager/ruff/lint.h"
#include "nixenv/pylock_write.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Raw bytes as a JSON string; what is not UTF-8 becomes U+FFFD. */
static json_t *text(const struct cuv_buf *raw)
{
	_cleanup_buf_ struct cuv_buf clean = CUV_BUF_INIT(3 * raw->len + 3);

	if (cuv_utf8_valid(cuv_buf_str(raw), raw->len))
		return json_stringn_nocheck(cuv_buf_str(raw), raw->len);
	if (cuv_utf8_add_replaced(&clean, cuv_buf_str(raw), raw->len) < 0)
		return NULL;
	return json_stringn_nocheck(cuv_buf_str(&clean), clean.len);
}

static json_t *seconds(uint64_t ns)
{
	return json_real((double)(ns / 1000) / 1e6);
}

static json_t *signal_name(int number)
{
	const char *name = number > 0 ? sigabbrev_np(number) : NULL;

	if (number <= 0)
		return json_null();
	return name ? json_sprintf("SIG%s", name) : json_sprintf("SIG%d", number);
}

static json_t *usage(const struct cuv_run_result *run)
{
	return json_pack("{s:o, s:o, s:o, s:I}", "wall", seconds(run->wall_ns), "cpu_user", seconds(run->cpu_user_ns),
			 "cpu_system", seconds(run->cpu_system_ns), "max_memory", (json_int_t)run->max_memory_bytes);
}

/* "name version", and which of them were built here: both are in the lock's order. */
static json_t *packages(const struct cuv_strv *list, const struct cuv_buf *lock)
{
	_cleanup_strv_ struct cuv_strv built = CUV_STRV_INIT;
	json_t *ret = json_array();
	size_t i, next = 0;

	if (list->n > 0 && cuv_pylock_built(cuv_buf_str(lock), lock->len, &built) < 0) {
		json_decref(ret);
		return NULL;
	}
	for (i = 0; i < list->n; i++) {
		const char *space = strchr(list->items[i], ' ');
		size_t len = space ? (size_t)(space - list->items[i]) : strlen(list->items[i]);
		json_t *item = json_pack("{s:s%, s:s}", "name", list->items[i], len, "version", space ? space + 1 : "");

		if (next < built.n && strncmp(built.items[next], list->items[i], len) == 0 &&
		    built.items[next][len] == '\0') {
			json_object_set_new(item, "built", json_true());
			next++;
		}
		json_array_append_new(ret, item);
	}
	return ret;
}

static json_t *store_path(const char *name)
{
	return json_sprintf("/nix/store/%s", name);
}

/* NULL stands for what was not said. */
static json_t *date(int64_t s)
{
	char text[CUV_RFC3339_SIZE];

	if (s <= 0)
		return json_null();
	cuv_format_rfc3339(s, text);
	return json_string(text);
}

static json_t *environment(const struct cuv_environment *e, const struct cuv_buf *lock,
			   const struct cuv_requirements *reqs)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "digest", e->digest, "lock_digest",
			 e->lock_digest, "store_path", store_path(e->store_name), "python", e->python, "packages",
			 packages(&e->packages, lock), "cached", e->cached, "resolve_time", seconds(e->resolve_ns),
			 "build_time", seconds(e->build_ns), "exclude_newer", date(e->exclude_s), "lock",
			 lock->len ? text(lock) : json_null(), "explain",
			 reqs ? cuv_explain(reqs, e, lock) : json_null());
}

static json_t *image(const char *name)
{
	return json_pack("{s:s%, s:o}", "digest", name, (size_t)32, "store_path", store_path(name));
}

/* Formatted text, warnings, and what is to be said about them. */
static void add_lint(json_t *answer, const struct cuv_job_spec *spec, const struct cuv_job_result *r)
{
	static const char *const states[] = {
		[CUV_LINT_DONE] = "done", [CUV_LINT_SKIPPED] = "skipped", [CUV_LINT_UNAVAILABLE] = "unavailable"};
	enum cuv_lint_state state = r->lint_state;
	bool unparsable = state == CUV_LINT_DONE && !r->format_done;
	json_t *warnings = NULL;

	if (state == CUV_LINT_DONE)
		warnings = r->lint_is_ours ? json_loadb(cuv_buf_str(&r->lint), r->lint.len, 0, NULL)
					   : cuv_lint_warnings(cuv_buf_str(&r->lint), r->lint.len, unparsable);
	if (state == CUV_LINT_DONE && !warnings)
		state = CUV_LINT_UNAVAILABLE;
	json_object_set_new(answer, "formatted_code",
			    state == CUV_LINT_DONE && r->format_done
				    ? text(&r->formatted)
				    : json_stringn_nocheck(spec->code, spec->code_len));
	json_object_set_new(answer, "lint_warnings", warnings ? warnings : json_array());
	json_object_set_new(answer, "lint", json_string(states[state]));
}

/* What is of the one run; 14 members. */
static void add_run(json_t *a, const struct cuv_job_spec *spec, const struct cuv_job_result *r)
{
	const struct cuv_run_result *run = &r->run;

	json_object_set_new(a, "stdout", spec->base64 ? cuv_base64(cuv_buf_str(&r->out), r->out.len) : text(&r->out));
	json_object_set_new(a, "stderr", spec->base64 ? cuv_base64(cuv_buf_str(&r->err), r->err.len) : text(&r->err));
	json_object_set_new(a, "return_code", json_integer(run->exit_code));
	json_object_set_new(a, "execution_time", seconds(run->wall_ns));
	json_object_set_new(a, "success", json_boolean(run->status == CUV_RUN_SUCCESS && run->exit_code == 0));
	json_object_set_new(a, "status", json_string(cuv_run_status_name(run->status)));
	json_object_set_new(a, "signal", signal_name(run->signal));
	json_object_set_new(a, "path", json_string(cuv_run_path_name(run->path)));
	json_object_set_new(a, "why_cold", run->why_cold[0] ? json_string(run->why_cold) : json_null());
	json_object_set_new(a, "usage", usage(run));
	cuv_artifacts_add(a, &r->artifacts);
	json_object_set_new(a, "truncated",
			    json_pack("{s:b, s:b}", "stdout", run->stdout_truncated, "stderr", run->stderr_truncated));
	json_object_set_new(a, "run_id", json_string(spec->run_id));
}

/* What is of the request; 7 members. */
static void add_request(json_t *a, const struct cuv_job_spec *spec, const struct cuv_job_result *r,
			const char *request_id)
{
	add_lint(a, spec, r);
	json_object_set_new(a, "environment", environment(&r->environment, &r->lock, spec->source));
	json_object_set_new(a, "image", image(r->environment.image));
	json_object_set_new(a, "output_encoding", json_string(spec->base64 ? "base64" : "utf-8"));
	json_object_set_new(a, "request_id", request_id ? json_string(request_id) : json_null());
}

/* A value without memory is not set. */
static json_t *complete(json_t *a, size_t members)
{
	if (json_object_size(a) == members)
		return a;
	json_decref(a);
	return NULL;
}

json_t *cuv_answer_run(const struct cuv_job_spec *spec, const struct cuv_job_result *r, const char *request_id)
{
	json_t *a = json_object();

	add_run(a, spec, r);
	add_request(a, spec, r, request_id);
	return complete(a, 21);
}

json_t *cuv_answer_case(const struct cuv_job_spec *spec, const struct cuv_job_result *r)
{
	json_t *a = json_object();

	add_run(a, spec, r);
	return complete(a, 14);
}

json_t *cuv_answer_cases(const struct cuv_job_spec *spec, const struct cuv_job_result *r, const char *request_id)
{
	json_t *a = json_object();

	add_request(a, spec, r, request_id);
	json_object_set_new(a, "cases", json_array());
	return complete(a, 8);
}

json_t *cuv_answer_text(const struct cuv_buf *raw)
{
	return text(raw);
}

json_t *cuv_answer_build(const struct cuv_job_spec *spec, const struct cuv_job_result *r, const char *request_id)
{
	json_t *a = json_object();

	json_object_set_new(a, "environment", environment(&r->environment, &r->lock, spec->source));
	json_object_set_new(a, "image", image(r->environment.image));
	json_object_set_new(a, "request_id", request_id ? json_string(request_id) : json_null());
	return complete(a, 3);
}

static json_t *store_paths(const struct cuv_strv *names)
{
	json_t *ret = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(ret, store_path(names->items[i]));
	return ret;
}

json_t *cuv_answer_look(const struct cuv_look *look, const struct cuv_buf *lock)
{
	const struct cuv_environment *e = &look->environment;

	return json_pack("{s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "digest", e->digest, "lock_digest", e->lock_digest,
			 "store_path", store_path(e->store_name), "python", e->python, "packages",
			 packages(&e->packages, lock), "closure", store_paths(&e->closure), "closure_bytes",
			 look->closure_bytes ? json_integer((json_int_t)look->closure_bytes) : json_null(), "image",
			 image(e->image));
}

json_t *cuv_answer_isolation(const struct cuv_layers *layers)
{
	static const char *const states[] = {
		[CUV_LAYER_OK] = "ok", [CUV_LAYER_DEGRADED] = "degraded", [CUV_LAYER_MISSING] = "missing"};
	json_t *list = json_array();
	int i;

	for (i = 0; i < _CUV_LAYER_MAX; i++) {
		json_t *item = json_pack("{s:s, s:s}", "layer", cuv_layer_name((enum cuv_layer)i), "state",
					 states[layers->layer[i].state]);

		if (layers->layer[i].why[0])
			json_object_set_new(item, "why", json_string(layers->layer[i].why));
		json_array_append_new(list, item);
	}
	return list;
}

json_t *cuv_answer_error(const struct cuv_error *err, const char *request_id)
{
	json_t *details = json_object();

	if (err->file[0])
		json_object_set_new(details, "file", json_string(err->file));
	if (err->line)
		json_object_set_new(details, "line", json_integer(err->line));
	if (err->column)
		json_object_set_new(details, "column", json_integer(err->column));
	if (err->excerpt[0])
		json_object_set_new(details, "text", json_string(err->excerpt));
	if (err->explanation[0])
		json_object_set_new(details, "explanation", json_string(err->explanation));
	if (err->retry_after_s)
		json_object_set_new(details, "retry_after", json_integer(err->retry_after_s));
	return json_pack("{s:{s:s, s:s, s:o}, s:o}", "error", "code", cuv_error_name(err->code), "message",
			 err->message, "details", details, "request_id",
			 request_id ? json_string(request_id) : json_null());
}
