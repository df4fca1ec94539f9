/* SPDX-License-Identifier: MIT */
/* A session's task from what was accepted to its answer, and what is told of it. */
#include "lib/base/clock.h"
#include "lib/proto/glob.h"
#include "manager/answer.h"
#include "manager/dialect/sessions.h"
#include "manager/runs/runs.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOX_WAIT_MS 600000u
#define DAY_S 86400
/* Of the work folder besides the files' bytes: the program, and what is lost in pages. */
#define PROGRAM_BYTES (2 * CUV_MIB)
#define PAGE_BYTES 4096u

/* All that it borrows from; too large for some stacks. */
struct task {
	struct cuv_job_spec spec;
	struct cuv_session session;
	struct cuv_upload files;
	struct cuv_strv artifacts;
	uint8_t not_kept[CUV_BUNDLE_ENTRIES_MAX]; /* enum cuv_left */
	char program[CUV_SESSION_PROGRAM_SIZE];
	struct cuv_requirements *source;
	struct cuv_buf lines, canonical;
	json_t *request;
};

static struct task *task_new(struct cuv_charge *charge)
{
	struct task *t = cuv_charge_add(charge, sizeof(*t)) ? calloc(1, sizeof(*t)) : NULL;

	if (!t)
		return NULL;
	t->files = CUV_UPLOAD_INIT;
	cuv_buf_init(&t->session.packages, CUV_REQUIREMENTS_BYTES_MAX);
	cuv_buf_init(&t->lines, 2 * CUV_REQUIREMENTS_BYTES_MAX);
	cuv_buf_init(&t->canonical, CUV_REQUIREMENTS_BYTES_MAX);
	return t;
}

static void task_free(struct task **t)
{
	if (*t) {
		cuv_upload_done(&(*t)->files);
		cuv_strv_done(&(*t)->artifacts);
		cuv_session_done(&(*t)->session);
		cuv_requirements_free((*t)->source);
		cuv_buf_done(&(*t)->lines);
		cuv_buf_done(&(*t)->canonical);
		json_decref((*t)->request);
	}
	free(*t);
	*t = NULL;
}

/* --- a program --- */

/* Everything, below hidden folders too: `*` and `**` take no name that begins with a dot. */
static int want_all(struct cuv_strv *ret)
{
	_cleanup_buf_ struct cuv_buf pattern = CUV_BUF_INIT(CUV_GLOB_SIZE - 1);
	int r = cuv_buf_add_str(&pattern, "**");

	for (size_t i = 0; r == 0 && i < CUV_BUNDLE_DEPTH_MAX; i++) {
		r = cuv_strv_add(ret, cuv_buf_str(&pattern));
		if (r == 0)
			r = cuv_buf_add_str(&pattern, i % 2 ? "/**" : "/.*");
	}
	return r;
}

static void set_limits(struct task *t)
{
	const struct cuv_session_limits *l = cuv_profile_sessions();
	struct cuv_limits *limits = &t->spec.limits;

	limits->value[CUV_LIMIT_ARTIFACTS] = l->files + 1;
	limits->value[CUV_LIMIT_ARTIFACTS_SIZE] =
		CUV_MIN(t->session.room + t->spec.code_len, cuv_limit_info(CUV_LIMIT_ARTIFACTS_SIZE)->max);
	limits->value[CUV_LIMIT_FILE] = CUV_MAX(t->session.room, CUV_MIB);
	limits->value[CUV_LIMIT_WORK] = t->session.room + PROGRAM_BYTES + l->files * PAGE_BYTES;
}

static int read_program(struct task *t, struct cuv_runner *u, struct cuv_error *err)
{
	int r = cuv_dialect_code(t->request, "code", "`code` is blank: it is the program", &t->spec, err);

	if (r < 0)
		return r;
	set_limits(t);
	t->files.charge = u->charge;
	t->files.where = "the session's files";
	r = cuv_sessions_load(u->server->sessions, t->session.id, t->program, &t->files, err);
	if (strcmp(t->program, "main.py") != 0)
		t->spec.program = t->program;
	if (r == 0)
		r = cuv_upload_finish(&t->files, &t->spec.limits, err);
	if (r == 0 && want_all(&t->artifacts) < 0)
		r = cuv_budget_exhausted(err, "request");
	t->spec.files = &t->files;
	t->spec.artifacts = &t->artifacts;
	t->spec.artifacts_stay = true;
	t->spec.requirements = cuv_buf_str(&t->session.packages);
	t->spec.requirements_len = t->session.packages.len;
	t->spec.exclude_s = t->session.packages_s;
	return r;
}

