/* SPDX-License-Identifier: MIT */
/*
 * What may be given to others. An installation is public when its wheel was named by a
 * public index here, or the source that it was built from, and all indexes are public. An
 * index is that when it has no credentials, and either the operator says so
 * (CUVETTE_PUBLIC_INDEXES) or it is the default one, its address has no path but
 * /simple (a path may be a secret), and it is https at a host that others can reach, by
 * its name (else it may be an inner network's, which needs no password);
 * an environment when all of its installations are. Images and zygotes are made of a
 * distribution's packages and are public. All else is private: what came from an index
 * with credentials, from an address or a repository that a user named, from the wheelhouse, or with a lock
 * that somebody sent without any index having been asked about it.
 *
 * That is noted when an environment is made, as a file in $STATE/nix/public-3: no note,
 * not public. A note goes when its path has been collected. (Those of public/ and
 * public-2/ were made when more indexes were taken for public, and count no more.)
 */
#ifndef CUV_BUILDER_PUBLIC_H
#define CUV_BUILDER_PUBLIC_H

#include "nixenv/builder/builder.h"

/* Notes what the lock says of an environment that is valid; a failure is logged, and
 * leaves it private. */
void cuv_public_note(const struct cuv_builder *b, const struct cuv_lock *lock, const struct cuv_env_paths *paths);

void cuv_public_forget(const struct cuv_builder *b, const char *store_name);

/* Whether a path, by its store name, may be given to others. */
bool cuv_public_has(const struct cuv_builder *b, const char *store_name);

/* Whether anybody may have an index's file at this address: no index on its site is closed,
 * and, where any index is, it is the site of one that is public or that the operator
 * calls so. */
bool cuv_public_address(const struct cuv_settings *s, const char *url);

#endif
