/* SPDX-License-Identifier: MIT */
/*
 * The builder's folders below $STATE/nix, all its own:
 *
 *   nix/store                         the chroot store (logical /nix/store)
 *   nix/var/nix/gcroots/cuvette/      image and tools (tools/image-store)
 *     env/<store name>                an environment that Nix has finished
 *     req/<key>                       the environment that a request came to
 *     pin/<store name>                an environment that is never evicted
 *     wheel/<hex>/<store name>        a wheel that was built here, for the lock of that name
 *   recipes/                          our Nix expressions and nix.conf
 *   known/<store name>                wheels built here that Nix has taken
 *   locks/<hex>.json                  locks with addresses and sizes, by digest
 *   leases/<store name>               who uses an environment (lib/base/lease.h)
 *   leases/<key>                      who makes one (turn.h)
 *   damaged/<store name>              what `env verify` has found to be other than built
 *   public-3/<store name>             what may be shared (public.h)
 *   nars/                             packed archives for clients of the cache (share.h)
 *   cache.secret, cache.public        the key that signs for it
 *   cuvette.db                        sizes and times of use (ledger.h)
 *   gc.lock                           who makes and who collects (evict.h)
 *   install.<n>, resolve.<n>          places to work at (place.h)
 *   gc.turn                           who waits to collect; makers wait for that
 *   interpreters/<image's store name> its Python, as the resolver sees it (interpreter.h)
 *   sdists/<hex>.json                 what came of source distributions
 *   uv-cache/  home/  tmp/            the resolver's cache; Nix's; work in progress
 *
 * A link in env/ or req/ is made after Nix said that its target is valid, and
 * renamed into place, so what a link leads to is whole. Each builder has a folder of
 * its own in tmp/; what dead ones left there is removed at start.
 */
#ifndef CUV_BUILDER_STATE_H
#define CUV_BUILDER_STATE_H

#include "lib/base/error.h"
#include "lib/proto/messages.h"

#include <limits.h>

struct cuv_builder_state {
	char nix[PATH_MAX / 2]; /* $STATE/nix, absolute, without links */
	char store[PATH_MAX];	/* physical: <nix>/nix/store */
	char recipes[PATH_MAX];
	char roots[PATH_MAX]; /* <nix>/nix/var/nix/gcroots/cuvette */
	char known[PATH_MAX];
	char locks[PATH_MAX];
	char damaged[PATH_MAX];
	char sdists[PATH_MAX];
	char publics[PATH_MAX];
	char interpreters[PATH_MAX];
	char nars[PATH_MAX];
	char uv_cache[PATH_MAX];
	char home[PATH_MAX];
	char tmp[PATH_MAX]; /* <nix>/tmp/builder-… */
	int tmp_lock;	    /* held to the end of the process */
	int leases;	    /* the folder, open for as long */
};

/* Finds the folders and makes what is missing; writes recipes and settings of
 * this version of Cuvette; clears tmp. dir is $STATE. 0; -EINVAL with err
 * UNAVAILABLE, which says what to do. */
int cuv_builder_state_open(const char *dir, struct cuv_builder_state *ret, struct cuv_error *err);

/* Opens the descriptors of a state whose own were closed; 0 or -errno. */
int cuv_builder_state_reopen(struct cuv_builder_state *s);

/* Joins two parts with '/' into ret[PATH_MAX]; the parts must fit (asserted). */
void cuv_path_join(const char *folder, const char *name, char ret[PATH_MAX]);

/* Writes a file in one step: a temporary one in the state's tmp, renamed. */
int cuv_builder_write(const struct cuv_builder_state *s, const char *path, const void *data, size_t len);
/* The same for a symbolic link; replaces one that is there. */
int cuv_builder_link(const struct cuv_builder_state *s, const char *target, const char *path);
/* Removes a folder and all below it; follows no link, crosses no mount. */
int cuv_remove_tree(const char *path);

/* Whether a store path is there on the disk (says nothing of its validity). */
bool cuv_builder_has_path(const struct cuv_builder_state *s, const char *store_name);

#endif
