/* SPDX-License-Identifier: MIT */
/*
 * The OpenAPI document, made by tools/openapi from manager/openapi/ at build time, as is
 * the table of routes: manager/openapi/README.md says how a route is added.
 */
#ifndef CUV_OPENAPI_H
#define CUV_OPENAPI_H

#include <stddef.h>

/* JSON, with a NUL behind it that is not counted. */
extern const char cuv_openapi_text[];
extern const size_t cuv_openapi_len;

#endif
