/* SPDX-License-Identifier: MIT */
/*
 * Kinds of entries of uploaded locks that the operator allows (CUVETTE_LOCK_KINDS): each
 * has something built or installed that no index stands for. None by default.
 *
 * A `path` or `file:` address names a file of the machine that the lock was made on. It is
 * looked for by its last part in one folder of the operator's (CUVETTE_WHEELHOUSE), and by
 * the lock's sha256. A `directory` has no hash that would say what is meant: no setting
 * allows it.
 */
#ifndef CUV_PYLOCK_KINDS_H
#define CUV_PYLOCK_KINDS_H

#include "lib/base/error.h"

#define CUV_LOCK_VCS 1u	    /* a commit of a git repository */
#define CUV_LOCK_ARCHIVE 2u /* a source archive, by its hash */
#define CUV_LOCK_PATH 4u    /* a file at a `path` or a `file:` address, by its hash */
#define CUV_LOCK_ALL (CUV_LOCK_VCS | CUV_LOCK_ARCHIVE | CUV_LOCK_PATH)

/* A list of names with commas or blanks between them; NULL and "" are none. 0; -EINVAL with err
 * BAD_REQUEST, which says what there is. */
int cuv_lock_kinds_read(const char *list, unsigned *ret, struct cuv_error *err);
/* Whether what is allowed can be served: PATH needs a folder (NULL or "": none), by its
 * absolute path. 0; -EINVAL with err BAD_REQUEST. */
int cuv_lock_kinds_check(unsigned kinds, const char *wheelhouse, struct cuv_error *err);

#endif
