/* SPDX-License-Identifier: MIT */
/* Programs and lists of packages of the dialects, embedded by the build. */
#ifndef CUV_DIALECT_FILES_H
#define CUV_DIALECT_FILES_H

#include "lib/base/buf.h"
#include "lib/base/embed.h"
#include "lib/base/error.h"

extern const struct cuv_embedded cuv_dialect_files[];

/* The file of this name, which must be one of them. */
const struct cuv_embedded *cuv_dialect_file(const char *name);

/* The packages of dialect E: canonical requirements into *ret, which is empty, and the date as of
 * which they and what they need are chosen. 0, or negative with err set. */
int cuv_data_science_read(struct cuv_buf *ret, int64_t *ret_exclude_s, struct cuv_error *err);

#endif
