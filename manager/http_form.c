/* SPDX-License-Identifier: MIT */
#include "manager/http_form.h"

#include "manager/http_text.h"
#include "manager/json_form.h"
#include "manager/upload.h"

/* Boundaries and headers around the fields. */
#define BODY_OVERHEAD_BYTES 65536
/* All fields in Base64, and some. */
#define JSON_BYTES_MAX (48 * CUV_MIB)
/* What can be said before the body is read. */
static int check_head(const struct cuv_http *h, char boundary[CUV_BOUNDARY_MAX + 1], struct cuv_error *err)
{
	if (h->head.body == CUV_BODY_NONE)
		return cuv_error_set(err, CUV_E_LENGTH_REQUIRED,
				     "send a multipart/form-data or application/json body with Content-Length or "
				     "chunked encoding");
	if (!h->head.content_type)
		return cuv_error_set(
			err, CUV_E_UNSUPPORTED_MEDIA_TYPE,
			"the body must be multipart/form-data or application/json (Content-Type is missing)");
	boundary[0] = '\0';
	if (cuv_json_form_is_meant(h->head.content_type))
		return 0;
	return cuv_multipart_boundary(h->head.content_type, boundary, err);
}

static int take(void *arg, const char *data, size_t len, struct cuv_error *err)
{
	return cuv_multipart_push(arg, data, len, err);
}

static int receive(struct cuv_http *h, const char *boundary, struct cuv_form *form, struct cuv_error *err)
{
	struct cuv_multipart_sink sink = cuv_form_sink(form);
	_cleanup_multipart_ struct cuv_multipart m;
	int r;

	cuv_multipart_init(&m, boundary, &sink);
	r = cuv_http_read_body(h, CUV_UPLOAD_BYTES_MAX + BODY_OVERHEAD_BYTES, take, &m, err);
	return r == 0 ? cuv_multipart_finish(&m, err) : r;
}

static int receive_json(struct cuv_http *h, struct cuv_form *form, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(JSON_BYTES_MAX);
	int r = cuv_http_read_text(h, form->charge, &text, err);

	return r == 0 ? cuv_json_form_read(cuv_buf_str(&text), text.len, form, err) : r;
}

int cuv_http_read_form(struct cuv_http *h, struct cuv_form *form, struct cuv_error *err)
{
	char boundary[CUV_BOUNDARY_MAX + 1];
	int r = check_head(h, boundary, err);

	if (r < 0)
		return r;
	return boundary[0] ? receive(h, boundary, form, err) : receive_json(h, form, err);
}
