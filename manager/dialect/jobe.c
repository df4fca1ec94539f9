/* SPDX-License-Identifier: MIT */
#include "manager/dialect/jobe.h"

#include "lib/base/clock.h"
#include "manager/dialect/jobe_outcome.h"
#include "manager/dialect/jobe_spec.h"
#include "manager/http_text.h"
#include "manager/runner.h"
#include "manager/upload.h"
#include "nixenv/requirements.h"
#include "nixenv/script.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define RUN_BYTES_MAX (48 * CUV_MIB)
/* A file in Base64, and what is around it. */
#define PUT_BYTES_MAX (CUV_JOBE_FILE_BYTES_MAX / 3 * 4 + 65536)
#define RESOLVE_MS 60000
#define BUILD_MS 600000
#define QUEUE_MS 60000
#define TRIM_BYTES (8u << 20)
/* A byte that is no text is four, and is copied. */
#define TEXT_FACTOR 8

/* --- errors --- */

static int error_status(enum cuv_error_code code)
{
	const int status = cuv_error_http_status(code);

	/* 401 is something else to them. */
	if (code == CUV_E_UNAUTHORIZED || code == CUV_E_HASH_MISMATCH)
		return 403;
	return status == 411 || status == 422 ? 400 : status;
}

static json_t *error_body(const struct cuv_error *err, const char *request_id)
{
	(void)request_id;
	return json_string(err->message);
}

const struct cuv_http_errors cuv_jobe_errors = {error_status, error_body};

static void reply_error(struct cuv_http *h, const struct cuv_error *err)
{
	/* Nobody is there to read about a cancelled run. */
	if (err->code == CUV_E_CANCELLED)
		h->code = err->code;
	else
		cuv_http_reply_error(h, err, NULL);
}

static int no_memory(struct cuv_error *err)
{
	return cuv_budget_exhausted(err, "request");
}

/* Takes over the body. */
static int reply(struct cuv_http *h, json_t *body, struct cuv_error *err)
{
	if (!body)
		return cuv_budget_exhausted(err, "answer");
	cuv_http_reply_json(h, 200, NULL, body);
	json_decref(body);
	return 0;
}

/* --- languages --- */

void cuv_jobe_languages(struct cuv_server *s, struct cuv_http *h, _unused_ const struct cuv_client *client)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_health_state state;
	const char *version;

	cuv_health_get(&s->health, UINT32_MAX, &state);
	version = state.tools.n_pythons ? state.tools.pythons[0].python : "";
	if (reply(h, json_pack("[[s, s]]", CUV_JOBE_LANGUAGE, version), &err) < 0)
		reply_error(h, &err);
}

/* --- runs --- */

struct intake {
	struct cuv_jobe_spec spec;
	struct cuv_upload files;
	struct cuv_buf requirements;
	struct cuv_requirements *source;
	struct cuv_job_spec job; /* borrows from the others */
};

static void intake_free(struct intake **in)
{
	if (*in) {
		cuv_jobe_spec_done(&(*in)->spec);
		cuv_upload_done(&(*in)->files);
		cuv_buf_done(&(*in)->requirements);
		(*in)->source = cuv_requirements_free((*in)->source);
	}
	free(*in);
}

/* The program is main.py, whatever it is called by the client, so that it can be warm;
 * but for a file that has that name. */
static const char *program_of(const struct cuv_jobe_spec *spec)
{
	for (size_t i = 0; i < spec->n_files; i++)
		if (strcmp(spec->files[i].name, "main.py") == 0)
			return spec->name;
	return NULL;
}

static int add_file(struct cuv_server *s, const struct cuv_client *client, const char *id, const char *name,
		    struct cuv_upload *ret, struct cuv_error *err)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	_cleanup_buf_ struct cuv_buf content = CUV_BUF_INIT(CUV_JOBE_FILE_BYTES_MAX);
	int r = cuv_jobe_files_get(&s->jobe_files, client->tenant, id, cuv_now_ns(), &charge, &content, err);

	if (r == 0)
		return cuv_error_set(err, CUV_E_NOT_FOUND,
				     "the file `%s` of `file_list` is not here: put it, then send the run again", id);
	return r < 0 ? r : cuv_upload_file(ret, name, cuv_buf_str(&content), content.len, err);
}

