/* SPDX-License-Identifier: MIT */
#include "manager/dialect/dialect.h"

#include "manager/http_text.h"
#include "manager/json_form.h"

#include <errno.h>
#include <string.h>

/* Of the environment, which is there after the first time; and the wait for a box. */
#define RESOLVE_MS 60000
#define BUILD_MS 600000
#define QUEUE_MS 60000

json_t *cuv_dialect_detail(const struct cuv_error *err, _unused_ const char *request_id)
{
	return json_pack("{s:s}", "detail", err->message);
}

json_t *cuv_dialect_error(const struct cuv_error *err, _unused_ const char *request_id)
{
	return json_pack("{s:s}", "error", err->message);
}

json_t *cuv_dialect_both(const struct cuv_error *err, _unused_ const char *request_id)
{
	return json_pack("{s:s, s:s}", "error", err->message, "detail", err->message);
}

json_t *cuv_dialect_parse(const char *text, size_t len, struct cuv_error *err)
{
	json_error_t why;
	json_t *body;
	char shown[JSON_ERROR_TEXT_LENGTH];

	if (cuv_json_check_size(text, len, err) < 0)
		return NULL;
	body = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
	if (!body) {
		cuv_error_copy_text(shown, sizeof(shown), why.text, strlen(why.text));
		cuv_error_set(err, CUV_E_BAD_JSON, "the body is not JSON that can be read: %s (line %d, column %d)",
			      shown, CUV_MAX(why.line, 1), CUV_MAX(why.column, 0));
	}
	return body;
}

json_t *cuv_dialect_receive(struct cuv_http *h, struct cuv_charge *charge, size_t max, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(max);

	if (h->head.body == CUV_BODY_NONE) {
		cuv_error_set(err, CUV_E_LENGTH_REQUIRED, "send a JSON body, with Content-Length or chunked encoding");
		return NULL;
	}
	if (cuv_http_read_text(h, charge, &text, err) < 0)
		return NULL;
	return cuv_dialect_parse(cuv_buf_str(&text), text.len, err);
}

void cuv_dialect_spec(enum cuv_profile which, struct cuv_job_spec *ret)
{
	const struct cuv_profile_limits *p = cuv_profile_limits(which);

	*ret = (struct cuv_job_spec){.env_source = CUV_ENV_REQUIREMENTS,
				     .requirements = "",
				     .stdin_data = "",
				     .resolve_ms = RESOLVE_MS,
				     .build_ms = BUILD_MS,
				     .queue_ms = QUEUE_MS};
	cuv_limits_default(&ret->limits);
	ret->limits.value[CUV_LIMIT_WALL] = p->wall_ms;
	ret->limits.value[CUV_LIMIT_MEMORY] = p->memory_bytes;
	ret->limits.value[CUV_LIMIT_CPUS] = p->cpus_milli;
	ret->limits.value[CUV_LIMIT_STDOUT] = ret->limits.value[CUV_LIMIT_STDERR] = p->output_bytes;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n\f\v", text[i]) || text[i] == '\0')
			return false;
	return true;
}

int cuv_dialect_code(const json_t *body, const char *name, const char *blank, struct cuv_job_spec *ret,
		     struct cuv_error *err)
{
	const json_t *code = json_object_get(body, name);

	if (!json_is_string(code))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`%s` %s: it is the program, a string", name,
				     code ? "is not a string" : "is missing");
	ret->code = json_string_value(code);
	ret->code_len = json_string_length(code);
	if (is_blank(ret->code, ret->code_len))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s", blank);
	if (ret->code_len > CUV_CODE_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "`%s` has %zu bytes, at most %llu are taken", name,
				     ret->code_len, CUV_CODE_BYTES_MAX);
	return 0;
}

int cuv_dialect_timeout(const json_t *body, enum cuv_profile which, bool whole, struct cuv_job_spec *ret,
			struct cuv_error *err)
{
	const json_t *value = json_object_get(body, "timeout");
	const double most = cuv_profile_limits(which)->wall_max_ms / 1000.0, s = json_number_value(value);

	if (!value)
		return 0;
	if (!json_is_number(value) || s < (whole ? 1.0 : 0.001) || s > most || (whole && s > (double)(int)s))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`timeout` must be a%s number of seconds %s %g",
				     whole ? " whole" : "", whole ? "from 1 to" : "above 0, up to", most);
	ret->limits.value[CUV_LIMIT_WALL] = (uint64_t)(s * 1000 + 0.5);
	return 0;
}

int cuv_dialect_string(const json_t *body, const char *name, const json_t **ret, struct cuv_error *err)
{
	const json_t *value = json_object_get(body, name);

	*ret = json_is_null(value) ? NULL : value;
	if (*ret && !json_is_string(*ret))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "`%s` must be a string", name);
	return 0;
}

void cuv_dialect_end(struct cuv_http *h, int r, const struct cuv_error *err)
{
	if (r < 0 && err->code == CUV_E_CANCELLED)
		h->code = err->code;
	else if (r < 0)
		cuv_http_reply_error(h, err, NULL);
}

json_t *cuv_dialect_seconds(uint64_t ns)
{
	return json_real((double)(ns / 1000) / 1e6);
}
