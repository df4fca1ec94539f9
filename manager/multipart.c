/* SPDX-License-Identifier: MIT */
/*
 * The delimiter is CR LF - - boundary, and CR can stand only at its beginning.
 * So a byte that does not continue a started delimiter proves all held-back
 * bytes to be content, and only a CR can start the next one: no backtracking,
 * at most 75 bytes are ever held back, and those are known without being kept.
 *
 * A part's content may be wholly absent: then the CR LF that ends its headers
 * is the delimiter's too. `borrowed` counts such bytes, which are never content.
 */
#include "manager/multipart.h"

#include "manager/part_header.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_boundary_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c != '\0' && strchr("'()+_,-./:=? ", c) != NULL);
}

static int check_boundary(const char *b, size_t len, struct cuv_error *err)
{
	size_t i;

	if (len == 0 || len > CUV_BOUNDARY_MAX || b[len - 1] == ' ')
		return cuv_error_set(err, CUV_E_BAD_MULTIPART,
				     "the boundary in Content-Type must be 1 to 70 characters and not end in a blank");
	for (i = 0; i < len; i++)
		if (!is_boundary_char(b[i]))
			return cuv_error_set(
				err, CUV_E_BAD_MULTIPART,
				"the boundary in Content-Type has a character that RFC 2046 does not allow");
	return 0;
}

int cuv_multipart_boundary(const char *content_type, char ret[CUV_BOUNDARY_MAX + 1], struct cuv_error *err)
{
	static const char type[] = "multipart/form-data";
	struct cuv_params p = {.at = content_type, .end = content_type + strlen(content_type)};
	char found[CUV_BOUNDARY_MAX + 2] = "";
	size_t found_len = 0;
	bool seen = false;
	int r;

	while (*p.at == ' ' || *p.at == '\t')
		p.at++;
	if (strncasecmp(p.at, type, sizeof(type) - 1) != 0 ||
	    (p.at[sizeof(type) - 1] && !strchr("; \t", p.at[sizeof(type) - 1])))
		return cuv_error_set(err, CUV_E_UNSUPPORTED_MEDIA_TYPE,
				     "the body must be multipart/form-data (Content-Type says otherwise)");
	p.at += sizeof(type) - 1;
	for (;;) {
		char key[32], value[128];
		size_t len;

		r = cuv_params_next(&p, key, sizeof(key), value, sizeof(value), &len);
		if (r < 0)
			return cuv_error_set(err, CUV_E_BAD_MULTIPART, "Content-Type is not well-formed");
		if (r == 0)
			break;
		if (strcmp(key, "boundary") != 0)
			continue;
		if (seen)
			return cuv_error_set(err, CUV_E_BAD_MULTIPART, "Content-Type has two boundaries");
		r = check_boundary(value, len, err);
		if (r < 0)
			return r;
		memcpy(found, value, len + 1);
		found_len = len;
		seen = true;
	}
	if (!seen)
		return cuv_error_set(err, CUV_E_BAD_MULTIPART, "Content-Type has no boundary");
	memcpy(ret, found, found_len + 1);
	return 0;
}

void cuv_multipart_init(struct cuv_multipart *m, const char *boundary, const struct cuv_multipart_sink *sink)
{
	size_t len = strlen(boundary);

	cuv_assert(len > 0 && len <= CUV_BOUNDARY_MAX);
	*m = (struct cuv_multipart){.sink = *sink, .state = CUV_MULTIPART_START};
	memcpy(m->delimiter, "\r\n--", 4);
	memcpy(m->delimiter + 4, boundary, len);
	m->delimiter_len = len + 4;
	m->matched = 2; /* the first boundary has no line end before it */
	cuv_buf_init(&m->line, CUV_PART_LINE_MAX);
}

void cuv_multipart_done(struct cuv_multipart *m)
{
	cuv_buf_done(&m->line);
}

static int bad(struct cuv_error *err, const char *what)
{
	return cuv_error_set(err, CUV_E_BAD_MULTIPART, "%s", what);
}

static int push_start(struct cuv_multipart *m, char c, struct cuv_error *err)
{
	if (c != m->delimiter[m->matched])
		return bad(err, "the body does not begin with the boundary that Content-Type names");
	if (++m->matched == m->delimiter_len) {
		m->state = CUV_MULTIPART_AFTER;
		m->after_len = 0;
	}
	return 0;
}

static int push_after(struct cuv_multipart *m, char c, struct cuv_error *err)
{
	m->after[m->after_len++] = c;
	if (m->after_len < 2)
		return c == '\r' || c == '-' ? 0 : bad(err, "a boundary is followed by other bytes on its line");
	if (memcmp(m->after, "--", 2) == 0) {
		m->state = CUV_MULTIPART_EPILOGUE;
		return 0;
	}
	if (memcmp(m->after, "\r\n", 2) != 0)
		return bad(err, "a boundary is followed by other bytes on its line");
	if (++m->n_parts > CUV_PARTS_MAX)
		return cuv_error_set(err, CUV_E_BAD_MULTIPART, "the body has more than %d parts", CUV_PARTS_MAX);
	m->state = CUV_MULTIPART_HEADERS;
	m->part = (struct cuv_part){0};
	m->has_disposition = false;
	m->headers_bytes = 0;
	cuv_buf_reset(&m->line);
	return 0;
}

