/* SPDX-License-Identifier: MIT */
#include "manager/dialect/sessions.h"

#include "lib/base/clock.h"
#include "lib/base/utf8.h"
#include "manager/http_form.h"
#include "manager/runs/runs.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "exec-" or "install-", the session, "-" and 8 digits. */
#define TASK_SIZE (CUV_SESSION_NAME_SIZE + 24)
#define TASK_DIGITS 8
#define STATUS_PATH "/status/"
#define FIELD_ID_MAX 1024
/* A tree of the parser's, of a body's text. */
#define TREE_FACTOR 4

/* A body that can't be read is one that does not fit, to these clients. */
static int status_of(enum cuv_error_code code)
{
	return code == CUV_E_BAD_JSON ? 422 : cuv_error_http_status(code);
}

const struct cuv_http_errors cuv_session_errors = {status_of, cuv_dialect_detail};

/* --- what is asked for --- */

static int check_name(const char *name, size_t len, struct cuv_error *err)
{
	size_t chars = 0;

	for (size_t i = 0; i < len; chars++) {
		const size_t n = cuv_utf8_char_len(name + i, len - i);

		if (n == 0 || name[i] == '\0')
			return cuv_error_set(err, CUV_E_FIELD_INVALID,
					     "`session_id` has a character that is 0, or is not UTF-8");
		i += n;
	}
	if (chars == 0 || chars > CUV_SESSION_NAME_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`session_id` has %zu characters, not 1 to %d", chars,
				     CUV_SESSION_NAME_MAX);
	return 0;
}

int cuv_session_name(const json_t *body, const char **ret, struct cuv_error *err)
{
	const json_t *name = json_object_get(body, "session_id");

	if (!json_is_string(name))
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "`session_id` %s: it is a string of 1 to %d characters, in a JSON object",
				     name ? "is not a string" : "is missing", CUV_SESSION_NAME_MAX);
	*ret = json_string_value(name);
	return check_name(*ret, json_string_length(name), err);
}

/* One requirement and nothing that means something to lines around it. */
static bool is_one_line(const char *text, size_t len)
{
	const size_t blanks = strspn(text, " \t");

	if (len == 0 || text[blanks] == '\0' || strchr("-#", text[blanks]) || text[len - 1] == '\\')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 && text[i] != '\t')
			return false;
	return true;
}

static int check_packages(const struct cuv_buf *lines, size_t n, struct cuv_error *err)
{
	struct cuv_requirements *parsed = NULL;
	int r = cuv_requirements_parse(cuv_buf_str(lines), lines->len, &parsed, err);

	if (r == 0 && (parsed->n_lines != n || parsed->n_constraints > 0 || parsed->n_indexes > 0))
		r = cuv_error_set(err, CUV_E_FIELD_INVALID, "each of `packages` must be one requirement (PEP 508)");
	cuv_requirements_free(parsed);
	return r;
}

int cuv_session_packages(const json_t *body, struct cuv_buf *ret, struct cuv_error *err)
{
	const json_t *list = json_object_get(body, "packages");
	const json_t *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > CUV_SESSION_PACKAGES_MAX)
		return cuv_error_set(err, CUV_E_FIELD_INVALID,
				     "`packages` must be an array of 1 to %d requirements, as [\"numpy>=2\"]",
				     CUV_SESSION_PACKAGES_MAX);
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (!text || !is_one_line(text, json_string_length(item)))
			return cuv_error_set(err, CUV_E_FIELD_INVALID,
					     "item %zu of `packages` is not a requirement, as numpy>=2", i + 1);
		cuv_buf_addf(ret, "%s\n", text);
	}
	if (cuv_buf_err(ret))
		return cuv_error_set(err, CUV_E_TOO_LARGE, "`packages` has more than %d bytes",
				     CUV_REQUIREMENTS_BYTES_MAX);
	return check_packages(ret, json_array_size(list), err);
}

/* --- accepting --- */

static int check_served(const struct cuv_server *s, struct cuv_error *err)
{
	return s->sessions ? 0
			   : cuv_error_set(err, CUV_E_UNAVAILABLE,
					   "sessions are not served: this service keeps nothing (--store)");
}

static int open_session(struct cuv_server *s, const struct cuv_client *client, const char *name, int64_t *ret_id,
			struct cuv_error *err)
{
	int r = check_served(s, err);

	if (r == 0)
		r = cuv_sessions_open(s->sessions, cuv_profile_sessions(), client->tenant, name, cuv_wall_s(), ret_id,
				      err);
	if (r == 0)
		cuv_runs_tend_sessions(s->runs_later);
	return r;
}

