/* SPDX-License-Identifier: MIT */
/*
 * A Nix daemon of our own (`nix-daemon --stdio`), spoken with over a socket: it takes
 * files into the store and builds derivations that are sent to it whole. So no
 * expression is evaluated, no .drv file is written, and one process serves many builds.
 *
 * Calls block; each is for one thread at a time. A call that failed with a broken
 * connection makes all later ones fail.
 */
#ifndef CUV_BUILDER_NIX_DAEMON_H
#define CUV_BUILDER_NIX_DAEMON_H

#include "nixenv/builder/builder.h"
#include "nixenv/derivation.h"
#include "nixenv/narinfo.h"

struct cuv_nix_daemon;

/* Starts one, without waiting for it; for single-threaded processes. tmp is borrowed.
 * 0; -EINVAL with err. */
int cuv_nix_daemon_start(const struct cuv_builder *b, const char *tmp, struct cuv_nix_daemon **ret,
			 struct cuv_error *err);
/* Until when later calls may take, CUV_NEVER at first; they fail with BUILD_TIMEOUT. */
void cuv_nix_daemon_limit(struct cuv_nix_daemon *d, uint64_t deadline_ns);
/* From any thread: the call that it is in fails with CANCELLED, and all later ones. */
void cuv_nix_daemon_break(struct cuv_nix_daemon *d);
/* Kills it. */
void cuv_nix_daemon_freep(struct cuv_nix_daemon **d);

/* All of these: -EINVAL with err NO_SPACE, BUILD_TIMEOUT, BUILD_FAILED (with the
 * installer's reason), NO_MEMORY, NO_PROCESSES or INTERNAL. */

/* Marks which of these store names are valid. */
int cuv_nix_daemon_valid(struct cuv_nix_daemon *d, const struct cuv_strv *store_names, bool *ret,
			 struct cuv_error *err);
/* Adds what must come to lie at store_name: a text without references, or a file by
 * its flat SHA-256. Nix hashes it as it writes. */
int cuv_nix_daemon_add_text(struct cuv_nix_daemon *d, const char *store_name, const void *data, size_t len,
			    struct cuv_error *err);
int cuv_nix_daemon_add_file(struct cuv_nix_daemon *d, const char *store_name, const char *path, struct cuv_error *err);
/* Adds a path that another cache has signed, of the packed archive in fd. All that it
 * refers to must be valid. Nix hashes it as it unpacks: with another hash than info's it is
 * not valid, and HASH_MISMATCH is said of whatever is wrong with the archive. */
int cuv_nix_daemon_add_nar(struct cuv_nix_daemon *d, const struct cuv_narinfo *info, const char *sig, int fd,
			   struct cuv_error *err);
/* Builds one whose inputs are all valid, unless its output is. */
int cuv_nix_daemon_build(struct cuv_nix_daemon *d, const struct cuv_derivation *drv, struct cuv_error *err);

#endif
