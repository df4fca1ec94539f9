/* SPDX-License-Identifier: MIT */
/* What stands after the `?` of a request's path: names and values of a form. */
#ifndef CUV_QUERY_H
#define CUV_QUERY_H

#include "lib/base/error.h"

#define CUV_QUERY_BYTES_MAX 4096
#define CUV_QUERY_FIELDS_MAX 16
#define CUV_QUERY_VALUE_SIZE 256 /* of a name or a value, decoded */

/* Calls each with every name and value, decoded, in their order; raw may be NULL. 0, or
 * negative with err set: by each, or BAD_REQUEST, FIELD_DUPLICATE. */
int cuv_query_each(const char *raw, int (*each)(void *arg, const char *name, const char *value, struct cuv_error *err),
		   void *arg, struct cuv_error *err);

#endif
