/* SPDX-License-Identifier: MIT */
/*
 * What Nix's programs have in common, and collecting what nobody needs. Each runs on
 * the chroot store, with our own settings and an environment made here. Environments
 * are built by daemons of its that nix_daemon.h speaks with.
 */
#ifndef CUV_BUILDER_NIX_H
#define CUV_BUILDER_NIX_H

#include "lib/base/child.h"
#include "nixenv/builder/builder.h"
#include "nixenv/builder/nix_log.h"

struct cuv_nix_options {
	const char *tmp; /* a folder for its work in progress */
	uint64_t deadline_ns;
	int cancel_fd;
	void (*on_progress)(void *arg, uint32_t done, uint32_t total); /* may be NULL */
	void *arg;
};

/* Path and environment of one of Nix's programs; tmp is a folder for its work in
 * progress. 0; -EINVAL with err UNAVAILABLE or INTERNAL. */
int cuv_nix_program(const struct cuv_builder *b, const char *name, const char *tmp, char ret_path[PATH_MAX],
		    struct cuv_strv *env, struct cuv_error *err);
extern const struct cuv_child_limits cuv_nix_limits;
/* The error that a log comes to, NO_SPACE if tmp's file system is full, whatever it
 * says; it is logged. status stands there too. Returns -EINVAL. */
int cuv_nix_failure(const struct cuv_nix_log *log, const char *tmp, int status, struct cuv_error *err);
/* Seconds that one build may take, whatever the request allows. */
#define CUV_NIX_BUILD_S 900

/* 0 when Nix's programs are there; -EINVAL with err UNAVAILABLE. */
int cuv_nix_check(struct cuv_error *err);

/* Adds files as fixed outputs of their flat SHA-256 under their base names. 0;
 * -EINVAL with err: NO_SPACE, BUILD_TIMEOUT, CANCELLED or INTERNAL. */
int cuv_nix_add_fixed(const struct cuv_builder *b, const struct cuv_strv *files, const struct cuv_nix_options *o,
		      struct cuv_error *err);

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
