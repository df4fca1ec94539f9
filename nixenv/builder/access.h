/* SPDX-License-Identifier: MIT */
/*
 * Whom the operator trusts, and who gets which credentials.
 *
 * The origins of the configured indexes (uv's variables and its configuration
 * file), those listed in CUVETTE_INDEXES for who names them in requirements, and those
 * in CUVETTE_TRUSTED_ORIGINS, are trusted by name: they may be at any address. Credentials belong to an origin: those
 * in an index's address, or UV_INDEX_<NAME>_USERNAME and _PASSWORD of a named one; netrc's are used for these origins
 * only.
 */
#ifndef CUV_BUILDER_ACCESS_H
#define CUV_BUILDER_ACCESS_H

#include "nixenv/builder/url.h"

#define CUV_ACCESS_ORIGINS_MAX 64

struct cuv_place {
	struct cuv_url url; /* user and password are those to send, or NULL */
	bool listed;	    /* by CUVETTE_TRUSTED_ORIGINS: for users' addresses too */
	bool cache;	    /* a binary cache's, no index's (caches.h) */
	bool standard;	    /* the default index that the operator has configured */
	char *index;	    /* owned; "name=address" or the address, as the operator wrote it; NULL: no index */
};

struct cuv_access {
	struct cuv_place *places;
	size_t n;
	bool unknown; /* there are more, of which nothing is known here */
	/* CUVETTE_PUBLIC_INDEXES: what anybody may have. Nothing may be reached because it is here. */
	struct cuv_url *open;
	size_t n_open;
};

/* From the process's environment and the text of uv's configuration file, which
 * may be empty. 0, -ENOMEM; -EINVAL with *ret_line when that file can't be read
 * (what the environment says is there all the same); what is no http address is
 * left out. */
int cuv_access_read(const char *uv_config, size_t len, struct cuv_access *ret, uint32_t *ret_line);
void cuv_access_done(struct cuv_access *a);
/* One more, with the credentials in its address. 0 or -ENOMEM. */
int cuv_access_add_cache(struct cuv_access *a, const char *address);

/* The index at this address, as the operator wrote it; NULL when there is none on the
 * list. Final slashes don't count. Borrowed. */
const char *cuv_access_index(const struct cuv_access *a, const struct cuv_url *u);
/* Whether the operator calls the index at this address public. Final slashes don't count. */
bool cuv_access_open(const struct cuv_access *a, const struct cuv_url *u);
/* Whether an origin is the operator's own. */
bool cuv_access_has(const struct cuv_access *a, const struct cuv_site *o);
/* Whether users' addresses may name it, wherever it is and by http too. */
bool cuv_access_listed(const struct cuv_access *a, const struct cuv_site *o);
/* The place whose credentials are to be sent to this address, NULL when there is
 * none; of several on one origin the one whose path is nearest. Borrowed. */
const struct cuv_place *cuv_access_credentials(const struct cuv_access *a, const struct cuv_url *u);

#endif
