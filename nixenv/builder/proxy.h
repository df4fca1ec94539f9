/* SPDX-License-Identifier: MIT */
/* Which proxy stands before an origin, by the usual variables. */
#ifndef CUV_BUILDER_PROXY_H
#define CUV_BUILDER_PROXY_H

#include "nixenv/builder/url.h"

/* http_proxy or https_proxy, else all_proxy, each in lower case first, unless
 * no_proxy names the host. NULL when there is none; borrowed from the environment. */
const char *cuv_proxy_for(const struct cuv_site *o);

/* Whether a no_proxy list (commas or blanks) names the host: "*", the name itself,
 * a domain that it lies in (with or without a dot before it), an address, or a
 * network ("10.0.0.0/8", "fd00::/8") that holds it. */
bool cuv_no_proxy_has(const char *list, const char *host);

#endif
