/* SPDX-License-Identifier: MIT */
/* Which packages of a lock require which others, as its text tells (nixenv/pylock_write.h). */
#ifndef CUV_REQUIRERS_H
#define CUV_REQUIRERS_H

#include <jansson.h>
#include <stddef.h>

struct cuv_requirers;

/* From the text of a lock that our builder wrote. NULL when it is not there, can't be
 * read, or there is no memory: then nothing is known. */
struct cuv_requirers *cuv_requirers_read(const char *lock, size_t len);
void cuv_requirers_free(struct cuv_requirers *w);

/* A package was asked for with this extra (both in normal form). */
void cuv_requirers_ask(struct cuv_requirers *w, const char *package, const char *extra);
/* As if each package had been asked for with all its extras. */
void cuv_requirers_ask_all(struct cuv_requirers *w);
/* Who requires this package: an array of "name", or "name[extra]" where it does so only
 * for an extra that was asked for; null where not all is known. w may be NULL. A new reference. */
json_t *cuv_requirers_of(struct cuv_requirers *w, const char *package);

#endif
