/* SPDX-License-Identifier: MIT */
/*
 * What a request's head says, checked before anything is done with it. Here two
 * readers of the same bytes must not come to different results: repeated or
 * contradicting framing headers, folded lines and odd characters are refused
 * instead of being interpreted.
 */
#ifndef CUV_HTTP_HEAD_H
#define CUV_HTTP_HEAD_H

#include "lib/base/error.h"

#include <civetweb.h>

#define CUV_HTTP_HEAD_MAX 16380 /* bytes of request line and headers */
#define CUV_HTTP_PATH_SIZE 1024

enum cuv_http_body { CUV_BODY_NONE = 1, CUV_BODY_LENGTH, CUV_BODY_CHUNKED };

/* Pointers are borrowed from civetweb, for the time of the request. */
struct cuv_http_head {
	const char *method;
	bool is_head; /* HEAD: handled as GET, answered without a body */
	char path[CUV_HTTP_PATH_SIZE];
	enum cuv_http_body body;
	uint64_t length; /* with CUV_BODY_LENGTH */
	bool expect_continue;
	bool keep_alive;	  /* the client would */
	const char *content_type; /* NULL: none */
	const char *accept;
	const char *api_key; /* X-API-Key, or the token of Authorization: Bearer */
	const char *basic;   /* what follows Authorization: Basic */
	const char *origin;
	const char *host;
	const char *last_event_id;
	const char *range;
	const char *if_range;
};

/* 0, or -EINVAL with err set (BAD_REQUEST); *ret is filled in as far as it was
 * understood in either case. */
int cuv_http_head_read(const struct mg_request_info *info, struct cuv_http_head *ret, struct cuv_error *err);

/* True for an Origin that is this machine's (localhost, a loopback address), whatever the
 * port, and for an address that is also the one in Host: then it is our own page's, and no
 * name that could be led elsewhere. */
bool cuv_http_origin_is_local(const char *origin, const char *host);

/* Decodes %xx once into ret; -EINVAL for a bad escape, a NUL, bytes that are
 * not UTF-8, or no room. */
int cuv_http_decode_path(const char *raw, char *ret, size_t size);

/* A Range header's one range of size bytes. 1 with what it says; 0 when there is none
 * that is to be heeded; -1 when nothing is in it. */
int cuv_http_range(const char *text, uint64_t size, uint64_t *ret_first, uint64_t *ret_len);

#endif