/* A whole header line is in m->line, its CR still at the end. */
static int end_of_line(struct cuv_multipart *m, struct cuv_error *err)
{
	size_t len = m->line.len - 1;
	int r;

	if (len > 0) {
		if (m->line.data[0] == ' ' || m->line.data[0] == '\t')
			return bad(err, "a header of a part is folded over two lines");
		r = cuv_part_header_line(m->line.data, len, &m->part, &m->has_disposition, err);
		cuv_buf_reset(&m->line);
		return r;
	}
	if (!m->has_disposition)
		return bad(err, "a part has no Content-Disposition header");
	cuv_buf_reset(&m->line);
	m->state = CUV_MULTIPART_CONTENT;
	m->matched = m->borrowed = 2;
	return m->sink.begin(m->sink.arg, &m->part, err);
}

static int push_header(struct cuv_multipart *m, char c, struct cuv_error *err)
{
	bool after_cr = m->line.len > 0 && m->line.data[m->line.len - 1] == '\r';

	if (++m->headers_bytes > CUV_PART_HEADERS_MAX)
		return cuv_error_set(err, CUV_E_BAD_MULTIPART, "the headers of a part are larger than %d bytes",
				     CUV_PART_HEADERS_MAX);
	if (after_cr && c == '\n')
		return end_of_line(m, err);
	if (after_cr || c == '\n' || c == '\0')
		return bad(err, "a header of a part has a bare CR, a bare LF or a NUL byte");
	if (cuv_buf_add_char(&m->line, c) == -E2BIG)
		return cuv_error_set(err, CUV_E_BAD_MULTIPART, "a header line of a part is longer than %d bytes",
				     CUV_PART_LINE_MAX);
	if (cuv_buf_err(&m->line) < 0)
		return cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request");
	return 0;
}

/* The held-back bytes were content after all. */
static int flush_matched(struct cuv_multipart *m, struct cuv_error *err)
{
	size_t from = m->borrowed, len = m->matched - from;

	m->matched = m->borrowed = 0;
	return len ? m->sink.data(m->sink.arg, m->delimiter + from, len, err) : 0;
}

/* Takes bytes of a part's content; *ret_used tells how many. */
static int push_content(struct cuv_multipart *m, const char *data, size_t len, size_t *ret_used, struct cuv_error *err)
{
	const char *cr;
	int r;

	*ret_used = 1;
	if (m->matched > 0) {
		if (*data != m->delimiter[m->matched]) {
			*ret_used = 0;
			return flush_matched(m, err);
		}
		if (++m->matched < m->delimiter_len)
			return 0;
		m->matched = m->borrowed = 0;
		m->state = CUV_MULTIPART_AFTER;
		m->after_len = 0;
		return m->sink.end(m->sink.arg, err);
	}
	cr = memchr(data, '\r', len);
	*ret_used = cr ? (size_t)(cr - data) : len;
	if (*ret_used > 0) {
		r = m->sink.data(m->sink.arg, data, *ret_used, err);
		if (r < 0)
			return r;
	}
	if (cr) {
		m->matched = 1;
		(*ret_used)++;
	}
	return 0;
}

static int push_epilogue(struct cuv_multipart *m, char c, struct cuv_error *err)
{
	if (m->epilogue_len >= 2 || c != "\r\n"[m->epilogue_len])
		return bad(err, "there are bytes after the last boundary");
	m->epilogue_len++;
	return 0;
}

int cuv_multipart_push(struct cuv_multipart *m, const char *data, size_t len, struct cuv_error *err)
{
	int r = 0;

	while (len > 0 && r == 0) {
		size_t used = 1;

		switch (m->state) {
		case CUV_MULTIPART_START:
			r = push_start(m, *data, err);
			break;
		case CUV_MULTIPART_AFTER:
			r = push_after(m, *data, err);
			break;
		case CUV_MULTIPART_HEADERS:
			r = push_header(m, *data, err);
			break;
		case CUV_MULTIPART_CONTENT:
			r = push_content(m, data, len, &used, err);
			break;
		case CUV_MULTIPART_EPILOGUE:
			r = push_epilogue(m, *data, err);
			break;
		case CUV_MULTIPART_FAILED:
		default:
			r = bad(err, "the multipart body was refused before");
			break;
		}
		data += used;
		len -= used;
	}
	if (r < 0)
		m->state = CUV_MULTIPART_FAILED;
	return r;
}

int cuv_multipart_finish(struct cuv_multipart *m, struct cuv_error *err)
{
	switch (m->state) {
	case CUV_MULTIPART_EPILOGUE:
		if (m->epilogue_len != 1)
			return 0;
		return bad(err, "the body ends in the middle of its last line end");
	case CUV_MULTIPART_START:
		return bad(err, "the body ends before its first boundary");
	case CUV_MULTIPART_HEADERS:
		return bad(err, "the body ends in the headers of a part");
	case CUV_MULTIPART_AFTER:
	case CUV_MULTIPART_CONTENT:
		return bad(err, "the body ends before the last boundary (`--boundary--`)");
	case CUV_MULTIPART_FAILED:
	default:
		return bad(err, "the multipart body was refused before");
	}
}
