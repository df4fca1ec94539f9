/* SPDX-License-Identifier: MIT */
/*
 * Input: a Content-Type, a line feed, a body. The body is parsed whole, byte by
 * byte, and cut at places that depend on the input: all three must say the same
 * to the last byte. Then the form of POST /api/v1/run reads it.
 */
#include "lib/base/hash.h"
#include "manager/multipart.h"
#include "manager/run_request.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPE_MAX 512
#define TRANSCRIPT_MAX (1u << 20)

static int on_begin(void *arg, const struct cuv_part *part, struct cuv_error *err)
{
	(void)err;
	cuv_assert(part->name[0] && strlen(part->name) < sizeof(part->name));
	cuv_assert(part->has_filename || !part->filename[0]);
	return cuv_buf_addf(arg, "[%s|%s|%d]", part->name, part->filename, part->has_filename);
}

static int on_data(void *arg, const char *bytes, size_t len, struct cuv_error *err)
{
	(void)err;
	cuv_assert(len > 0);
	return cuv_buf_add(arg, bytes, len);
}

static int on_end(void *arg, struct cuv_error *err)
{
	(void)err;
	return cuv_buf_add_str(arg, "[end]");
}

/* What the parser said, errors included. step 0: pieces of changing size. */
static void transcribe(const char *boundary, const char *body, size_t len, size_t step, struct cuv_buf *out)
{
	struct cuv_multipart_sink sink = {.arg = out, .begin = on_begin, .data = on_data, .end = on_end};
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_multipart_ struct cuv_multipart m;
	size_t at = 0, seed = len;
	int r = 0;

	cuv_multipart_init(&m, boundary, &sink);
	while (r == 0 && at < len) {
		size_t n = step;

		if (n == 0) {
			seed = seed * 1103515245 + (unsigned char)body[at] + 12345;
			n = 1 + (seed >> 16) % 97;
		}
		n = CUV_MIN(n, len - at);
		r = cuv_multipart_push(&m, body + at, n, &err);
		at += n;
	}
	if (r == 0)
		r = cuv_multipart_finish(&m, &err);
	cuv_assert((r < 0) == (err.code != CUV_E_NONE));
	cuv_buf_addf(out, "[%d %s]", r < 0, err.message);
	cuv_assert(cuv_buf_err(out) == 0);
}

static void read_form(const char *boundary, const char *body, size_t len)
{
	_cleanup_charge_ struct cuv_charge charge = CUV_CHARGE_INIT(NULL);
	_cleanup_run_request_ struct cuv_run_request request = {0};
	_cleanup_form_ struct cuv_form form = {0};
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_multipart_ struct cuv_multipart m;
	struct cuv_multipart_sink sink;
	const struct cuv_field_info *fields;
	size_t n;
	int r;

	fields = cuv_run_fields(&n);
	cuv_form_init(&form, fields, n, CUV_UPLOAD_BYTES_MAX, &charge);
	sink = cuv_form_sink(&form);
	cuv_multipart_init(&m, boundary, &sink);
	r = cuv_multipart_push(&m, body, len, &err);
	if (r == 0)
		r = cuv_multipart_finish(&m, &err);
	if (r == 0)
		r = cuv_run_request_read(&form, 1700000000, &request, &err);
	cuv_assert((r < 0) == (err.code != CUV_E_NONE));
	if (r == 0)
		cuv_assert(cuv_limits_check(&request.spec.limits) < 0 && request.spec.code_len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
	size_t type_len = line ? (size_t)(line - text) : 0, len;
	char type[TYPE_MAX], boundary[CUV_BOUNDARY_MAX + 1];
	_cleanup_buf_ struct cuv_buf whole = CUV_BUF_INIT(TRANSCRIPT_MAX), bytes = CUV_BUF_INIT(TRANSCRIPT_MAX),
				     pieces = CUV_BUF_INIT(TRANSCRIPT_MAX);
	struct cuv_error err = CUV_ERROR_INIT;

	if (!line || type_len >= sizeof(type) || size > TRANSCRIPT_MAX / 4)
		return 0;
	memcpy(type, text, type_len);
	type[type_len] = '\0';
	if (cuv_multipart_boundary(type, boundary, &err) < 0) {
		cuv_assert(err.code != CUV_E_NONE);
		return 0;
	}
	text = line + 1;
	len = size - type_len - 1;
	transcribe(boundary, text, len, len ? len : 1, &whole);
	transcribe(boundary, text, len, 1, &bytes);
	transcribe(boundary, text, len, 0, &pieces);
	cuv_assert(whole.len == bytes.len && memcmp(whole.data, bytes.data, whole.len) == 0);
	cuv_assert(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
	read_form(boundary, text, len);
	return 0;
}
