/* SPDX-License-Identifier: MIT */
/*
 * Reads what Nix says on stderr with `--log-format internal-json`: how many
 * derivations there are and how many are done, and why one failed.
 */
#ifndef CUV_BUILDER_NIX_LOG_H
#define CUV_BUILDER_NIX_LOG_H

#include "lib/base/buf.h"
#include "lib/base/error.h"

#define CUV_NIX_RUNNING_MAX 64

struct cuv_nix_log {
	struct cuv_buf line;	 /* not complete yet */
	struct cuv_buf messages; /* errors and builders' last lines */
	char reason[512];	 /* what our installer said, "" if nothing */
	/* What Nix itself said; a build's own text never counts. */
	bool disk_full;
	int short_of; /* EAGAIN: processes; ENOMEM; 0: neither */
	bool timed_out;
	bool build_failed;
	uint64_t running[CUV_NIX_RUNNING_MAX];
	size_t n_running;
	uint32_t done;
	uint32_t total;
};

void cuv_nix_log_init(struct cuv_nix_log *l);
void cuv_nix_log_done(struct cuv_nix_log *l);
/* True when done or total changed. */
bool cuv_nix_log_feed(struct cuv_nix_log *l, const char *data, size_t len);
/* The same by parts, for who has them from elsewhere: a failure in Nix's own words (with
 * the end of a build's log behind "log lines:"), and a line that a build printed. */
void cuv_nix_log_failure(struct cuv_nix_log *l, const char *text);
void cuv_nix_log_line(struct cuv_nix_log *l, const char *text);
/* The error of a build that failed; returns -EINVAL. */
int cuv_nix_log_error(const struct cuv_nix_log *l, struct cuv_error *err);

#endif