/* Nothing could be collected at all. */
static bool is_lost(const struct cuv_buf *bundle)
{
	struct cuv_bundle_reader reader = {.at = (const uint8_t *)bundle->data, .left = bundle->len};
	struct cuv_bundle_entry e;

	return cuv_bundle_next(&reader, &e) > 0 && reader.left == 0 && e.kind == CUV_BUNDLE_LEFT &&
	       e.why == CUV_LEFT_UNREADABLE && !e.name[0];
}

/* What is kept need not be in the answer: of the bundle only what was left out stays, and what was
 * not kept as if it had been. */
static void drop_files(const struct task *t, struct cuv_buf *bundle)
{
	struct cuv_bundle_reader reader = {.at = (const uint8_t *)bundle->data, .left = bundle->len};
	struct cuv_bundle_entry e;
	const uint8_t *from = reader.at;
	size_t len = 0;

	while (cuv_bundle_next(&reader, &e) > 0) {
		const uint8_t why = e.kind == CUV_BUNDLE_LEFT ? (uint8_t)e.why : t->not_kept[reader.n - 1];
		const size_t n = (size_t)(reader.at - from) - (e.kind == CUV_BUNDLE_FILE ? (size_t)e.size : 0);

		if (why) {
			memmove(bundle->data + len, from, n);
			bundle->data[len] = CUV_BUNDLE_LEFT;
			bundle->data[len + 1] = (char)why;
			len += n;
		}
		from = reader.at;
	}
	if (bundle->data)
		bundle->data[len] = '\0';
	bundle->len = len;
}

static int keep_files(struct task *t, struct cuv_runner *u, struct cuv_job_result *result, struct cuv_error *err)
{
	const struct cuv_session_program program = {t->program, t->spec.code, t->spec.code_len};
	int r = 0;

	if (result->run.collected && !is_lost(&result->artifacts))
		r = cuv_sessions_save(u->server->sessions, cuv_profile_sessions(), &t->session, &result->artifacts,
				      &program, t->not_kept, err);
	drop_files(t, &result->artifacts);
	return r;
}

static int execute(struct task *t, struct cuv_runner *u, const struct cuv_job_events *events, json_t **ret,
		   struct cuv_error *err)
{
	struct cuv_job_result result;
	int r = read_program(t, u, err);

	if (r < 0)
		return r;
	r = cuv_runner_run(u, &t->spec, events, &result, err);
	if (r == 0)
		r = keep_files(t, u, &result, err);
	if (r == 0)
		*ret = cuv_answer_run(&t->spec, &result, u->request_id);
	cuv_job_result_done(&result);
	return r;
}

/* --- packages --- */

/* The new ones first, so that an error's line is the number of one of them. */
static int read_packages(struct task *t, struct cuv_error *err)
{
	int r = cuv_session_packages(t->request, &t->lines, err);

	if (r < 0)
		return r;
	cuv_buf_add(&t->lines, cuv_buf_str(&t->session.packages), t->session.packages.len);
	if (cuv_buf_err(&t->lines) == 0)
		r = cuv_requirements_parse(cuv_buf_str(&t->lines), t->lines.len, &t->source, err);
	if (cuv_buf_err(&t->lines) || (r == 0 && cuv_requirements_canonical(t->source, &t->canonical) < 0))
		r = cuv_error_set(err, CUV_E_TOO_LARGE, "the session's packages are too many");
	t->spec.build_only = true;
	t->spec.source = t->source;
	t->spec.requirements = cuv_buf_str(&t->canonical);
	t->spec.requirements_len = t->canonical.len;
	/* As of today, and that is kept: the packages don't change by themselves. */
	t->spec.exclude_s = cuv_wall_s() / DAY_S * DAY_S;
	return r;
}

static int install(struct task *t, struct cuv_runner *u, const struct cuv_job_events *events, json_t **ret,
		   struct cuv_error *err)
{
	struct cuv_job_result result;
	int r = read_packages(t, err);

	if (r < 0)
		return r;
	r = cuv_runner_run(u, &t->spec, events, &result, err);
	if (r == 0)
		r = cuv_sessions_set_packages(u->server->sessions, t->session.id, &t->canonical, t->spec.exclude_s,
					      err);
	if (r == 0)
		*ret = cuv_answer_build(&t->spec, &result, u->request_id);
	cuv_job_result_done(&result);
	return r;
}

