/* SPDX-License-Identifier: MIT */
/*
 * A lock: the exact wheels of an environment. Its canonical form is compact JSON
 * with sorted keys and packages sorted by name,
 *
 *   {"format":1,"packages":[{"file":…,"name":…,"sha256":…,"version":…},…],
 *    "platform":"x86_64-linux","python":"3.11"}
 *
 * (one line), and its SHA-256 is the lock's digest. Where a wheel comes from, be
 * that an address or a source that it was built from here, and how large it is are
 * kept beside it, in the complete form, but are no part of it: the hash says which
 * bytes are meant, mirrors change, and not every index tells sizes, so that one
 * lock would have two digests.
 *
 * Invariants of a lock that these functions return: names are normalised and
 * sorted, each once; every file is a wheel name of that package and version that
 * fits the platform, and can stand in a store path; n <= CUV_PACKAGES_MAX.
 *
 * A package whose wheel is still to be built has no file (NULL) and the origin
 * BUILT. A lock with such a one is *pending*: it has a complete form, which is how
 * it travels, but no canonical one, no digest and no store path. Its version may be
 * empty where it is from a repository or an archive: building it tells.
 */
#ifndef CUV_LOCK_H
#define CUV_LOCK_H

#include "lib/base/error.h"
#include "lib/base/hash.h"
#include "lib/base/strv.h"
#include "lib/proto/messages.h"

#define CUV_PLATFORM "x86_64-linux"
#define CUV_LOCK_BYTES_MAX (256u * 1024u)	    /* canonical form */
#define CUV_LOCK_COMPLETE_BYTES_MAX (1024u * 1024u) /* complete form */
#define CUV_URL_MAX 2048			    /* longest address of a wheel or a source */
#define CUV_WHEEL_BYTES_MAX (2ull * CUV_GIB)
#define CUV_CLOSURE_BYTES_MAX (4ull * CUV_GIB) /* sum of a lock's wheels */

/* How a wheel comes about; says whose address is held to which rules, and what to
 * do when the store has lost it. X(enum suffix, "name in JSON", "meaning") */
#define CUV_ORIGIN_TABLE(X)                                                                                            \
	X(INDEX, "index", "fetched from a configured index")                                                           \
	X(URL, "url", "fetched from an address that a user named")                                                     \
	X(BUILT, "built", "built here from a source distribution or a repository")                                     \
	X(WHEELHOUSE, "wheelhouse", "a file of whoever runs the builder")
enum cuv_origin_kind {
#define X(suffix, name, text) CUV_ORIGIN_##suffix,
	CUV_ORIGIN_TABLE(X)
#undef X
		_CUV_ORIGIN_MAX,
};

/* Whether building a wheel a second time gave the same bytes.
 * X(enum suffix, "name in JSON") */
#define CUV_REBUILT_TABLE(X)                                                                                           \
	X(UNKNOWN, "unknown")                                                                                          \
	X(SAME, "same")                                                                                                \
	X(DIFFERS, "differs")
enum cuv_rebuilt {
#define X(suffix, name) CUV_REBUILT_##suffix,
	CUV_REBUILT_TABLE(X)
#undef X
		_CUV_REBUILT_MAX,
};
const char *cuv_rebuilt_name(enum cuv_rebuilt r);
/* _CUV_REBUILT_MAX for a name that is none. */
enum cuv_rebuilt cuv_rebuilt_find(const char *name);

/* What a wheel was, or is to be, built from: a source distribution (file and
 * sha256) or a commit of a repository (url and commit). Of other kinds all is unset. */
struct cuv_origin {
	enum cuv_origin_kind kind;
	char *file;		  /* "docopt-0.6.2.tar.gz"; NULL: a repository */
	struct cuv_sha256 sha256; /* of that file; zeros for a repository */
	char *url;		  /* NULL when not known (source distributions only), or in the wheelhouse */
	char *commit;		  /* 40 or 64 hex digits; NULL: a source distribution */
	char *subdirectory;	  /* below its root; NULL: the root */
	bool user_url;		  /* a user named the address, not an index */
	bool wheelhouse;	  /* the file is one of whoever runs the builder */
	int64_t as_of_s;	  /* date of the build requirements, s since 1970; 0: not known */
	enum cuv_rebuilt rebuilt;
};

