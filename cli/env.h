/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of `cuvette env`, and what they share: a session with the builder
 * (the service's, or one of our own for the moment), its progress on stderr, and the
 * manifest of an environment. Each gets its own words, argv[0] is its name, and
 * returns the exit status.
 */
#ifndef CUV_ENV_H
#define CUV_ENV_H

#include "cli/attach.h"
#include "cli/cancel.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "lib/proto/chore.h"

#include <jansson.h>

int cuv_env_list(int argc, char **argv);
int cuv_env_show(int argc, char **argv);
int cuv_env_diff(int argc, char **argv);
int cuv_env_build(int argc, char **argv);
int cuv_env_lock(int argc, char **argv);
int cuv_env_prewarm(int argc, char **argv);
int cuv_env_gc(int argc, char **argv);
int cuv_env_pin(int argc, char **argv);
int cuv_env_unpin(int argc, char **argv);
int cuv_env_verify(int argc, char **argv);
int cuv_env_key(int argc, char **argv);
int cuv_env_export(int argc, char **argv);
int cuv_env_import(int argc, char **argv);

/* --- a builder to ask --- */

struct cuv_env_peer {
	struct cuv_attach attach;
	struct cuv_cancel cancel;
	struct cuv_progress progress;
	bool builds; /* environments are asked for, and not only chores */
};
#define CUV_ENV_PEER_INIT                                                                                              \
	((struct cuv_env_peer){                                                                                        \
		.attach = CUV_ATTACH_INIT, .cancel = CUV_CANCEL_INIT, .progress.how = CUV_PROGRESS_LINES})
/* state NULL: the default place. 0 or negative with err set; to be closed either way. */
int cuv_env_peer_open(struct cuv_env_peer *p, const char *state, struct cuv_error *err);
/* Ends what was started. If a signal came, this process ends by it here. */
void cuv_env_peer_close(struct cuv_env_peer *p);

/* A chore's answer, the caller's; NULL with err set. fd: what it reads or writes, -1. */
json_t *cuv_env_peer_chore(struct cuv_env_peer *p, const struct cuv_chore_ask *ask, int fd, struct cuv_error *err);

/* An environment; the lease keeps it as long as it is open, -1 where only a lock was asked for. ret_lock: the lock's
 * text, a descriptor (may be NULL). All returned are the caller's. 0 or negative with err set. */
int cuv_env_peer_ask(struct cuv_env_peer *p, const struct cuv_env_ask *ask, const void *text, size_t len,
		     struct cuv_environment *ret, int *ret_lease, int *ret_lock, struct cuv_error *err);

/* --- small things --- */

/* Complains and returns false when one of the operands is no digest, or their number is
 * not in least..most. */
bool cuv_env_digests(const char *command, const struct cuv_values *v, int least, int most);
/* Prints the error and gives the exit status that stands for it. */
int cuv_env_fail(const struct cuv_error *err, const char *file);
/* The manifest of an environment in the store (nixenv/nix/farm.py writes it), the
 * caller's; NULL when the store has no such environment. ret_name may be NULL. */
json_t *cuv_env_manifest(const struct cuv_state *state, const char *digest, char ret_name[CUV_STORE_NAME_SIZE]);
/* "12.4 MB" */
#define CUV_ENV_SIZE_SIZE 24
const char *cuv_env_size(uint64_t bytes, char ret[CUV_ENV_SIZE_SIZE]);
void cuv_env_print_json(const json_t *j);

#endif
