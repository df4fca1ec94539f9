/* SPDX-License-Identifier: MIT */
/*
 * One requirement as PEP 508 writes it: `Name[extra]>=1,<2; marker`, with the
 * hashes that a requirements file adds to it.
 */
#ifndef CUV_PEP508_H
#define CUV_PEP508_H

#include "lib/base/buf.h"
#include "lib/base/strv.h"
#include "nixenv/pep508_scan.h"

/* Longest name of a package or extra. */
#define CUV_NAME_LEN_MAX 128
/* Most extras of one requirement. */
#define CUV_EXTRAS_MAX 32
/* Most hashes of one requirement. */
#define CUV_HASHES_MAX 256
/* Longest address of a direct requirement, branch or tag, folder in a repository. */
#define CUV_URL_LEN_MAX 1024
#define CUV_GIT_REF_MAX 200
#define CUV_SUBDIRECTORY_MAX 200

/* Where a requirement's files come from. */
enum cuv_direct_kind {
	CUV_DIRECT_NONE,  /* the index, whichever version the specifiers allow */
	CUV_DIRECT_WHEEL, /* `name @ https://host/path/name-1.0-py3-none-any.whl` */
	CUV_DIRECT_GIT,	  /* `name @ git+https://host/path@ref#subdirectory=folder` */
};

/* A direct requirement's address; all NULL for the index. It is text only: whether
 * the host may be dialled is for who dials it. In the canonical text it stands
 * behind ` @ ` in the forms above; a wheel's #sha256= has become --hash=sha256:. */
struct cuv_direct {
	enum cuv_direct_kind kind;
	/* https://host[:port]/path, no credentials, query or fragment; escapes in
	 * normal form; GIT: without `git+` and ref. */
	char *url;
	char *file;	    /* WHEEL: its file name (nixenv/wheel.h), of this package */
	char *ref;	    /* GIT: commit, tag or branch; "": the default branch */
	char *subdirectory; /* GIT: the project's folder, relative; NULL: the top */
};

/* Everything owned and in normal form; the texts are "" when there is nothing. */
struct cuv_requirement {
	char *name;		/* PEP 503: lower case, one `-` for runs of - _ . */
	struct cuv_strv extras; /* the same form, sorted */
	char *specifiers;	/* "!=1.5,>=1.2"; "" for a direct one */
	struct cuv_direct direct;
	char *marker;		/* see marker.h */
	struct cuv_strv hashes; /* "sha256:<lower-case hex>", sorted */
	char *text;		/* the whole requirement as one canonical line, without line end */
	uint32_t line;		/* where it began in the user's file, from 1 */
	size_t origin;		/* of a file's requirements: its place in their `lines` */
};

/* Frees the contents; may be called on a zeroed or half-built one. */
void cuv_requirement_done(struct cuv_requirement *r);

/* Appends the PEP 503 form of a package or extra name. 0, 1 when it is not a
 * name (letters, digits, inside also . _ -, at most CUV_NAME_LEN_MAX), or the
 * buffer's error. */
int cuv_name_normalize(const char *name, size_t len, struct cuv_buf *out);

/* Reads name, extras, specifiers or `@ address`, and marker from the cursor and stops
 * at the end or in front of an option (`--hash`). An address alone is taken too where
 * it says the name (a wheel's, or `egg=`). ret must be zeroed; the caller releases it,
 * also on failure. Sets name, extras, specifiers, direct, marker, and hashes that
 * an address has. 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_pep508_parse(struct cuv_scan *s, struct cuv_requirement *ret);

#endif