static int add_encoded(struct cuv_buf *ret, const char *text)
{
	for (; *text; text++) {
		const unsigned char c = (unsigned char)*text;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~", c))
			cuv_buf_add_char(ret, *text);
		else
			cuv_buf_addf(ret, "%%%02X", c);
	}
	return cuv_buf_err(ret);
}

static int reply_accepted(struct cuv_http *h, const char *kind, const char *task, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf url = CUV_BUF_INIT(4 * TASK_SIZE), headers = CUV_BUF_INIT(5 * TASK_SIZE);
	json_t *body;

	cuv_buf_addf(&url, STATUS_PATH "%s/", kind);
	if (add_encoded(&url, task) < 0 || cuv_buf_addf(&headers, "Location: %s\r\n", cuv_buf_str(&url)) < 0)
		return cuv_budget_exhausted(err, "answer");
	body = json_pack("{s:s+, s:s, s:s}", "status", kind, "_queued", "task_id", task, "status_url",
			 cuv_buf_str(&url));
	if (!body)
		return cuv_budget_exhausted(err, "answer");
	cuv_http_reply_json(h, 202, cuv_buf_str(&headers), body);
	json_decref(body);
	return 0;
}

/* One member of the body is all that the task needs. */
static int accept_task(struct cuv_runner *u, struct cuv_http *h, enum cuv_runs_kind kind, const char *name,
		       const char *member, json_t *value, struct cuv_error *err)
{
	const bool executes = kind == CUV_RUNS_KIND_EXECUTE;
	struct cuv_runs_request request = {.kind = kind};
	char id[CUV_ID_HEX_SIZE], task[TASK_SIZE];
	json_t *kept = json_pack("{s:O}", member, value);
	const size_t len = json_dumpb(kept, NULL, 0, JSON_COMPACT);
	struct cuv_buf text = CUV_BUF_INIT(len);
	char *room = cuv_charge_add(u->charge, len) ? cuv_buf_room(&text, len) : NULL;
	int r = kept && room && len > 0 ? 0 : cuv_budget_exhausted(err, "request");

	if (r == 0) {
		cuv_buf_grew(&text, json_dumpb(kept, room, len, JSON_COMPACT));
		r = open_session(u->server, u->client, name, &request.session, err);
	}
	cuv_random_id(id);
	if (executes)
		(void)snprintf(task, sizeof(task), "exec-%s-%.*s", name, TASK_DIGITS, id);
	else
		(void)snprintf(task, sizeof(task), "install-%s", name);
	request.task = task;
	request.body = &text;
	if (r == 0)
		r = cuv_runs_accept(u->server->runs_later, u->client, u->request_id, id, &request, err);
	cuv_buf_done(&text);
	json_decref(kept);
	if (r < 0)
		return r;
	memcpy(h->run_id, id, sizeof(h->run_id));
	return reply_accepted(h, executes ? "execute" : "install", task, err);
}

int cuv_session_execute(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err)
{
	struct cuv_job_spec spec;
	const char *name;
	int r = cuv_session_name(body, &name, err);

	u->dialect = CUV_DIALECT_SESSIONS;
	if (r == 0)
		r = cuv_dialect_code(body, "code", "`code` is blank: it is the program", &spec, err);
	return r == 0 ? accept_task(u, h, CUV_RUNS_KIND_EXECUTE, name, "code", json_object_get(body, "code"), err) : r;
}

static int install(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf lines = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	const char *name;
	int r = cuv_session_name(body, &name, err);

	if (r == 0)
		r = cuv_session_packages(body, &lines, err);
	return r == 0 ? accept_task(u, h, CUV_RUNS_KIND_INSTALL, name, "packages", json_object_get(body, "packages"),
				    err)
		      : r;
}

void cuv_session_install(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	_cleanup_runner_ struct cuv_runner *u = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *body = NULL;
	int r = cuv_runner_open_unread(s, client, &charge, h->request_id, &u, &err);

	if (r == 0 && !(body = cuv_dialect_receive(h, &charge, CUV_DIALECT_BODY_MAX, &err)))
		r = -EINVAL;
	if (r == 0)
		r = install(u, h, body, &err);
	json_decref(body);
	cuv_dialect_end(h, r, &err);
}

/* --- files --- */

static const struct cuv_field_info upload_fields[] = {
	{"session_id", CUV_FIELD_TEXT, FIELD_ID_MAX},
	{"file", CUV_FIELD_FILE, CUV_UPLOAD_BYTES_MAX},
};

