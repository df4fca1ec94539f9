/* SPDX-License-Identifier: MIT */
/* POST /execute (three dialects, chosen by the body), and OPTIONS of it. */
#ifndef CUV_DIALECT_EXECUTE_H
#define CUV_DIALECT_EXECUTE_H

#include "manager/server.h"

/* Both look by themselves who may come. */
void cuv_route_execute(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *nobody);
void cuv_route_execute_options(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *nobody);

/* Errors before the dialect is known. */
extern const struct cuv_http_errors cuv_execute_errors;

#endif
