/* SPDX-License-Identifier: MIT */
#include "manager/http_head.h"

#include "lib/base/hash.h"
#include "lib/base/parse.h"
#include "lib/base/utf8.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int bad(struct cuv_error *err, const char *what)
{
	return cuv_error_set(err, CUV_E_BAD_REQUEST, "%s", what);
}

/* The only header of this name; *ret_n tells how many there are. */
static const char *header(const struct mg_request_info *info, const char *name, size_t *ret_n)
{
	const char *value = NULL;
	int i;

	*ret_n = 0;
	for (i = 0; i < info->num_headers; i++) {
		if (strcasecmp(info->http_headers[i].name, name) != 0)
			continue;
		if ((*ret_n)++ == 0)
			value = info->http_headers[i].value;
	}
	return value;
}

static const char *only_header(const struct mg_request_info *info, const char *name)
{
	size_t n;
	const char *value = header(info, name, &n);

	return n == 1 ? value : NULL;
}

/*
 * civetweb stops reading headers at a line that it does not understand (a
 * folded one, for instance) and drops the rest without a word; a Content-Length
 * among them would be ours to miss. It parses in place: each line end becomes
 * two NUL bytes, and the last NUL of the head overwrites the LF of the empty
 * line. So a head that was read to its end shows NUL NUL CR NUL behind the last
 * value. (Its buffer is CUV_HTTP_HEAD_MAX bytes; the allocator rounds that up
 * to a multiple of 16 less 8, so the four bytes are there for any head.)
 */
static bool head_was_read_whole(const struct mg_request_info *info)
{
	const char *end = info->num_headers > 0 ? info->http_headers[info->num_headers - 1].value : info->http_version;
	/* Behind the request line all blanks are made NUL. */
	char cr = info->num_headers > 0 ? '\r' : '\0';

	end += strlen(end);
	return end[1] == '\0' && end[2] == cr && end[3] == '\0';
}

static int check_headers(const struct mg_request_info *info, struct cuv_error *err)
{
	int i;

	if (info->num_headers >= MG_MAX_HEADERS)
		return bad(err, "the request has too many headers");
	if (!head_was_read_whole(info))
		return bad(err, "the request's header lines must be `Name: value`, end in CRLF and not be folded");
	for (i = 0; i < info->num_headers; i++) {
		const unsigned char *c;

		for (c = (const unsigned char *)info->http_headers[i].value; *c; c++)
			if ((*c < 0x20 && *c != '\t') || *c == 0x7f)
				return bad(err, "a header of the request has a control character");
	}
	return 0;
}

static int read_body_kind(const struct mg_request_info *info, bool is_1_1, struct cuv_http_head *h,
			  struct cuv_error *err)
{
	size_t n_lengths, n_encodings;
	const char *length = header(info, "Content-Length", &n_lengths);
	const char *encoding = header(info, "Transfer-Encoding", &n_encodings);

	if (n_lengths > 1)
		return bad(err, "the request has more than one Content-Length");
	if (n_encodings > 0 && n_lengths > 0)
		return bad(err, "the request has both Content-Length and Transfer-Encoding");
	if (n_encodings > 0) {
		if (n_encodings > 1 || strcasecmp(encoding, "chunked") != 0 || !is_1_1)
			return bad(err, "the only Transfer-Encoding served is one `chunked`, in HTTP/1.1");
		h->body = CUV_BODY_CHUNKED;
	} else if (n_lengths == 1) {
		if (cuv_parse_u64(length, INT64_MAX, &h->length) < 0)
			return bad(err, "the request's Content-Length is not a number");
		h->body = CUV_BODY_LENGTH;
	}
	return 0;
}

static int read_host(const struct mg_request_info *info, bool is_1_1, struct cuv_error *err)
{
	size_t n;
	const char *host = header(info, "Host", &n);

	if (n > 1)
		return bad(err, "the request has more than one Host header");
	if (n == 0)
		return is_1_1 ? bad(err, "an HTTP/1.1 request needs a Host header") : 0;
	if (strpbrk(host, " \t/@?#"))
		return bad(err, "the request's Host header is not a host");
	return 0;
}

static bool has_option(const char *list, const char *option)
{
	size_t len = strlen(option);

	while (*list) {
		size_t n;

		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n == len && strncasecmp(list, option, n) == 0)
			return true;
		list += n;
	}
	return false;
}

static bool wants_keep_alive(const struct mg_request_info *info, bool is_1_1)
{
	size_t n;
	const char *connection = header(info, "Connection", &n);

	if (n > 1)
		return false;
	return connection ? has_option(connection, "keep-alive") : is_1_1;
}

