/* SPDX-License-Identifier: MIT */
/* Lists whose order carries no meaning (extras, specifiers, hashes): brought
 * into one order, so that the same set gives the same bytes. */
#ifndef CUV_PEP508_LIST_H
#define CUV_PEP508_LIST_H

#include "lib/base/buf.h"
#include "lib/base/strv.h"

/* Sorts by byte values and drops (frees) repeated items. */
void cuv_list_sort_unique(struct cuv_strv *v);
/* Appends the items with the separator between them; the buffer's error. */
int cuv_list_join(const struct cuv_strv *v, const char *separator, struct cuv_buf *out);

#endif
