/* SPDX-License-Identifier: MIT */
/*
 * What a git server says over HTTP (smart protocol, version 0), read strictly: the
 * advertisement of its refs, and the beginning of the answer that brings a pack. And
 * which of the refs a requirement means.
 *
 * All input is the server's, who may be anybody. Nothing is allocated that is not
 * bounded by the input's own length.
 */
#ifndef CUV_GIT_WIRE_H
#define CUV_GIT_WIRE_H

#include "lib/base/buf.h"

#define CUV_GIT_OID_SIZE 41 /* hexadecimal, with the NUL; SHA-1 repositories only */
#define CUV_GIT_REFS_BYTES_MAX (16u * 1024u * 1024u)

struct cuv_git_offer {
	char want[CUV_GIT_OID_SIZE];   /* what to ask for: an annotated tag's own object */
	char commit[CUV_GIT_OID_SIZE]; /* the commit that is meant */
	bool advertised;	       /* a ref is at it: false for a commit that only the user names */
	bool shallow;		       /* the server can leave out the history */
	bool any_commit;	       /* it gives commits that no ref is at */
};

enum cuv_git_wire_result {
	CUV_GIT_OK,
	CUV_GIT_MALFORMED,    /* not what a git server says */
	CUV_GIT_NO_SUCH_REF,  /* no branch, tag or commit of this name */
	CUV_GIT_ABBREVIATED,  /* a part of a commit's name */
	CUV_GIT_OTHER_HASHES, /* a repository with SHA-256 names */
	CUV_GIT_EMPTY,	      /* a repository without commits */
	CUV_GIT_REFUSED,      /* the server says ERR */
};

/* Finds what ref means ("" is the default branch) in an advertisement: a whole commit,
 * else a branch, else a tag, else a full name (refs/…). */
enum cuv_git_wire_result cuv_git_find(const void *data, size_t len, const char *ref, struct cuv_git_offer *ret);

/* Appends the request for one object: without its history where the server can. */
void cuv_git_request(const struct cuv_git_offer *o, struct cuv_buf *out);

/* How many bytes stand before the pack in an answer that begins so. CUV_GIT_OK with
 * it; MALFORMED (also where the beginning is too short) or REFUSED. */
enum cuv_git_wire_result cuv_git_pack_offset(const void *data, size_t len, size_t *ret);

#endif
