/* SPDX-License-Identifier: MIT */
/*
 * A lock: the exact wheels of an environment. Its canonical form is compact JSON
 * with sorted keys and packages sorted by name,
 *
 *   {"format":1,"packages":[{"file":…,"name":…,"sha256":…,"version":…},…],
 *    "platform":"x86_64-linux","python":"3.11"}
 *
 * (one line), and its SHA-256 is the lock's digest. Where a wheel is fetched from
 * and how large it is are kept beside it, but are no part of it: the hash says
 * which bytes are meant, mirrors change, and not every index tells sizes, so that
 * one lock would have two digests.
 *
 * Invariants of a lock that these functions return: names are normalised and
 * sorted, each once; every file is a wheel name of that package and version that
 * fits the platform, and can stand in a store path; n <= CUV_PACKAGES_MAX.
 */
#ifndef CUV_LOCK_H
#define CUV_LOCK_H

#include "lib/base/error.h"
#include "lib/base/hash.h"
#include "lib/proto/messages.h"

#define CUV_PLATFORM "x86_64-linux"
#define CUV_LOCK_BYTES_MAX (256u * 1024u)
#define CUV_WHEEL_BYTES_MAX (2ull * CUV_GIB)
#define CUV_CLOSURE_BYTES_MAX (4ull * CUV_GIB) /* sum of a lock's wheels */

struct cuv_locked {
	char *name;
	char *version;
	char *file; /* the wheel's file name */
	char *url;  /* NULL when not known */
	struct cuv_sha256 sha256;
	uint64_t size_bytes; /* 0 when not known */
};

struct cuv_lock {
	char python[16]; /* "3.11" */
	struct cuv_locked *packages;
	size_t n;
};
#define CUV_LOCK_INIT ((struct cuv_lock){0})
void cuv_lock_done(struct cuv_lock *l);
#define _cleanup_lock_ _cleanup_(cuv_lock_done)

/* Appends a package with copies of the strings; 0 or -ENOMEM, -E2BIG at
 * CUV_PACKAGES_MAX. The invariants hold after cuv_lock_seal. */
int cuv_lock_add(struct cuv_lock *l, const char *name, const char *version, const char *file, const char *url,
		 const struct cuv_sha256 *sha256, uint64_t size_bytes);
/* Sorts and checks all invariants. 0; -EINVAL with err: INTERNAL for what no
 * resolver should write, ENVIRONMENT_TOO_LARGE, WHEEL_UNAVAILABLE. */
int cuv_lock_seal(struct cuv_lock *l, struct cuv_error *err);

/* Appends the canonical form; the buffer's error. */
int cuv_lock_canonical(const struct cuv_lock *l, struct cuv_buf *out);
/* The same with each package's "size" and "url", where known. */
int cuv_lock_complete(const struct cuv_lock *l, struct cuv_buf *out);
/* "sha256:<hex>" of the canonical form; ret holds CUV_LOCK_DIGEST_SIZE bytes. */
#define CUV_LOCK_DIGEST_SIZE (7 + CUV_SHA256_HEX_SIZE)
int cuv_lock_digest(const struct cuv_lock *l, char ret[CUV_LOCK_DIGEST_SIZE]);

/* Reads either form of JSON back, and seals it. 0, or -EINVAL with err. */
int cuv_lock_parse(const void *data, size_t len, struct cuv_lock *ret, struct cuv_error *err);

/* The wheel's name in the store: its file name, with '!' (an epoch) as '_'.
 * ret holds CUV_STORE_NAME_SIZE bytes. -EINVAL when it can't be one. */
int cuv_lock_wheel_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE]);
/* "<name>-<version>", the name of its installation in the store, the same way. */
int cuv_lock_install_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE]);

#endif