int cuv_session_task(struct cuv_runner *u, const struct cuv_runs_row *row, struct cuv_buf *packed,
		     const struct cuv_job_events *events, json_t **ret, struct cuv_error *err)
{
	_cleanup_(task_free) struct task *t = task_new(u->charge);
	int r;

	*ret = NULL;
	if (!t)
		return cuv_budget_exhausted(err, "request");
	u->dialect = CUV_DIALECT_SESSIONS;
	u->run_as = row->id;
	t->request = cuv_dialect_parse(cuv_buf_str(packed), packed->len, err);
	cuv_buf_done(packed);
	if (!t->request)
		return -EINVAL;
	r = cuv_sessions_begin(u->server->sessions, cuv_profile_sessions(), row->session, cuv_wall_s(), &t->session,
			       err);
	if (r < 0)
		return r;
	cuv_dialect_spec(CUV_PROFILE_SESSIONS, &t->spec);
	t->spec.queue_ms = BOX_WAIT_MS;
	r = row->kind == CUV_RUNS_KIND_INSTALL ? install(t, u, events, ret, err) : execute(t, u, events, ret, err);
	return r == 0 && !*ret ? cuv_budget_exhausted(err, "answer") : r;
}

/* --- what is told --- */

static json_t *names_of(const json_t *answer)
{
	json_t *ret = json_array(), *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "artifacts_left_out"), i, item)
	{
		json_array_append_new(ret, json_pack("{s:O, s:O}", "name", json_object_get(item, "name"), "reason",
						     json_object_get(item, "message")));
	}
	return ret;
}

static json_t *list_packages(const json_t *answer)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(1 << 20);
	const json_t *list = json_object_get(json_object_get(answer, "environment"), "packages"), *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "name"));
		const char *version = json_string_value(json_object_get(item, "version"));

		if (name && version)
			cuv_buf_addf(&text, "%s==%s\n", name, version);
	}
	return json_string(cuv_buf_str(&text));
}

static void say_done(json_t *ret, enum cuv_runs_kind kind, const json_t *answer)
{
	if (kind == CUV_RUNS_KIND_INSTALL) {
		json_object_set_new(ret, "status", json_string("success"));
		json_object_set_new(ret, "output", list_packages(answer));
		json_object_set_new(ret, "exit_code", json_integer(0));
		return;
	}
	json_object_set(ret, "status", json_object_get(answer, "status"));
	json_object_set(ret, "output", json_object_get(answer, "stdout"));
	json_object_set(ret, "errors", json_object_get(answer, "stderr"));
	json_object_set(ret, "exit_code", json_object_get(answer, "return_code"));
	json_object_set(ret, "execution_time", json_object_get(answer, "execution_time"));
	json_object_set_new(ret, "files_not_kept", names_of(answer));
}

/* What is wrong with the request is its error, the rest is the service's and can be sent again. */
static bool is_clients(const char *code)
{
	for (int c = 1; code && c < _CUV_E_MAX; c++)
		if (strcmp(code, cuv_error_name((enum cuv_error_code)c)) == 0)
			return cuv_error_http_status((enum cuv_error_code)c) < 500 && c != CUV_E_RATE_LIMITED;
	return false;
}

static void say_failed(json_t *ret, json_t *answer)
{
	const char *code = json_string_value(json_object_get(answer, "code"));
	const char *why = json_string_value(json_object_get(json_object_get(answer, "details"), "explanation"));
	const char *message = json_string_value(json_object_get(answer, "message"));

	json_object_set_new(ret, "status", json_string(is_clients(code) ? "error" : "failed"));
	json_object_set_new(ret, "errors",
			    json_sprintf("%s%s%s", message ? message : "", why ? "\n" : "", why ? why : ""));
	if (is_clients(code))
		json_object_set_new(ret, "exit_code", json_integer(1));
	json_object_set(ret, "error", answer);
}

static const char *state_of(enum cuv_runs_state s)
{
	return s == CUV_RUNS_QUEUED ? "queued" : s == CUV_RUNS_CANCELLED ? "cancelled" : "running";
}

json_t *cuv_session_status(const struct cuv_runs_view *v, const char *task, const char *answer, size_t len)
{
	json_t *ret = json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:[], s:n}", "task_id", task, "status",
				state_of(v->row.state), "output", "", "errors", "", "exit_code", "execution_time",
				"files_not_kept", "error");
	json_t *said = len > 0 ? json_loadb(answer, len, JSON_ALLOW_NUL, NULL) : NULL;

	if (ret && v->row.state == CUV_RUNS_DONE)
		say_done(ret, v->row.kind, said);
	else if (ret && v->row.state == CUV_RUNS_FAILED)
		say_failed(ret, said);
	json_decref(said);
	return ret;
}
