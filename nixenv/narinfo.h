/* SPDX-License-Identifier: MIT */
/*
 * What a Nix binary cache says about one store path: a .narinfo, lines of
 * `Name: value`. It comes from the network, so nothing in it is believed before its
 * signature was checked (cachekey.h), and the lines that are not signed (where the
 * archive is, how it is packed) can do no more than make the archive's hash wrong.
 */
#ifndef CUV_NARINFO_H
#define CUV_NARINFO_H

#include "lib/base/buf.h"
#include "lib/base/hash.h"
#include "lib/base/strv.h"
#include "lib/proto/messages.h"

#define CUV_NARINFO_BYTES_MAX (256u * 1024u)
#define CUV_NARINFO_REFS_MAX (CUV_CLOSURE_MAX + 8u) /* an environment refers to all of its closure */
#define CUV_NARINFO_SIGS_MAX 16u
#define CUV_NARINFO_URL_SIZE 512
#define CUV_NAR_BYTES_MAX (16ull * CUV_GIB)

/* X(enum suffix, "name in a narinfo") */
#define CUV_PACKING_TABLE(X)                                                                                           \
	X(NONE, "none")                                                                                                \
	X(ZSTD, "zstd")                                                                                                \
	X(XZ, "xz")
enum cuv_packing {
#define X(suffix, name) CUV_PACKING_##suffix,
	CUV_PACKING_TABLE(X)
#undef X
		_CUV_PACKING_MAX,
};

struct cuv_narinfo {
	char store_name[CUV_STORE_NAME_SIZE];
	char url[CUV_NARINFO_URL_SIZE]; /* relative to the cache, goes no folder up */
	enum cuv_packing packing;
	struct cuv_sha256 nar_hash;
	uint64_t nar_bytes;
	uint64_t file_bytes;		   /* packed; 0: not said */
	struct cuv_strv refs;		   /* store names, sorted, each once */
	char deriver[CUV_STORE_NAME_SIZE]; /* "": not said */
	char ca[160];			   /* how a content-addressed path was made; "": it is none */
	struct cuv_strv sigs;		   /* "name:base64" */
};
#define CUV_NARINFO_INIT ((struct cuv_narinfo){0})
void cuv_narinfo_done(struct cuv_narinfo *n);
#define _cleanup_narinfo_ _cleanup_(cuv_narinfo_done)

/* Lines of other names are passed over. 0; -EBADMSG with the line that is wrong, 0 when
 * one is missing; -ENOMEM. */
int cuv_narinfo_parse(const char *text, size_t len, struct cuv_narinfo *ret, uint32_t *ret_line);
/* Appends it; the buffer's error. */
int cuv_narinfo_write(const struct cuv_narinfo *n, struct cuv_buf *out);
/* Appends what a signature is of: path, hash, size and references. */
int cuv_narinfo_fingerprint(const struct cuv_narinfo *n, struct cuv_buf *out);
/* Sorts refs and drops what is there twice. */
void cuv_narinfo_sort_refs(struct cuv_narinfo *n);

/* "sha256:" and 52 characters of base 32, or 64 hexadecimal digits. 0 or -EINVAL. */
int cuv_nar_hash_parse(const char *text, struct cuv_sha256 *ret);
/* The first form; ret holds CUV_NAR_HASH_SIZE bytes. */
#define CUV_NAR_HASH_SIZE 60
void cuv_nar_hash_text(const struct cuv_sha256 *hash, char ret[CUV_NAR_HASH_SIZE]);

#endif
