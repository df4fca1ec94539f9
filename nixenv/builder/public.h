/* SPDX-License-Identifier: MIT */
/*
 * What may be given to others. An installation is public when its wheel was named by an
 * index here and can be had without credentials, or the source that it was built from, and
 * no index has any;
 * an environment when all of its installations are. Images and zygotes are made of a
 * distribution's packages and are public. All else is private: what came from an index
 * with credentials, from an address or a repository that a user named, or with a lock
 * that somebody sent without any index having been asked about it.
 *
 * That is noted when an environment is made, as a file in $STATE/nix/public: no note,
 * not public. A note goes when its path has been collected.
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

/* Whether anybody who reaches an index's file at this address may have it: no credentials are
 * configured for its site, and, where any index has some, that it is the site of one
 * without. */
bool cuv_public_address(const struct cuv_settings *s, const char *url);

#endif
