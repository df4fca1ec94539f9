/* SPDX-License-Identifier: MIT */
/*
 * Addresses of files as libcurl reads them (one parser: the one that fetches), and
 * their origins: scheme, host and port, which trust and credentials hang on.
 */
#ifndef CUV_BUILDER_URL_H
#define CUV_BUILDER_URL_H

#include "lib/base/buf.h"

#define CUV_URL_BYTES_MAX 8192
#define CUV_HOST_SIZE 254

struct cuv_site {
	bool https; /* else http */
	uint16_t port;
	char host[CUV_HOST_SIZE]; /* lower case, no final dot, IPv6 without brackets */
};

/* All owned; user and password are NULL when there are none. */
struct cuv_url {
	struct cuv_site site;
	char *bare; /* the address without credentials and fragment */
	char *path;
	char *user;
	char *password;
};
void cuv_url_done(struct cuv_url *u);
#define _cleanup_url_ _cleanup_(cuv_url_done)

/* 0; -EINVAL for what is no absolute http or https address with a host, or is
 * longer than CUV_URL_BYTES_MAX; -ENOMEM. */
int cuv_url_parse(const char *text, struct cuv_url *ret);

bool cuv_site_same(const struct cuv_site *a, const struct cuv_site *b);

/* Appends text with the credentials of all addresses in it taken out, for logs. */
void cuv_url_scrub(const char *text, size_t len, struct cuv_buf *out);

#endif
