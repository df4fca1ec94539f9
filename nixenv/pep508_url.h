/* SPDX-License-Identifier: MIT */
/*
 * The address behind the `@` of a direct requirement: a wheel over https, or a
 * git repository over https. Strict, because it will be dialled: no other scheme,
 * no credentials, no query, no fragment that is not known, no dot segments.
 */
#ifndef CUV_PEP508_URL_H
#define CUV_PEP508_URL_H

#include "nixenv/pep508.h"

/* Whether an address begins at the cursor: `https://`, `git+ssh:`, `file:`. */
bool cuv_pep508_is_address(const struct cuv_scan *s);

/* Reads the address at the cursor, which ends at a blank. Sets *ret; appends a hash
 * of its fragment to hashes; *ret_name becomes the normalised name that the address
 * itself gives (a wheel's, or `egg=`), NULL where it gives none. All are the
 * caller's, also on failure. 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_direct_parse(struct cuv_scan *s, struct cuv_direct *ret, struct cuv_strv *hashes, char **ret_name);

/* Appends the address in canonical form, as it stands behind the `@`; the buffer's error. */
int cuv_direct_write(const struct cuv_direct *d, struct cuv_buf *out);

void cuv_direct_done(struct cuv_direct *d);

#endif
