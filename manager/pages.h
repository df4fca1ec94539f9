/* SPDX-License-Identifier: MIT */
/*
 * The pages for people: / runs programs, and its files are in the manager itself; /docs (Swagger UI)
 * and /redoc (Redoc) show the OpenAPI document with scripts that are pinned files, which `make store` has put into
 * the state folder, opened before the seal and read from their descriptors. Nothing of the pages comes from
 * anywhere else, and their Content-Security-Policy says so.
 */
#ifndef CUV_PAGES_H
#define CUV_PAGES_H

#include "manager/server.h"

/* Once, before there are threads. What is not in the folder (NULL: none) is not served:
 * the pages are then told to be unavailable. */
void cuv_pages_open(const char *folder);

/* GET / of a browser: a page that runs programs, whose files are in the manager itself. */
void cuv_route_playground(struct cuv_http *h);
/* Does it ask for a page? */
bool cuv_pages_wanted(const struct cuv_http *h);
/* GET /docs, /redoc, and /docs/{file} for all of them. */
void cuv_route_docs(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_redoc(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);
void cuv_route_docs_file(struct cuv_server *s, struct cuv_http *h, const struct cuv_client *client);

#endif
