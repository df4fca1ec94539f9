/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the JSON body of each dialect, and as what a script returned. What is refused is so
 * for a reason in UTF-8; what is accepted stays within its bounds; what is passed on as JSON is JSON
 * to another reader too.
 */
#include "lib/base/utf8.h"
#include "manager/dialect/agent.h"
#include "manager/dialect/learn.h"
#include "manager/dialect/script.h"
#include "manager/dialect/sessions.h"
#include "manager/json_text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_error(const struct cuv_error *err)
{
	cuv_assert(err->code != CUV_E_NONE && err->message[0] && cuv_utf8_valid(err->message, strlen(err->message)));
}

static void check_spec(int r, const struct cuv_job_spec *spec, const struct cuv_error *err)
{
	if (r < 0) {
		check_error(err);
		return;
	}
	cuv_assert(spec->code_len > 0 && cuv_utf8_valid(spec->code, spec->code_len));
	cuv_assert(spec->limits.value[CUV_LIMIT_WALL] > 0 && spec->limits.value[CUV_LIMIT_WALL] <= 30000);
	cuv_assert(cuv_limits_check(&spec->limits) < 0 && cuv_utf8_valid(spec->stdin_data, spec->stdin_len));
}

static void check_learn(const json_t *body, struct cuv_error *err)
{
	struct cuv_learn_request m;
	struct cuv_job_result result = {.run.status = CUV_RUN_SUCCESS};
	int r = cuv_learn_read(body, &m, err);

	check_spec(r, &m.spec, err);
	for (size_t i = 0; r == 0 && i < m.n; i++) {
		json_t *answer = cuv_learn_result(&m.cases[i], &result);

		cuv_assert(json_object_size(answer) == 4);
		json_decref(answer);
	}
}

static void check_main(const json_t *body, struct cuv_error *err)
{
	struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	struct cuv_main_request m;
	int r = cuv_main_read(body, &charge, &m, err);

	check_spec(r, &m.spec, err);
	cuv_assert(r < 0 || m.files.out.fd >= 0);
	cuv_main_request_done(&m);
}

static void check_session(const json_t *body, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf lines = CUV_BUF_INIT(4096);
	const char *name;
	size_t n = 0;

	if (cuv_session_name(body, &name, err) < 0)
		check_error(err);
	else
		cuv_assert(name[0] && strlen(name) < CUV_SESSION_NAME_SIZE);
	if (cuv_session_packages(body, &lines, err) < 0) {
		check_error(err);
		return;
	}
	for (size_t i = 0; i < lines.len; i++)
		n += lines.data[i] == '\n';
	cuv_assert(n == json_array_size(json_object_get(body, "packages")));
}

/* jansson takes fewer numbers, and names once; nothing that it takes is refused but for depth. */
static void check_text(const char *text, size_t size)
{
	const bool valid = cuv_json_text_valid(text, size);
	json_error_t why;
	json_t *value = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
	enum json_error_code code = value ? json_error_unknown : json_error_code(&why);

	/* It takes a NUL for the end. */
	if (value)
		cuv_assert(valid || size > CUV_JSON_TEXT_DEPTH_MAX || memchr(text, '\0', size));
	else if (valid)
		cuv_assert(code == json_error_numeric_overflow || code == json_error_null_byte_in_key);
	json_decref(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cuv_error err = CUV_ERROR_INIT;
	json_t *body = cuv_dialect_parse((const char *)data, size, &err);
	struct cuv_job_spec spec;

	check_text((const char *)data, size);
	if (!body) {
		check_error(&err);
		return 0;
	}
	check_spec(cuv_agent_read(body, &spec, &err), &spec, &err);
	check_learn(body, &err);
	check_main(body, &err);
	check_session(body, &err);
	json_decref(body);
	return 0;
}
