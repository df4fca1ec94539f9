/* SPDX-License-Identifier: MIT */
/* The web pages that may use the service: ALLOWED_ORIGINS, as "https://a.example,https://b.example:8443". */
#ifndef CUV_ORIGINS_H
#define CUV_ORIGINS_H

#include "lib/base/base.h"

#define CUV_ORIGINS_LEN_MAX 4096

/* A list of `scheme://host` or `scheme://host:port`, with commas and blanks between; not empty. */
bool cuv_origins_valid(const char *list);
/* Whether a valid list (NULL: the empty one) has this one, byte for byte. */
bool cuv_origins_have(const char *list, const char *origin);

#endif
