/* SPDX-License-Identifier: MIT */
/*
 * Building one environment: its installations, several at a time and the largest
 * first, each as soon as its wheel's bytes are there, and then the environment. One
 * Nix daemon and one thread for each processor; what is valid already is left alone.
 *
 * Order of calls: open (early: daemons start while the resolver waits for
 * the network), perhaps lend, plan (once more if need be), begin, give for each wheel that was
 * asked for, wait.
 */
#ifndef CUV_BUILDER_INSTALLS_H
#define CUV_BUILDER_INSTALLS_H

#include "nixenv/builder/builder.h"
#include "nixenv/builder/nix_daemon.h"

struct cuv_installs;

/* tmp is borrowed, for as long as it lives. 0; -EINVAL with err. */
int cuv_installs_open(const struct cuv_builder *b, const char *tmp, struct cuv_installs **ret, struct cuv_error *err);
/* Stops what is being done. */
void cuv_installs_freep(struct cuv_installs **s);

/* The daemons that are there, for somebody else's use until the plan, which has new ones
 * started in place of those that are NULL by then. */
struct cuv_nix_daemon **cuv_installs_lend(struct cuv_installs *s, size_t *ret_n);

/* Asks the store what it has. ret_needed[i]: package i's wheel is to be given. All is
 * borrowed for as long as it lives. 0; -EINVAL with err. */
int cuv_installs_plan(struct cuv_installs *s, const struct cuv_lock *lock, const struct cuv_env_paths *paths,
		      uint64_t deadline_ns, bool *ret_needed, struct cuv_error *err);
/* Begins with what the store has the wheels of. From here to the end this process has
 * threads: what it forks makes system calls only. 0; -EINVAL with err. */
int cuv_installs_begin(struct cuv_installs *s, struct cuv_error *err);
/* The same for a guess (guess.h): no more daemons are started, for they would end with the
 * thread that calls, and place (place.h), which is taken, is given back when all is done, by
 * deadline_ns. */
int cuv_installs_begin_guess(struct cuv_installs *s, int place, uint64_t deadline_ns, struct cuv_error *err);
/* Package i's wheel, whole and with the right hash; the file is taken. False when
 * something has failed already, which wait tells. */
bool cuv_installs_give(struct cuv_installs *s, size_t i, const char *path);

struct cuv_installs_wait {
	uint64_t deadline_ns;
	int cancel_fd; /* readable or hung up: given up */
	/* largest: the package of the largest wheel that is being installed; NULL when there is none. */
	void (*on_progress)(void *arg, uint32_t done, uint32_t total, const struct cuv_locked *largest);
	void *arg;
};
/* To the end. 0: the environment is valid; -EINVAL with err: BUILD_TIMEOUT,
 * CANCELLED, or what nix_daemon.h says. */
int cuv_installs_wait(struct cuv_installs *s, const struct cuv_installs_wait *o, struct cuv_error *err);

#endif
