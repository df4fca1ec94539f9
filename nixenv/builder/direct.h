/* SPDX-License-Identifier: MIT */
/*
 * Wheels at addresses of users' (`name @ https://host/name-1.0-py3-none-any.whl`).
 * They are fetched by us before anything is resolved, and pinned by their hash. The
 * resolver sees no address: it is given `name==1.0` and a folder that has the wheel.
 *
 * It is offered in a folder, not by `name @ file:…`, on purpose: to what is required
 * directly uv grants addresses in its metadata too, and would follow them, wherever
 * they lead; of what it takes from an index or a folder it refuses them. That the
 * index may have the same version is no matter: only the wheel's hash is accepted.
 */
#ifndef CUV_BUILDER_DIRECT_H
#define CUV_BUILDER_DIRECT_H

#include "nixenv/builder/download.h"
#include "nixenv/builder/sdist_record.h"
#include "nixenv/lock.h"
#include "nixenv/python.h"
#include "nixenv/requirements.h"

#define CUV_DIRECT_MAX 32	    /* wheels of one file */
#define CUV_DIRECT_FOLDER "/direct" /* in the resolver's root */

struct cuv_direct_wheel {
	size_t item; /* of the requirements */
	char *file;  /* owned; the wheel's name */
	char *path;  /* owned; below the folder */
	char *what;  /* owned; for messages */
	struct cuv_sha256 sha256;
	uint64_t size_bytes;
	char commit[65]; /* it was built from this one of a repository; "": not built */
};

struct cuv_directs {
	struct cuv_direct_wheel *items;
	size_t n;
	char *folder; /* owned; what the resolver sees as CUV_DIRECT_FOLDER */
};
#define CUV_DIRECTS_INIT ((struct cuv_directs){0})
void cuv_directs_done(struct cuv_directs *d);

/* Fetches all of them whose markers hold into <work>/direct/<sha256>/<file>; none are an empty list. 0;
 * -EINVAL with err, whose line counts in the canonical text: ADDRESS_REFUSED,
 * URL_UNAVAILABLE, HASH_MISMATCH, WHEEL_UNAVAILABLE (not for this platform),
 * ENVIRONMENT_TOO_LARGE, or as cuv_download_all. */
int cuv_directs_fetch(const struct cuv_requirements *reqs, const struct cuv_python *python, const char *work,
		      const struct cuv_download_options *o, struct cuv_directs *ret, struct cuv_error *err);

/* Adds a wheel that the store has, built from a commit of the repository that a
 * requirement names; path is its file. 0, or -EINVAL with err. */
int cuv_directs_add_built(const struct cuv_requirements *reqs, size_t item, const struct cuv_sdist_wheel *wheel,
			  const char *path, const char *commit, struct cuv_directs *d, struct cuv_error *err);

/* Gives the requirements the hashes of their wheels, in place of those that they list:
 * whatever the index has, only these are taken. 0, or -EINVAL with err. */
int cuv_directs_pin(struct cuv_requirements *reqs, const struct cuv_directs *d, struct cuv_error *err);

/* Gives an error the place of a requirement; returns -EINVAL. */
int cuv_directs_at_line(const struct cuv_requirements *reqs, size_t item, struct cuv_error *err);

/* The canonical text with versions in place of addresses, line for line; a line with an
 * address that does not count here is empty. */
int cuv_directs_text(const struct cuv_requirements *reqs, const struct cuv_directs *d, struct cuv_buf *out);

/* Gives the lock's packages that came out of the folder their origin and address. 0;
 * -EINVAL with err. */
int cuv_directs_mark(const struct cuv_requirements *reqs, const struct cuv_directs *d, struct cuv_lock *l,
		     struct cuv_error *err);

/* The wheel with this hash, NULL when it is none of these. Borrowed. */
const struct cuv_direct_wheel *cuv_directs_find(const struct cuv_directs *d, const struct cuv_sha256 *sha256);

#endif