struct cuv_locked {
	char *name;
	char *version;
	char *file; /* the wheel's file name; NULL: to be built */
	char *url;  /* NULL when not known, built, or in the wheelhouse */
	struct cuv_sha256 sha256;
	uint64_t size_bytes; /* 0 when not known */
	struct cuv_origin origin;
	struct cuv_strv requires; /* of other packages here (nixenv/requires.h) */
	bool requires_known;	  /* else that is empty */
};

struct cuv_lock {
	char python[16]; /* "3.11" */
	struct cuv_locked *packages;
	size_t n;
};
#define CUV_LOCK_INIT ((struct cuv_lock){0})
void cuv_lock_done(struct cuv_lock *l);
#define _cleanup_lock_ _cleanup_(cuv_lock_done)

/* Appends a package of origin INDEX with copies of the strings; 0 or -ENOMEM,
 * -E2BIG at CUV_PACKAGES_MAX. file and sha256 may be NULL, both, for a wheel that
 * is to be built. The invariants hold after cuv_lock_seal. */
int cuv_lock_add(struct cuv_lock *l, const char *name, const char *version, const char *file, const char *url,
		 const struct cuv_sha256 *sha256, uint64_t size_bytes);
/* Replaces a package's origin by a copy of this one; 0 or -ENOMEM. */
int cuv_lock_set_origin(struct cuv_locked *p, const struct cuv_origin *o);
/* The wheel of a package that was to be built; 0 or -ENOMEM. Seal again. */
int cuv_lock_set_wheel(struct cuv_locked *p, const char *file, const struct cuv_sha256 *sha256, uint64_t size_bytes);
/* 0 or -ENOMEM. */
int cuv_lock_set_version(struct cuv_locked *p, const char *version);
/* What an origin's commit and subdirectory may be. */
bool cuv_lock_commit_valid(const char *commit);
bool cuv_lock_subdirectory_valid(const char *path);
/* How many packages' wheels are still to be built. */
size_t cuv_lock_pending(const struct cuv_lock *l);
/* Sorts and checks all invariants. 0; -EINVAL with err: INTERNAL for what no
 * resolver should write, ENVIRONMENT_TOO_LARGE, WHEEL_UNAVAILABLE. */
int cuv_lock_seal(struct cuv_lock *l, struct cuv_error *err);

/* Appends the canonical form; the buffer's error, or -EINVAL for a pending lock. */
int cuv_lock_canonical(const struct cuv_lock *l, struct cuv_buf *out);
/* The same with each package's "size", "url", "origin" and "requires", where known. */
int cuv_lock_complete(const struct cuv_lock *l, struct cuv_buf *out);
/* "sha256:<hex>" of the canonical form; as cuv_lock_canonical. ret holds CUV_LOCK_DIGEST_SIZE bytes. */
#define CUV_LOCK_DIGEST_SIZE (7 + CUV_SHA256_HEX_SIZE)
int cuv_lock_digest(const struct cuv_lock *l, char ret[CUV_LOCK_DIGEST_SIZE]);

/* Reads either form of JSON back, and seals it. 0, or -EINVAL with err. */
int cuv_lock_parse(const void *data, size_t len, struct cuv_lock *ret, struct cuv_error *err);

/* The wheel's name in the store: its file name, with '!' (an epoch) as '_'.
 * ret holds CUV_STORE_NAME_SIZE bytes. -EINVAL when it can't be one, or there is
 * no wheel yet. */
int cuv_lock_wheel_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE]);
/* "<name>-<version>", the name of its installation in the store, the same way. */
int cuv_lock_install_name(const struct cuv_locked *p, char ret[CUV_STORE_NAME_SIZE]);

#endif
