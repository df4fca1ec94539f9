/* SPDX-License-Identifier: MIT */
/*
 * What a package of a lock requires of the others in it, read from the METADATA of
 * its wheel (the core metadata of PEP 566 and later). Foreign text: what can't be
 * understood in it is passed over, and says nothing.
 *
 * Each requirement is written `name`, `name[extra,extra]`, and behind one that counts
 * only where this package was asked for with an extra ` ; extra == "that"`. Markers
 * are evaluated for the lock's Python and platform.
 */
#ifndef CUV_REQUIRES_H
#define CUV_REQUIRES_H

#include "nixenv/lock.h"

#define CUV_METADATA_BYTES_MAX (256u * 1024u) /* that much of it is looked at */
#define CUV_REQUIRES_MAX 256		      /* of one package */
#define CUV_REQUIRES_BYTES_MAX (256u * 1024u) /* of all packages of a lock, together */

/* Appends to an empty list, sorted, each once. 0; -E2BIG for more than
 * CUV_REQUIRES_MAX; -ENOMEM. */
int cuv_requires_read(const char *metadata, size_t len, const struct cuv_lock *l, struct cuv_strv *ret);

/* Whether a text is one such requirement. */
bool cuv_requires_valid(const char *text);

/* The parts of one; slices of the text. */
struct cuv_required {
	const char *name;
	size_t name_len;
	const char *extras; /* "a,b" */
	size_t extras_len;
	const char *when; /* the extra that it hangs on; NULL: always */
	size_t when_len;
};
/* 0, or -EINVAL when it is none. */
int cuv_requires_split(const char *text, struct cuv_required *ret);

#endif
