/* SPDX-License-Identifier: MIT */
/*
 * The OpenAPI document, made by tools/openapi from manager/openapi/ at build time, as is
 * the table of routes: manager/openapi/README.md says how a route is added. What a service serves has
 * the limits of its own settings (profiles.h).
 */
#ifndef CUV_OPENAPI_H
#define CUV_OPENAPI_H

#include <stddef.h>

/* As it was built. JSON, with a NUL behind it that is not counted. */
extern const char cuv_openapi_text[];
extern const size_t cuv_openapi_len;

/* With the settings in effect; once, before there are threads. Without memory it stays as it was built. */
void cuv_openapi_setup(void);
/* What is served; static. */
const char *cuv_openapi_served(size_t *ret_len);

#endif
