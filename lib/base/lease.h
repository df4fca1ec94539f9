/* SPDX-License-Identifier: MIT */
/*
 * Leases on environments. Whoever uses one holds a shared lock on its lock file,
 * $STATE/nix/leases/<store name>, by a descriptor: gone with the process, however
 * that ends. Who removes an environment wants the same lock for itself alone, takes
 * its links away under it, and the lock file last. So:
 *
 *   a user     takes the lease, then looks whether the environment is there;
 *   a remover  seizes the lease, then takes the environment away.
 *
 * The lock file's size is a word to its holders: while it is not 0, somebody wants
 * the environment gone, and who holds it only in case of need lets it go.
 *
 * The files are the builder's own; no box sees them.
 */
#ifndef CUV_LEASE_H
#define CUV_LEASE_H

#include "lib/base/base.h"

#define CUV_LEASES_FOLDER "leases"

/* A shared lease on the name in the folder; make: the file too, where there is none.
 * The descriptor, which is the caller's and holds it; -ENOENT there is no file;
 * -EBUSY it is being removed at this moment; other -errno. Never waits. */
int cuv_lease_take(int folder, const char *name, bool make);
/* For oneself alone: the descriptor; -EBUSY somebody has a lease; -errno. Never waits. */
int cuv_lease_seize(int folder, const char *name);
/* Asks the holders to let go if they can (or takes the word back). 0 or -errno. */
int cuv_lease_want(int folder, const char *name, bool wanted);
/* Whether this lease is wanted back. */
bool cuv_lease_is_wanted(int lease);

#endif