static int gather_files(struct cuv_server *s, const struct cuv_client *client, struct intake *in, struct cuv_error *err)
{
	const struct cuv_jobe_spec *spec = &in->spec;
	int r = 0;

	in->files.where = "`file_list`";
	in->files.program = in->job.program;
	for (size_t i = 0; r == 0 && i < spec->n_files; i++)
		r = add_file(s, client, spec->files[i].id, spec->files[i].name, &in->files, err);
	return r == 0 ? cuv_upload_finish(&in->files, &in->job.limits, err) : r;
}

/* What the program's header says; else the operator's environment; else no packages. */
static int read_environment(const struct cuv_server *s, struct intake *in, struct cuv_error *err)
{
	_cleanup_script_ struct cuv_script script = CUV_SCRIPT_INIT;
	int r = cuv_script_read(in->job.code, in->job.code_len, "main.py", &script, err);

	in->job.env_source = CUV_ENV_REQUIREMENTS;
	in->job.requirements = "";
	in->job.env_digest = s->settings->jobe_env;
	if (r == 0 && in->job.env_digest)
		in->job.env_source = CUV_ENV_DIGEST;
	if (r <= 0)
		return r;
	in->job.python = cuv_script_python(&script, NULL, err);
	if (!in->job.python)
		return -EINVAL;
	in->source = TAKE_PTR(script.requirements);
	cuv_buf_init(&in->requirements, CUV_REQUIREMENTS_BYTES_MAX);
	if (cuv_requirements_canonical(in->source, &in->requirements) < 0)
		return no_memory(err);
	in->job.requirements = cuv_buf_str(&in->requirements);
	in->job.requirements_len = in->requirements.len;
	in->job.source = in->source;
	return 0;
}

static int prepare(struct cuv_server *s, const struct cuv_client *client, struct intake *in, struct cuv_error *err)
{
	const struct cuv_jobe_spec *spec = &in->spec;

	in->job = (struct cuv_job_spec){.code = spec->source,
					.code_len = spec->source_len,
					.stdin_data = spec->input,
					.stdin_len = spec->input_len,
					.args = &spec->run_args,
					.options = &spec->interpreter_args,
					.program = program_of(spec),
					.files = &in->files,
					.limits = spec->limits,
					.resolve_ms = RESOLVE_MS,
					.build_ms = BUILD_MS,
					.queue_ms = QUEUE_MS};
	return gather_files(s, client, in, err);
}

/* What did not come to a run because of the program's own header is as if it could not be
 * compiled. */
static int end_unbuilt(struct cuv_http *h, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(sizeof(*err));

	h->code = err->code;
	/* 404 would mean a file. */
	if (err->code == CUV_E_ENVIRONMENT_UNKNOWN)
		return reply(h, cuv_jobe_answer(h->run_id, CUV_JOBE_INTERNAL, "the service's JOBE_ENV is not here"),
			     err);
	if (cuv_error_http_status(err->code) != 422)
		return -EINVAL;
	if (err->line)
		cuv_buf_addf(&text, "line %u: ", err->line);
	cuv_buf_addf(&text, "%s\n%s", err->message, err->explanation);
	return reply(h, cuv_jobe_answer(h->run_id, CUV_JOBE_COMPILE_ERROR, cuv_buf_str(&text)), err);
}

static int run(struct cuv_runner *u, struct cuv_http *h, struct intake *in, struct cuv_error *err)
{
	struct cuv_job_result result;
	int r = cuv_runner_run_http(u, h, &in->job, &result, err);

	if (r < 0)
		r = end_unbuilt(h, err);
	else if (!cuv_charge_add(u->charge, TEXT_FACTOR * (result.out.len + result.err.len)))
		r = cuv_budget_exhausted(err, "answer");
	else
		r = reply(h, cuv_jobe_answer_run(&in->job, &result, in->spec.name), err);
	cuv_job_result_done(&result);
	return r;
}

