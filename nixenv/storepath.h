/* SPDX-License-Identifier: MIT */
/*
 * Store paths as Nix computes them, without Nix.
 *
 * A store path is named by 20 bytes folded from the SHA-256 of
 * "TYPE:sha256:INNER:/nix/store:NAME", where TYPE and INNER say what is behind
 * it: a file known by its hash, a text, or the output of a derivation. Paths are
 * handled here as store names ("<32 characters>-<name>"), their last component.
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

/* All of these: 0, -EINVAL when name can't stand in a store path, or -ENOMEM. */
int cuv_storepath_make(const char *type, const struct cuv_sha256 *inner, const char *name,
		       char ret[CUV_STORE_NAME_SIZE]);
/* A file (or, recursive, a tree by the hash of its archive) known by its hash:
 * the output of a fixed-output derivation, and what `nix-store --add-fixed` and
 * builtins.path make. */
int cuv_storepath_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, char ret[CUV_STORE_NAME_SIZE]);
/* builtins.toFile, and .drv files: a text that refers to the paths of these store
 * names (NULL: to none), which must be sorted. -E2BIG when they pass 1 MiB. */
int cuv_storepath_text(const void *text, size_t len, const char *name, const struct cuv_strv *refs,
		       char ret[CUV_STORE_NAME_SIZE]);

/* The modulo (derivation.h) of a fixed-output derivation. */
int cuv_modulo_fixed(bool recursive, const struct cuv_sha256 *hash, const char *name, struct cuv_sha256 *ret);

#endif
