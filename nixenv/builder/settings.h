/* SPDX-License-Identifier: MIT */
/*
 * What the resolver and the downloads take over from whoever started the service:
 * by name, and nothing else. Read once, before privileges are dropped, so that
 * files only that user can read are read too.
 *
 * - Indexes: the resolver's own variables and its user-level configuration file
 *   (UV_CONFIG_FILE, else ~/.config/uv/uv.toml, else /etc/uv/uv.toml). Beside
 *   them CUVETTE_INDEXES: more that requirements may name (indexes.h); and
 *   CUVETTE_PUBLIC_INDEXES: those whose packages may be given to others (public.h).
 * - Certificates: SSL_CERT_FILE (or PIP_CERT) and SSL_CERT_DIR, as one text.
 * - Proxies: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, also in lower case.
 * - Credentials: in the indexes' addresses, UV_INDEX_<NAME>_USERNAME and _PASSWORD,
 *   and the netrc file (NETRC, else ~/.netrc); access.h says who gets them. They
 *   are told to uv and libcurl only, never to Nix or to what it builds.
 */
#ifndef CUV_BUILDER_SETTINGS_H
#define CUV_BUILDER_SETTINGS_H

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/strv.h"
#include "nixenv/builder/access.h"

#include <limits.h>

#define CUV_CA_BYTES_MAX (8u * 1024u * 1024u)
#define CUV_UV_CONFIG_BYTES_MAX (256u * 1024u)
#define CUV_NETRC_BYTES_MAX (64u * 1024u)

struct cuv_settings {
	struct cuv_strv env;	  /* "NAME=value" for the resolver */
	struct cuv_buf ca;	  /* PEM; empty: the programs' own defaults */
	char bundle[PATH_MAX];	  /* what libcurl trusts, as one file; "": its own defaults, and ca */
	struct cuv_buf uv_config; /* TOML; empty: none */
	struct cuv_buf netrc;	  /* empty: none */
	struct cuv_access access;
	struct cuv_sha256 indexes; /* over all that says where packages come from */
};

/* From the process's environment. 0, -ENOMEM; files that can't be read are left
 * out, except one that UV_CONFIG_FILE names (-errno). */
int cuv_settings_read(struct cuv_settings *ret);
void cuv_settings_done(struct cuv_settings *s);

/* Writes the bundle into a folder, where one is needed: ca, and what libcurl trusts by
 * itself. It reads a file once for all connections at a time, and what is given to it in
 * another way for each of them, which takes it 30 to 60 ms. Nothing is lost when that fails. */
void cuv_settings_write_bundle(struct cuv_settings *s, const char *folder);

/* The operator said that there is no network (UV_OFFLINE): the resolver reads its
 * cache, and nothing is fetched. */
bool cuv_settings_offline(const struct cuv_settings *s);

#endif
