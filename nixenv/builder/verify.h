/* SPDX-License-Identifier: MIT */
/*
 * Whether the store still holds what was built, and what becomes of what it does not.
 *
 * A path with another hash than Nix noted is *damaged*: that is written down
 * (damaged/<store name>), and the environments that have it are unknown from then on, so
 * no run on it starts. It is taken away, with them, when nobody uses any of them any more;
 * the same locks then build the same paths again. Until then who asks for one is told to
 * come back.
 */
#ifndef CUV_BUILDER_VERIFY_H
#define CUV_BUILDER_VERIFY_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/ledger.h"
#include "nixenv/envpath.h"

struct cuv_verified {
	uint64_t paths;		 /* that were looked at */
	struct cuv_strv damaged; /* store names */
	struct cuv_strv gone;	 /* environments that were taken away */
	struct cuv_strv in_use;	 /* damaged ones that are still there, because of their users */
};
void cuv_verified_done(struct cuv_verified *v);
#define _cleanup_verified_ _cleanup_(cuv_verified_done)

struct cuv_verify {
	const struct cuv_builder *b;
	struct cuv_ledger *l;
	const char *tmp; /* for Nix */
	int cancel_fd;
	void (*on_progress)(void *arg, uint32_t done, uint32_t total);
	void *arg;
};

/* Hashes the closures of these environments (none: of all, and the wheels), and writes
 * down what is damaged. 0, or -EINVAL with err: ENVIRONMENT_UNKNOWN too. */
int cuv_verify(const struct cuv_verify *v, const struct cuv_strv *digests, struct cuv_verified *ret,
	       struct cuv_error *err);
/* Takes away all that is written down as damaged, as far as nobody uses it. What fails keeps
 * nothing else there; err is then of the last. */
int cuv_verify_heal(const struct cuv_verify *v, struct cuv_verified *ret, struct cuv_error *err);

/* Whether a path is written down as damaged. */
bool cuv_verify_is_damaged(const struct cuv_builder *b, const char *store_name);
/* Whether an environment, one of its installations or one of their wheels is. */
bool cuv_verify_any_of(const struct cuv_builder *b, const struct cuv_env_paths *paths);
/* Whether anything is. */
bool cuv_verify_any(const struct cuv_builder *b);

#endif
