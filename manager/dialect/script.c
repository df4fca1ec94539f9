/* SPDX-License-Identifier: MIT */
#include "manager/dialect/script.h"

#include "lib/proto/bundle.h"
#include "manager/answer.h"
#include "manager/dialect/files.h"
#include "manager/json_text.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Of script.py. */
#define SCRIPT "script.py"
#define RESULT "cuvette-result"
#define NO_MAIN "Script must define a 'main()' function"
#define RESULT_BYTES_MAX (4 * CUV_MIB)
#define ANSWER_BYTES_MAX (16 * CUV_MIB)

/* All that a script may be wrong in is one status to these clients. */
static int status_of(enum cuv_error_code code)
{
	const int status = cuv_error_http_status(code);

	return status == 422 ? 400 : status;
}

const struct cuv_http_errors cuv_main_errors = {status_of, cuv_dialect_error};

void cuv_main_request_done(struct cuv_main_request *m)
{
	cuv_buf_done(&m->requirements);
	cuv_upload_done(&m->files);
	cuv_strv_done(&m->artifacts);
}

static int add_script(struct cuv_main_request *m, struct cuv_charge *charge, struct cuv_error *err)
{
	int r;

	m->files.charge = charge;
	m->files.where = "the script";
	r = cuv_upload_file(&m->files, SCRIPT, m->spec.code, m->spec.code_len, err);
	if (r == 0)
		r = cuv_upload_finish(&m->files, &m->spec.limits, err);
	if (r == 0 && cuv_strv_add(&m->artifacts, RESULT) < 0)
		r = cuv_budget_exhausted(err, "request");
	return r;
}

int cuv_main_read(const json_t *body, struct cuv_charge *charge, struct cuv_main_request *ret, struct cuv_error *err)
{
	const struct cuv_embedded *program = cuv_dialect_file("script.py");
	int r;

	*ret = (struct cuv_main_request){.files = CUV_UPLOAD_INIT};
	cuv_buf_init(&ret->requirements, CUV_REQUIREMENTS_BYTES_MAX);
	cuv_dialect_spec(CUV_PROFILE_MAIN, &ret->spec);
	r = cuv_dialect_code(body, "script", NO_MAIN, &ret->spec, err);
	if (r == 0)
		r = add_script(ret, charge, err);
	if (r == 0)
		r = cuv_data_science_read(&ret->requirements, &ret->spec.exclude_s, err);
	ret->spec.code = (const char *)program->data;
	ret->spec.code_len = program->len;
	ret->spec.requirements = cuv_buf_str(&ret->requirements);
	ret->spec.requirements_len = ret->requirements.len;
	ret->spec.files = &ret->files;
	ret->spec.artifacts = &ret->artifacts;
	ret->spec.limits.value[CUV_LIMIT_ARTIFACTS] = 1;
	ret->spec.limits.value[CUV_LIMIT_ARTIFACTS_SIZE] = RESULT_BYTES_MAX;
	return r;
}

/* --- the answer --- */

/* What the file has behind a first line of this word; NULL: another one. */
static const char *behind(const char *word, const struct cuv_bundle_entry *e, size_t *ret_len)
{
	const size_t len = strlen(word);

	if (e->kind != CUV_BUNDLE_FILE || e->size < len || memcmp(e->data, word, len) != 0)
		return NULL;
	*ret_len = (size_t)e->size - len;
	return (const char *)e->data + len;
}

static void say_end(const struct cuv_job_result *r, const struct cuv_bundle_entry *e, struct cuv_buf *ret)
{
	if (e->kind == CUV_BUNDLE_LEFT && e->why == CUV_LEFT_SIZE)
		cuv_buf_addf(ret, "main() returned a value of more than %llu MiB as JSON", RESULT_BYTES_MAX / CUV_MIB);
	else if (r->run.signal > 0)
		cuv_buf_addf(ret, "Script was ended by signal %d before main() returned", (int)r->run.signal);
	else
		cuv_buf_addf(ret, "Script exited with status %d before main() returned", (int)r->run.exit_code);
}

