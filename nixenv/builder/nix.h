/* SPDX-License-Identifier: MIT */
/*
 * The things that Nix is started for: taking downloaded wheels into the store,
 * building an environment, and collecting what nobody needs. One process each, on the
 * chroot store, with our own settings and an environment made here.
 */
#ifndef CUV_BUILDER_NIX_H
#define CUV_BUILDER_NIX_H

#include "nixenv/builder/builder.h"

struct cuv_nix_options {
	const char *tmp; /* a folder for its work in progress */
	uint64_t deadline_ns;
	int cancel_fd;
	void (*on_progress)(void *arg, uint32_t done, uint32_t total); /* may be NULL */
	void *arg;
};

/* 0 when Nix's programs are there; -EINVAL with err UNAVAILABLE. */
int cuv_nix_check(struct cuv_error *err);

/* Adds files as fixed outputs of their flat SHA-256 under their base names. 0;
 * -EINVAL with err: NO_SPACE, BUILD_TIMEOUT, CANCELLED or INTERNAL. */
int cuv_nix_add_fixed(const struct cuv_builder *b, const struct cuv_strv *files, const struct cuv_nix_options *o,
		      struct cuv_error *err);

/* Builds the environment of the lock in lock_file on the image (all wheels are in the store)
 * and makes the link, which is a GC root. ret_name is what was built. 0; -EINVAL
 * with err as above, or BUILD_FAILED with the installer's reason. */
int cuv_nix_build(const struct cuv_builder *b, const struct cuv_image *image, const char *lock_file, const char *link,
		  const struct cuv_nix_options *o, char ret_name[CUV_STORE_NAME_SIZE], struct cuv_error *err);

/* Deletes what no link in gcroots leads to (evict.h has the lock for it). 0; -EINVAL
 * with err as above. */
int cuv_nix_collect(const struct cuv_builder *b, const struct cuv_nix_options *o, struct cuv_error *err);

/* Hashes paths again; *ret_whole is false when at least one is not what Nix noted. 0;
 * -EINVAL with err. */
int cuv_nix_verify(const struct cuv_builder *b, const struct cuv_strv *names, const struct cuv_nix_options *o,
		   bool *ret_whole, struct cuv_error *err);
/* Deletes paths, whatever links lead to them; they must be all that refer to each other. */
int cuv_nix_delete(const struct cuv_builder *b, const struct cuv_strv *names, const struct cuv_nix_options *o,
		   struct cuv_error *err);

#endif
