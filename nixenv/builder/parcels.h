/* SPDX-License-Identifier: MIT */
/* The chores EXPORT and IMPORT: between parcels (parcel.h) and the store. */
#ifndef CUV_BUILDER_PARCELS_H
#define CUV_BUILDER_PARCELS_H

#include "nixenv/builder/index.h"

/* All borrowed. */
struct cuv_parcels {
	const struct cuv_builder *b;
	const char *work; /* an empty folder */
	int fd;		  /* the parcel, at its beginning */
	int cancel_fd;
	void (*on_progress)(void *arg, const struct cuv_env_progress *p);
	void *arg;
};

/* Writes the environment of this digest, with a lease on it. Wheels that a collection
 * has taken are fetched again. 0; -EINVAL with err: ENVIRONMENT_UNKNOWN,
 * WHEEL_UNAVAILABLE (one that was built here, and is gone), what downloads and
 * cuv_parcel_write say. */
int cuv_parcels_export(const struct cuv_parcels *x, const char *digest, struct cuv_error *err);

/* Reads one and makes its environment, without the network: ret must be empty. 0;
 * -EINVAL with err: LOCK_INVALID it is no parcel; ENVIRONMENT_TOO_LARGE;
 * HASH_MISMATCH it has a file that its lock does not name, or not what its lock says;
 * LOCK_MISMATCH it comes to another environment here; what cuv_make_environment says. */
int cuv_parcels_import(const struct cuv_parcels *x, struct cuv_environment *ret, struct cuv_error *err);

#endif
