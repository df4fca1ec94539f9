/* SPDX-License-Identifier: MIT */
/*
 * Where a lock's environment lies in the store and how it is made, known before
 * anything is built: the C counterpart of nixenv/nix/environment.nix (called by
 * build.nix with the lock's canonical form), which it must follow in every byte
 * (tests/nixenv/test_storepath.py holds it against nix-instantiate).
 */
#ifndef CUV_ENVPATH_H
#define CUV_ENVPATH_H

#include "nixenv/derivation.h"
#include "nixenv/lock.h"

/* The name behind the digest in every environment's store path. */
#define CUV_ENV_NAME "cuvette-environment"

/* The worker image: a recursive fixed output. */
struct cuv_image {
	char name[CUV_STORE_NAME_SIZE];	      /* "worker-image-python311" */
	char store_name[CUV_STORE_NAME_SIZE]; /* with its hash */
	struct cuv_sha256 sha256;	      /* of its archive */
};

/* The two scripts' text; borrowed. */
struct cuv_env_scripts {
	const void *install;
	size_t install_len;
	const void *farm;
	size_t farm_len;
};

/* Fills in image->store_name from name and hash; 0 or -EINVAL. */
int cuv_image_locate(struct cuv_image *image);

struct cuv_env_paths {
	char env[CUV_STORE_NAME_SIZE];
	struct cuv_strv wheels;	  /* store names, in the lock's order */
	struct cuv_strv installs; /* the same of the installations */
	/* How they are made: one for each installation in that order, the last for the
	 * environment. Those of wheels and image are not listed: nothing builds them. */
	struct cuv_derivation *derivations;
	size_t n_derivations;
	/* The texts that they use, by store name. */
	char install_script[CUV_STORE_NAME_SIZE];
	char farm_script[CUV_STORE_NAME_SIZE];
	char lock[CUV_STORE_NAME_SIZE]; /* the lock's canonical form */
};
#define CUV_ENV_PATHS_INIT ((struct cuv_env_paths){0})
void cuv_env_paths_done(struct cuv_env_paths *p);
#define _cleanup_env_paths_ _cleanup_(cuv_env_paths_done)

/* The lock must be sealed. 0, -EINVAL, -ENOMEM or -E2BIG. */
int cuv_env_paths(const struct cuv_lock *lock, const struct cuv_image *image, const struct cuv_env_scripts *scripts,
		  struct cuv_env_paths *ret);

#endif
