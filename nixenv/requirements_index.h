/* SPDX-License-Identifier: MIT */
/* The address behind --index-url and --extra-index-url; used by requirements.c only. */
#ifndef CUV_REQUIREMENTS_INDEX_H
#define CUV_REQUIREMENTS_INDEX_H

#include "lib/base/buf.h"
#include "nixenv/pep508_scan.h"

/* Reads the len bytes of the scan's text at this offset and appends them in canonical
 * form: scheme and host in lower case, no default port, no final slash. Refused are
 * credentials, a query, a fragment, dot segments, what is no http(s) address. It is never
 * dialled: the builder looks for it in the operator's list. 0, -EINVAL with the failure
 * in s, or the buffer's error. */
int cuv_index_address(struct cuv_scan *s, size_t at, size_t len, struct cuv_buf *out);

#endif