static int put_file(struct cuv_server *s, const struct cuv_client *client, const struct cuv_form *f,
		    struct cuv_error *err)
{
	const struct cuv_field *name = cuv_form_get(f, "session_id"), *file = cuv_form_get(f, "file");
	int64_t id;
	int r;

	if (!name)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `session_id` is missing");
	r = check_name(cuv_buf_str(&name->value), name->value.len, err);
	if (r == 0 && (!file || !file->has_filename || !file->filename[0]))
		r = cuv_error_set(err, CUV_E_FIELD_INVALID, "the field `file` must be a file with a name");
	if (r == 0)
		r = open_session(s, client, cuv_buf_str(&name->value), &id, err);
	return r == 0 ? cuv_sessions_put(s->sessions, cuv_profile_sessions(), id, file->filename,
					 cuv_buf_str(&file->value), file->value.len, err)
		      : r;
}

static int upload(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_form *f,
		  struct cuv_error *err)
{
	const struct cuv_field *file;
	json_t *body;
	int r;

	cuv_form_init(f, upload_fields, ARRAY_SIZE(upload_fields), CUV_UPLOAD_BYTES_MAX + FIELD_ID_MAX, f->charge);
	f->lenient = true;
	r = cuv_http_read_form(h, f, err);
	if (r == 0)
		r = put_file(s, client, f, err);
	if (r < 0)
		return r;
	file = cuv_form_get(f, "file");
	body = json_pack("{s:s, s:s, s:I}", "status", "uploaded", "filename", file->filename, "size",
			 (json_int_t)file->value.len);
	if (body)
		cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return body ? 0 : cuv_budget_exhausted(err, "answer");
}

void cuv_session_upload(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	_cleanup_runner_ struct cuv_runner *u = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_form *f = NULL;
	int r = check_served(s, &err);

	/* It runs nothing, but is as much to receive and to write as what does. */
	if (r == 0)
		r = cuv_runner_open_unread(s, client, &charge, h->request_id, &u, &err);
	if (r == 0 && cuv_charge_add(&charge, sizeof(*f)))
		f = calloc(1, sizeof(*f));
	if (r == 0 && !f)
		r = cuv_budget_exhausted(&err, "request");
	if (r == 0) {
		f->charge = &charge;
		r = upload(s, h, client, f, &err);
		cuv_form_done(f);
	}
	free(f);
	cuv_dialect_end(h, r, &err);
}

/* --- the end of a session --- */

static int terminate(struct cuv_server *s, const struct cuv_client *client, const json_t *body, struct cuv_error *err)
{
	const char *name;
	int64_t id;
	int r = cuv_session_name(body, &name, err);

	if (r == 0)
		r = check_served(s, err);
	if (r == 0)
		r = cuv_sessions_remove(s->sessions, client->tenant, name, &id, err);
	if (r == 0 && id)
		cuv_runs_cancel_session(s->runs_later, id);
	return r;
}

void cuv_session_terminate(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *body = cuv_dialect_receive(h, &charge, CUV_DIALECT_BODY_MAX, &err);
	int r = body ? terminate(s, client, body, &err) : -EINVAL;

	if (r == 0)
		cuv_http_reply(h, 200, NULL, "application/json", "{\"status\":\"terminated\"}",
			       sizeof("{\"status\":\"terminated\"}") - 1);
	json_decref(body);
	cuv_dialect_end(h, r, &err);
}

/* --- asking --- */

static int no_task(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_NOT_FOUND, "there is no task with this id, or its answer has expired");
	return -ENOENT;
}

static int reply_status(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
			enum cuv_runs_kind kind, struct cuv_charge *charge, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf answer = CUV_BUF_INIT(SIZE_MAX / 4);
	struct cuv_runs_view view;
	json_t *body;
	int r = check_served(s, err);

	if (r == 0)
		r = cuv_runs_get_task(s->runs_later, client, h->param, &view, charge, &answer, err);
	if (r < 0)
		return err->code == CUV_E_NOT_FOUND ? no_task(err) : r;
	if (view.row.kind != kind)
		return no_task(err);
	body = cuv_charge_add(charge, TREE_FACTOR * answer.len)
		       ? cuv_session_status(&view, h->param, cuv_buf_str(&answer), answer.len)
		       : NULL;
	if (body)
		cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return body ? 0 : cuv_budget_exhausted(err, "answer");
}

static void status(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, enum cuv_runs_kind kind)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = reply_status(s, h, client, kind, &charge, &err);

	cuv_dialect_end(h, r, &err);
}

void cuv_session_status_install(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	status(s, h, client, CUV_RUNS_KIND_INSTALL);
}

void cuv_session_status_execute(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	status(s, h, client, CUV_RUNS_KIND_EXECUTE);
}
