/* SPDX-License-Identifier: MIT */
/*
 * Store paths as Nix computes them, without Nix.
 *
 * A store path is named by 20 bytes folded from the SHA-256 of
 * "TYPE:sha256:INNER:/nix/store:NAME", where TYPE and INNER say what is behind
 * it: a file known by its hash, a text, or the output of a derivation. Paths are
 * handled here as store names ("<32 characters>-<name>"), their last component.
 *
 * A derivation is described by its ATerm text. Its outputs are named by the hash
 * of that text in which each input derivation is replaced by a hash of its own
 * (its *modulo*): for one with a fixed output that is a hash of the output, so
 * how a fixed output is made never shows in what is built from it.
 */
#ifndef CUV_STOREPATH_H
#define CUV_STOREPATH_H

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/strv.h"
#include "lib/proto/messages.h"

#define CUV_STORE_DIR "/nix/store"
#define CUV_STORE_NAME_PART_MAX 211

/* "/nix/store/<name>" for argv and texts; ret holds CUV_STORE_PATH_SIZE bytes. */
#define CUV_STORE_PATH_SIZE (CUV_STORE_NAME_SIZE + sizeof(CUV_STORE_DIR))
void cuv_store_path(const char *store_name, char ret[CUV_STORE_PATH_SIZE]);

/* The part after the hash: 1..211 of [A-Za-z0-9+._?=-], not starting with '.'. */
bool cuv_store_name_part_valid(const char *name);

/* All of these: 0, or -EINVAL when name can't stand in a store path. */
int cuv_storepath_make(const char *type, const struct cuv_sha256 *inner, const char *name,
		       char ret[CUV_STORE_NAME_SIZE]);
/* A file (or, recursive, a tree by the hash of its archive) known by its hash:
 * the output of a fixed-output derivation, and what `nix-store --add-fixed` and
 * builtins.path make. */
int cuv_storepath_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, char ret[CUV_STORE_NAME_SIZE]);
/* builtins.toFile without references. */
int cuv_storepath_text(const void *text, size_t len, const char *name, char ret[CUV_STORE_NAME_SIZE]);

/* The modulo of a fixed-output derivation. */
int cuv_modulo_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, struct cuv_sha256 *ret);

/* A derivation with the one output "out". Environment variables are in env as
 * "NAME=value" without out, which is added; any order. */
struct cuv_derivation {
	const char *name;
	const char *system;
	const char *builder;
	struct cuv_strv args;
	struct cuv_strv env;
	struct cuv_strv sources;   /* store names of texts and files */
	struct cuv_sha256 *inputs; /* owned; modulos of input derivations */
	size_t n_inputs;
};
#define CUV_DERIVATION_INIT ((struct cuv_derivation){0})
void cuv_derivation_done(struct cuv_derivation *d);
#define _cleanup_derivation_ _cleanup_(cuv_derivation_done)
/* 0 or -ENOMEM. */
int cuv_derivation_add_input(struct cuv_derivation *d, const struct cuv_sha256 *modulo);

/* Its output's store name and its own modulo. Sorts d's lists. 0, -EINVAL,
 * -ENOMEM, or -E2BIG when its text passes 4 MiB. */
int cuv_derivation_output(struct cuv_derivation *d, char ret_name[CUV_STORE_NAME_SIZE], struct cuv_sha256 *ret_modulo);

#endif