/* Why there is no result; nothing where there may be one. */
static void say_status(const struct cuv_job_result *r, const struct cuv_limits *l, struct cuv_buf *ret)
{
	switch (r->run.status) {
	case CUV_RUN_TIMEOUT:
		cuv_buf_addf(ret, "Script timed out after %g seconds", (double)l->value[CUV_LIMIT_WALL] / 1000);
		break;
	case CUV_RUN_OUT_OF_MEMORY:
		cuv_buf_addf(ret, "Script ran out of memory: it may have %llu MiB",
			     (unsigned long long)l->value[CUV_LIMIT_MEMORY] / CUV_MIB);
		break;
	case CUV_RUN_OUTPUT_LIMIT:
		cuv_buf_addf(ret, "Script printed more than %llu MiB",
			     (unsigned long long)l->value[CUV_LIMIT_STDOUT] / CUV_MIB);
		break;
	case CUV_RUN_FAILED:
		cuv_buf_add_str(ret, "The service failed; the request can be sent again");
		break;
	case CUV_RUN_SUCCESS:
	case CUV_RUN_ERROR:
	case CUV_RUN_KILLED:
	case _CUV_RUN_STATUS_MAX:
	default:
		break;
	}
}

static int add_string(struct cuv_buf *ret, const struct cuv_buf *raw)
{
	json_t *value = cuv_answer_text(raw);
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	int r = text ? cuv_buf_add_str(ret, text) : -ENOMEM;

	free(text);
	json_decref(value);
	return r;
}

static int add_error(struct cuv_buf *ret, const struct cuv_buf *message)
{
	int r;

	cuv_buf_add_str(ret, "{\"error\":");
	r = add_string(ret, message);
	cuv_buf_add_str(ret, "}");
	return r < 0 ? r : cuv_buf_err(ret);
}

static int add_result(struct cuv_buf *ret, const char *json, size_t len, const struct cuv_buf *out)
{
	int r;

	cuv_buf_add_str(ret, "{\"result\":");
	cuv_buf_add(ret, json, len);
	cuv_buf_add_str(ret, ",\"stdout\":");
	r = add_string(ret, out);
	cuv_buf_add_str(ret, "}");
	return r < 0 ? r : cuv_buf_err(ret);
}

int cuv_main_answer(const struct cuv_job_result *r, const struct cuv_job_spec *spec, struct cuv_buf *ret_body,
		    int *ret_status)
{
	_cleanup_buf_ struct cuv_buf why = CUV_BUF_INIT(RESULT_BYTES_MAX);
	struct cuv_bundle_reader reader = {.at = (const uint8_t *)r->artifacts.data, .left = r->artifacts.len};
	struct cuv_bundle_entry e;
	const char *text;
	size_t len = 0;

	*ret_status = r->run.status == CUV_RUN_FAILED ? 503 : 400;
	say_status(r, &spec->limits, &why);
	if (why.len > 0)
		return add_error(ret_body, &why);
	if (cuv_bundle_next(&reader, &e) <= 0 || strcmp(e.name, RESULT) != 0)
		e = (struct cuv_bundle_entry){.kind = CUV_BUNDLE_FOLDER};
	text = behind("result\n", &e, &len);
	if (text && cuv_json_text_valid(text, len)) {
		*ret_status = 200;
		return add_result(ret_body, text, len, &r->out);
	}
	if (text)
		cuv_buf_addf(&why, "main() returned a value that is not JSON-serializable: it nests more than %d deep",
			     CUV_JSON_TEXT_DEPTH_MAX);
	else if ((text = behind("error\n", &e, &len)))
		cuv_buf_add(&why, text, len);
	else
		say_end(r, &e, &why);
	return add_error(ret_body, &why);
}

/* What is wrong with our own packages is not the client's doing. */
static int blame_us(enum cuv_error_code code, struct cuv_error *err)
{
	char message[512];

	if (cuv_error_http_status(code) != 422)
		return -1;
	cuv_error_copy_text(message, sizeof(message), err->message, strlen(err->message));
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the environment of scripts can't be made: %s", message);
	err->retry_after_s = 60;
	return -1;
}

static int run(struct cuv_runner *u, struct cuv_http *h, struct cuv_main_request *m, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf body = CUV_BUF_INIT(ANSWER_BYTES_MAX);
	struct cuv_job_result result;
	int status, r = cuv_runner_run_http(u, h, &m->spec, &result, err);

	if (r < 0)
		r = blame_us(err->code, err);
	else if (cuv_main_answer(&result, &m->spec, &body, &status) < 0)
		r = cuv_budget_exhausted(err, "answer");
	else
		cuv_http_reply(h, status, status == 503 ? "Retry-After: 5\r\n" : NULL, "application/json",
			       cuv_buf_str(&body), body.len);
	cuv_job_result_done(&result);
	return r;
}

int cuv_main_serve(struct cuv_runner *u, struct cuv_http *h, const json_t *body, struct cuv_error *err)
{
	struct cuv_main_request m;
	int r = cuv_main_read(body, u->charge, &m, err);

	u->dialect = CUV_DIALECT_SCRIPT;
	if (r == 0)
		r = run(u, h, &m, err);
	cuv_main_request_done(&m);
	return r;
}
