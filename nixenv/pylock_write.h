/* SPDX-License-Identifier: MIT */
/*
 * A lock as the text of a pylock.toml (PEP 751): what an answer holds, what can be
 * sent again instead of requirements, and what other tools install from. The same
 * lock with the same addresses gives the same bytes.
 *
 * A package of an index or an address has its one wheel. A package that was built
 * here has the source that it was built from (`sdist` or `vcs`), and the wheel that
 * came of it in [packages.tool.cuvette]. Credentials in an address are left out, and
 * the query of one that a user named: it may hold a key, and the text is handed to
 * whoever comes to the same lock.
 */
#ifndef CUV_PYLOCK_WRITE_H
#define CUV_PYLOCK_WRITE_H

#include "lib/base/strv.h"
#include "nixenv/lock.h"

#define CUV_PYLOCK_SUFFIX ".pylock.toml"     /* of the files that the builder keeps it in */
#define CUV_PYLOCK_BYTES_MAX (1024u * 1024u) /* of the text */

/* Appends the text of a sealed lock; the buffer's error. */
int cuv_pylock_write(const struct cuv_lock *l, struct cuv_buf *out);

/* Of such a text the names of the packages that were built here, in its order, which is
 * that of the lock. Reads no TOML, only what is written above; of other texts anything
 * may come out, but nothing else happens. 0 or -ENOMEM. */
int cuv_pylock_built(const char *text, size_t len, struct cuv_strv *ret);

#endif
