/* SPDX-License-Identifier: MIT */
/*
 * The pages that show the OpenAPI document: /docs (Swagger UI) and /redoc (Redoc). Their
 * scripts are pinned files that `make store` has put into the state folder; they are
 * opened before the seal and read from their descriptors. Nothing of the pages comes from
 * anywhere else, and their Content-Security-Policy says so.
 */
#ifndef CUV_PAGES_H
#define CUV_PAGES_H

#include "manager/server.h"

/* Once, before there are threads. What is not in the folder (NULL: none) is not served:
 * the pages are then told to be unavailable. */
void cuv_pages_open(const char *folder);

/* GET /docs, /redoc, and /docs/{file} for both. */
void cuv_route_docs(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_redoc(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_docs_file(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);

#endif