static int serve_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client,
		     struct cuv_charge *charge, struct cuv_error *err)
{
	_cleanup_runner_ struct cuv_runner *u = NULL;
	_cleanup_(intake_free) struct intake *in = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(RUN_BYTES_MAX);
	int r = cuv_runner_open(s, client, charge, h->request_id, &u, err);

	if (r == 0) {
		u->dialect = CUV_DIALECT_JOBE;
		r = cuv_http_read_text(h, charge, &text, err);
	}
	if (r < 0)
		return r;
	if (!cuv_charge_add(charge, sizeof(*in)) || !(in = calloc(1, sizeof(*in))))
		return no_memory(err);
	in->files = CUV_UPLOAD_INIT;
	in->files.charge = charge;
	r = cuv_jobe_spec_read(cuv_buf_str(&text), text.len, &in->spec, err);
	if (r == 0)
		r = prepare(s, client, in, err);
	if (r < 0)
		return r;
	return read_environment(s, in, err) < 0 ? end_unbuilt(h, err) : run(u, h, in, err);
}

void cuv_jobe_run(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = serve_run(s, h, client, &charge, &err);

	/* They know it as an outcome. */
	if (r < 0 && cuv_error_http_status(err.code) == 503) {
		h->code = err.code;
		r = reply(h, cuv_jobe_answer(h->run_id, CUV_JOBE_OVERLOAD, ""), &err);
	}
	if (r < 0)
		reply_error(h, &err);
	if (charge.bytes > TRIM_BYTES)
		malloc_trim(0);
}

/* --- files --- */

void cuv_jobe_head_file(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_jobe_files_has(&s->jobe_files, client->tenant, h->param, cuv_now_ns())) {
		cuv_http_reply(h, 204, NULL, "application/json", "", 0);
		return;
	}
	cuv_error_set(&err, CUV_E_NOT_FOUND, "this file is not here");
	reply_error(h, &err);
}

static int decode(const json_t *contents, struct cuv_buf *ret, struct cuv_error *err)
{
	const size_t len = json_string_length(contents), size = len / 4 * 3 + 3;
	size_t got;
	char *room = cuv_buf_room(ret, size);

	if (!json_is_string(contents))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "the body needs the string `file_contents`");
	if (!room)
		return no_memory(err);
	if (sodium_base642bin((unsigned char *)room, size, json_string_value(contents), len, " \r\n\t", &got, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0)
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`file_contents` is not Base64");
	if (got > CUV_JOBE_FILE_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the file has more than %u MiB",
				     CUV_JOBE_FILE_BYTES_MAX >> 20);
	cuv_buf_grew(ret, got);
	return 0;
}

static int put(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client, struct cuv_charge *charge,
	       struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(PUT_BYTES_MAX), data = CUV_BUF_INIT(PUT_BYTES_MAX);
	json_t *body;
	int r;

	if (!cuv_jobe_id_valid(h->param))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "a file's id has %d to %d letters and digits",
				     CUV_JOBE_ID_MIN, CUV_JOBE_ID_MAX);
	r = cuv_http_read_text(h, charge, &text, err);
	if (r < 0)
		return r;
	body = cuv_jobe_parse(cuv_buf_str(&text), text.len, err);
	if (!body)
		return -EINVAL;
	r = decode(json_object_get(body, "file_contents"), &data, err);
	json_decref(body);
	return r < 0 ? r
		     : cuv_jobe_files_put(&s->jobe_files, client->tenant, h->param, cuv_buf_str(&data), data.len,
					  cuv_now_ns(), err);
}

void cuv_jobe_put_file(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client)
{
	_cleanup_charge_ struct cuv_charge charge = cuv_clients_charge(s->clients, client, &s->budget);
	struct cuv_error err = CUV_ERROR_INIT;

	if (put(s, h, client, &charge, &err) < 0)
		reply_error(h, &err);
	else
		cuv_http_reply(h, 204, NULL, "application/json", "", 0);
	if (charge.bytes > TRIM_BYTES)
		malloc_trim(0);
}
