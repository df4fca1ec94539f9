/* SPDX-License-Identifier: MIT */
/*
 * Derivations as Nix writes them, without Nix: the text of the .drv file, its path,
 * and where the output will lie.
 *
 * A derivation is described by its ATerm text. Its output is named by the hash of
 * that text in which each input derivation is replaced by a hash of its own (its
 * *modulo*): for one with a fixed output that is a hash of the output, so how a
 * fixed output is made never shows in what is built from it.
 */
#ifndef CUV_DERIVATION_H
#define CUV_DERIVATION_H

#include "nixenv/storepath.h"

/* What others need to know of a derivation that they build upon. */
struct cuv_derivation_ref {
	char drv[CUV_STORE_NAME_SIZE]; /* "<hash>-<name>.drv" */
	char out[CUV_STORE_NAME_SIZE];
	struct cuv_sha256 modulo;
};

/* One with the single output "out". Environment variables are in env as
 * "NAME=value", any order before it is finished. All owned. */
struct cuv_derivation {
	char *name;
	char *system;
	char *builder;
	struct cuv_strv args;
	struct cuv_strv env;
	struct cuv_strv sources; /* store names of texts and files */
	struct cuv_derivation_ref *inputs;
	size_t n_inputs;
	enum { CUV_OUTPUT_FREE, CUV_OUTPUT_FLAT, CUV_OUTPUT_RECURSIVE } output;
	struct cuv_sha256 output_hash;	/* unless free */
	struct cuv_derivation_ref self; /* when finished */
};
#define CUV_DERIVATION_INIT ((struct cuv_derivation){0})
void cuv_derivation_done(struct cuv_derivation *d);
#define _cleanup_derivation_ _cleanup_(cuv_derivation_done)

/* Sets the three, also as variables; 0 or -ENOMEM. d must be empty. */
int cuv_derivation_init(struct cuv_derivation *d, const char *name, const char *system, const char *builder);
/* Fixes the output's hash, with the variables that belong to it; 0 or -ENOMEM. */
int cuv_derivation_fix(struct cuv_derivation *d, bool recursive, const struct cuv_sha256 *hash);
/* 0 or -ENOMEM. */
int cuv_derivation_add_input(struct cuv_derivation *d, const struct cuv_derivation_ref *input);

/* Computes d->self, and adds the variable `out`. Sorts d's lists. 0, -EINVAL for a
 * name that can't stand in a store path, -ENOMEM, or -E2BIG when the text passes
 * 4 MiB. */
int cuv_derivation_finish(struct cuv_derivation *d);
/* Appends the text of a finished one's .drv file; the buffer's error. */
int cuv_derivation_text(const struct cuv_derivation *d, struct cuv_buf *out);

#endif
