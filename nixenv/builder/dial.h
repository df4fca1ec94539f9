/* SPDX-License-Identifier: MIT */
/*
 * One request over HTTP, and what it may reach.
 *
 * What the operator's index names is trusted, at any address; what it redirects to
 * must be at a public address, unless that is one of the operator's origins
 * (access.h) or where it came from. What a user names must be at a public
 * address, redirects included, unless the operator lists its origin. The check is
 * made on the very address that is connected to, in libcurl's socket callback, so a
 * name that is looked up twice with two answers gains nothing; and connections
 * that were not checked are not used again for requests that must be.
 *
 * Where a proxy stands between, it is the proxy that is connected to. A host that is
 * an address is checked all the same. A user's host name is looked up here, all of
 * its addresses must be public, and the proxy is asked to connect to one of these;
 * where it can't be looked up it is refused. The index's redirects go to the
 * proxy by name: it is the operator's, too.
 *
 * Credentials go to the operator's origins only, and never for users' addresses.
 */
#ifndef CUV_BUILDER_DIAL_H
#define CUV_BUILDER_DIAL_H

#include "lib/base/error.h"
#include "nixenv/builder/settings.h"

#include <curl/curl.h>

enum cuv_source {
	CUV_SOURCE_INDEX = 1, /* an address that the operator's index gave */
	CUV_SOURCE_USER,      /* one that a user wrote */
};

/* One request with its redirects; make it with cuv_dial_open. */
struct cuv_dial {
	const struct cuv_settings *settings; /* borrowed */
	const char *what;		     /* borrowed: "the wheel of six 1.17.0", for messages */
	enum cuv_source source;
	int netrc_fd; /* borrowed: of cuv_dial_netrc; -1 after cuv_dial_open */
	struct cuv_site first;
	struct cuv_url url; /* where it is now */
	unsigned redirects;
	/* Of the request that was set up last: */
	bool check;		       /* the address must be public */
	const char *refused;	       /* static: what an address is that was not dialled */
	struct curl_slist *connect_to; /* owned */
};
void cuv_dial_done(struct cuv_dial *d);

/* 0; -EINVAL with err: ADDRESS_REFUSED (which is also said of addresses that are no
 * http or https, or hold credentials), URL_UNAVAILABLE or INTERNAL. */
int cuv_dial_open(struct cuv_dial *d, const struct cuv_settings *settings, enum cuv_source source, const char *url,
		  const char *what, struct cuv_error *err);

/* A descriptor of the settings' netrc for libcurl to read; the caller's. -1: none. */
int cuv_dial_netrc(const struct cuv_settings *settings);

/* Sets all of a handle's options that say where to and how; the caller's are those
 * about data. d must not move until the handle is gone. 0, or -EINVAL with err. */
int cuv_dial_setup(struct cuv_dial *d, CURL *easy, struct cuv_error *err);

/* After an answer: 1 when it redirects, and d is where it leads to (set up a new
 * handle); 0 when it does not; -EINVAL with err. */
int cuv_dial_follow(struct cuv_dial *d, CURL *easy, struct cuv_error *err);

/* err for a request that failed, ADDRESS_REFUSED, INDEX_UNREACHABLE or
 * URL_UNAVAILABLE; -EINVAL. http is the answer's status, 0 for none. */
int cuv_dial_error(const struct cuv_dial *d, CURLcode code, long http, struct cuv_error *err);

#endif
