/* SPDX-License-Identifier: MIT */
/*
 * Taking an environment, or parts of it, from the caches of others (caches.h) in place of
 * building them. Whatever goes wrong here is logged and no failure: what is not valid
 * afterwards is built. A path is taken when its narinfo is signed by one of its cache's
 * keys, all that it refers to is valid or comes along, and its archive has the hash that
 * was signed.
 *
 * A cache that does not answer is left alone for a minute.
 */
#ifndef CUV_BUILDER_SUBSTITUTE_H
#define CUV_BUILDER_SUBSTITUTE_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/download.h"
#include "nixenv/builder/nix_daemon.h"

struct cuv_substitute {
	const struct cuv_builder *b;
	const char *work; /* a folder for what is fetched */
	/* Nix daemons that are there already, lent: they are used in place of own ones. One that
	 * is of no use any more afterwards is ended, and its place NULL. */
	struct cuv_nix_daemon **daemons;
	size_t n_daemons;     /* 0: own ones are started */
	uint64_t deadline_ns; /* of the whole making: no more than half of what is left is used */
	int cancel_fd;
	void (*on_progress)(void *arg, const struct cuv_download_progress *p);
	void *arg;
};

/* env and its installations, by store name; NULL: those that a cache says it has. Starts
 * threads and ends them. True when all of them are valid now; that of the environment is
 * no more than that: its link is the caller's to make. */
bool cuv_substitute(const struct cuv_substitute *s, const char *env, const struct cuv_strv *installs);

#endif