int cuv_http_decode_path(const char *raw, char *ret, size_t size)
{
	size_t len = 0;

	for (; *raw; raw++) {
		char c = *raw;

		if (c == '%') {
			char digits[3] = {raw[1], raw[1] ? raw[2] : '\0', '\0'};

			if (cuv_unhex(digits, 1, &c) < 0 || c == '\0')
				return -EINVAL;
			raw += 2;
		}
		if (len + 1 >= size)
			return -EINVAL;
		ret[len++] = c;
	}
	ret[len] = '\0';
	return cuv_utf8_valid(ret, len) ? 0 : -EINVAL;
}

/* What Authorization says after this scheme, "Bearer " for instance. */
static const char *credentials(const struct mg_request_info *info, const char *scheme)
{
	const char *value = only_header(info, "Authorization");
	size_t len = strlen(scheme);

	if (!value || strncasecmp(value, scheme, len) != 0)
		return NULL;
	return value + len + strspn(value + len, " ");
}

int cuv_http_head_read(const struct mg_request_info *info, struct cuv_http_head *ret, struct cuv_error *err)
{
	bool is_1_1 = strcmp(info->http_version, "1.1") == 0;
	const char *expect, *uri = info->local_uri_raw;
	int r;

	*ret = (struct cuv_http_head){.method = info->request_method, .body = CUV_BODY_NONE};
	ret->is_head = strcmp(ret->method, "HEAD") == 0;
	if (!uri || cuv_http_decode_path(uri, ret->path, sizeof(ret->path)) < 0) {
		ret->path[0] = '\0';
		return bad(err, "the request's path is too long or not percent-encoded UTF-8");
	}
	r = check_headers(info, err);
	if (r == 0)
		r = read_host(info, is_1_1, err);
	if (r == 0)
		r = read_body_kind(info, is_1_1, ret, err);
	if (r < 0)
		return r;
	expect = only_header(info, "Expect");
	ret->expect_continue = expect && is_1_1 && strcasecmp(expect, "100-continue") == 0;
	/* civetweb's chunk reader is lenient; nothing may follow on that connection. */
	ret->keep_alive = ret->body != CUV_BODY_CHUNKED && wants_keep_alive(info, is_1_1);
	ret->content_type = only_header(info, "Content-Type");
	ret->accept = only_header(info, "Accept");
	ret->origin = only_header(info, "Origin");
	ret->host = only_header(info, "Host");
	ret->api_key = only_header(info, "X-API-Key");
	if (!ret->api_key)
		ret->api_key = credentials(info, "Bearer ");
	ret->basic = credentials(info, "Basic ");
	ret->last_event_id = only_header(info, "Last-Event-ID");
	ret->range = only_header(info, "Range");
	ret->if_range = only_header(info, "If-Range");
	return 0;
}

/* The host of "scheme://host:port", without the brackets of an IPv6 address. */
static bool origin_host(const char *at, size_t size, char *ret)
{
	const bool bracketed = *at == '[';
	const size_t len = strcspn(at + bracketed, bracketed ? "]" : ":/");

	if (len == 0 || len >= size || (bracketed && at[1 + len] != ']'))
		return false;
	memcpy(ret, at + bracketed, len);
	ret[len] = '\0';
	return true;
}

bool cuv_http_origin_is_local(const char *origin, const char *host)
{
	const char *at = strstr(origin, "://");
	char name[INET6_ADDRSTRLEN + 1];
	struct in_addr v4;
	struct in6_addr v6;

	if (!at || !origin_host(at + 3, sizeof(name), name))
		return false;
	at += 3;
	if (strcasecmp(name, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, name, &v4) == 1) {
		if (ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET)
			return true;
	} else if (*at != '[' || inet_pton(AF_INET6, name, &v6) != 1) {
		return false;
	} else if (IN6_IS_ADDR_LOOPBACK(&v6)) {
		return true;
	}
	return host && strcmp(at, host) == 0;
}

/* "bytes=5-9", "bytes=5-" or "bytes=-5". */
int cuv_http_range(const char *text, uint64_t size, uint64_t *ret_first, uint64_t *ret_len)
{
	char first[24], last[24];
	uint64_t from = 0, to = UINT64_MAX;
	const char *dash;

	if (!text || strncmp(text, "bytes=", 6) != 0 || strchr(text, ','))
		return 0;
	text += 6;
	dash = strchr(text, '-');
	if (!dash || (size_t)(dash - text) >= sizeof(first) || strlen(dash + 1) >= sizeof(last))
		return 0;
	(void)snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	(void)snprintf(last, sizeof(last), "%s", dash + 1);
	if ((first[0] && cuv_parse_u64(first, UINT64_MAX, &from) < 0) ||
	    (last[0] && cuv_parse_u64(last, UINT64_MAX, &to) < 0) || (!first[0] && !last[0]))
		return 0;
	if (!first[0]) { /* the last so many */
		from = to < size ? size - to : 0;
		to = to ? UINT64_MAX : 0;
		if (to == 0)
			return -1;
	}
	if (to < from)
		return 0;
	if (from >= size)
		return -1;
	*ret_first = from;
	*ret_len = CUV_MIN(to, size - 1) - from + 1;
	return 1;
}
