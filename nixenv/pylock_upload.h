/* SPDX-License-Identifier: MIT */
/*
 * A lock that a user sends: a pylock.toml (PEP 751) from any tool, for one platform
 * or for many, to a lock of this one. Nothing is resolved: markers, environments,
 * requires-python, extras and dependency groups are evaluated as the standard says,
 * and of each package that is left the wheel is taken that fits best, by its sha256.
 *
 * Wheels have the origin URL where the file gives an address, else INDEX without
 * one: where they are fetched from is the builder's to decide. What is not a file by
 * hash (`directory`) is refused; paths and `file:` addresses are unless allowed, and then
 * are files of the builder's wheelhouse, by their last part (origin WHEELHOUSE); `sdist`,
 * `archive` (but for a wheel) and `vcs` are too, unless allowed, and then leave the lock
 * pending (nixenv/lock.h). A `vcs` or `archive` that names the wheel that it came to here, as our
 * own locks do, is taken for that wheel, allowed or not: whether more may be done than
 * look for it is for the builder to know.
 */
#ifndef CUV_PYLOCK_UPLOAD_H
#define CUV_PYLOCK_UPLOAD_H

#include "nixenv/lock.h"
#include "nixenv/pylock_kinds.h"
#include "nixenv/python.h"

/* Largest file; in it are all wheels of all platforms. */
#define CUV_UPLOADED_LOCK_BYTES_MAX (4u * 1024u * 1024u)
#define CUV_UPLOADED_PACKAGES_MAX 4000 /* entries, those of other platforms too */
#define CUV_UPLOADED_WHEELS_MAX 2000   /* of one package */
#define CUV_UPLOADED_NAMES_MAX 64      /* extras, groups, environments */
/* Most memory that reading one of len bytes takes for its time, about. */
#define CUV_UPLOADED_LOCK_FACTOR 16

struct cuv_pylock_options {
	const struct cuv_python *python;
	bool sdist;	/* `sdist` where no wheel fits */
	unsigned kinds; /* CUV_LOCK_…: `archive`, `vcs` of type git with a commit, `path` */
	/* Extras and dependency groups that are asked for, in normal form; NULL: no
	 * extras, and the lock's default groups. */
	const struct cuv_strv *extras;
	const struct cuv_strv *groups;
};

/* On success *ret is the caller's, sealed. -EINVAL with err, with line, column and
 * excerpt: LOCK_INVALID, LOCK_UNSUPPORTED, LOCK_MISMATCH (another Python or
 * platform), WHEEL_UNAVAILABLE, ENVIRONMENT_TOO_LARGE; without a place FIELD_INVALID for
 * an extra or a group that the lock has not, INTERNAL without memory. */
int cuv_pylock_upload(const char *text, size_t len, const struct cuv_pylock_options *o, struct cuv_lock *ret,
		      struct cuv_error *err);

#endif
