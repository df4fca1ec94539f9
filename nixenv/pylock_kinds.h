/* SPDX-License-Identifier: MIT */
/*
 * Kinds of entries of uploaded locks that the operator allows (CUVETTE_LOCK_KINDS): each
 * has something built that a user chose, which no index stands for. None by default.
 *
 * `directory`, `path` and `file:` mean a folder or file of the machine that the lock was
 * made on. No service has it, so no setting allows them.
 */
#ifndef CUV_PYLOCK_KINDS_H
#define CUV_PYLOCK_KINDS_H

#include "lib/base/error.h"

#define CUV_LOCK_VCS 1u	    /* a commit of a git repository */
#define CUV_LOCK_ARCHIVE 2u /* a source archive at an address, by its hash */

/* A list of names with commas or blanks between them; NULL and "" are none. 0; -EINVAL with err
 * BAD_REQUEST, which says what there is. */
int cuv_lock_kinds_read(const char *list, unsigned *ret, struct cuv_error *err);

#endif
