/* SPDX-License-Identifier: MIT */
/*
 * Asking another cache what it has: many small requests at once, with short deadlines, so
 * that one that is down or slow holds no build up. Redirects are not followed.
 */
#ifndef CUV_BUILDER_ASK_CACHE_H
#define CUV_BUILDER_ASK_CACHE_H

#include "nixenv/builder/builder.h"
#include "nixenv/narinfo.h"

struct cuv_cache_question {
	const char *store_name; /* borrowed */
	struct cuv_narinfo info;
	const char *sig; /* borrowed from info: the one that counts; NULL: the cache has no such path */
};

/* Fills in what the cache has of these, as far as it is signed by one of its keys and says
 * what was asked. 0; -EHOSTUNREACH: the cache does not answer as one; -ECANCELED; -ENOMEM. */
int cuv_ask_cache(const struct cuv_builder *b, const struct cuv_trusted_cache *cache, struct cuv_cache_question *q,
		  size_t n, int cancel_fd);

#endif
