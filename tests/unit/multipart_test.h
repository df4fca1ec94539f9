/* SPDX-License-Identifier: MIT */
/* A parser's whole output as text, however the body is cut. */
#ifndef CUV_TESTS_MULTIPART_H
#define CUV_TESTS_MULTIPART_H

#include "manager/multipart.h"
#include "tests/unit/unit.h"

#include <string.h>

#define CRLF "\r\n"
#define PART(disposition, content) "--B" CRLF "Content-Disposition: form-data; " disposition CRLF CRLF content CRLF
#define END "--B--" CRLF
/* a string literal's bytes, NULs included */
#define BYTES(literal) (literal), sizeof(literal) - 1

static int transcript_begin(void *arg, const struct cuv_part *part, _unused_ struct cuv_error *err)
{
	return cuv_buf_addf(arg, "[%s%s%s]", part->name, part->has_filename ? "|" : "", part->filename);
}

static int transcript_data(void *arg, const char *data, size_t len, _unused_ struct cuv_error *err)
{
	return cuv_buf_add(arg, data, len);
}

static int transcript_end(void *arg, _unused_ struct cuv_error *err)
{
	return cuv_buf_add_str(arg, "[/]");
}

/* Parses in two pieces, cut at `cut`; the parser's result, the text in *out. */
static inline int transcribe(const char *body, size_t len, size_t cut, struct cuv_buf *out, struct cuv_error *err)
{
	struct cuv_multipart_sink sink = {
		.arg = out, .begin = transcript_begin, .data = transcript_data, .end = transcript_end};
	_cleanup_multipart_ struct cuv_multipart m;
	int r;

	cuv_buf_init(out, 1 << 20);
	*err = CUV_ERROR_INIT;
	cuv_multipart_init(&m, "B", &sink);
	r = cuv_multipart_push(&m, body, cut, err);
	if (r == 0)
		r = cuv_multipart_push(&m, body + cut, len - cut, err);
	return r == 0 ? cuv_multipart_finish(&m, err) : r;
}

/* At every cut the same transcript. */
static inline void assert_parsed(const char *body, size_t len, const char *want, size_t want_len)
{
	size_t cut;

	for (cut = 0; cut <= len; cut++) {
		_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(0);
		struct cuv_error err;

		if (transcribe(body, len, cut, &got, &err) != 0)
			fail_msg("cut at %zu: %s", cut, err.message);
		if (got.len != want_len || memcmp(cuv_buf_str(&got), want, want_len) != 0)
			fail_msg("cut at %zu: %s", cut, cuv_buf_str(&got));
	}
}

/* At every cut refused with this code and these words in the message. */
static inline void assert_refused(const char *body, size_t len, enum cuv_error_code code, const char *words)
{
	size_t cut;

	for (cut = 0; cut <= len; cut++) {
		_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(0);
		struct cuv_error err;

		if (transcribe(body, len, cut, &got, &err) == 0)
			fail_msg("cut at %zu: accepted: %s", cut, cuv_buf_str(&got));
		if (err.code != code || !strstr(err.message, words))
			fail_msg("cut at %zu: %s: %s", cut, cuv_error_name(err.code), err.message);
	}
}

#endif
