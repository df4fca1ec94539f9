/* SPDX-License-Identifier: MIT */
/*
 * Version numbers as PEP 440 has them: the permissive spelling is read
 * (`v1.0-Alpha.1`), the normal one written (`1.0a1`).
 */
#ifndef CUV_PEP440_H
#define CUV_PEP440_H

#include "lib/base/buf.h"

/* Longest version, as given and as written. */
#define CUV_VERSION_LEN_MAX 128
/* Every second character of the longest version is a release number. */
#define CUV_VERSION_RELEASE_MAX (CUV_VERSION_LEN_MAX / 2 + 1)
/* Largest number inside a version: what the resolver can hold. */
#define CUV_VERSION_NUMBER_MAX (UINT64_MAX - 1)

/* A plain value: nothing owned. */
struct cuv_version {
	uint64_t epoch;
	uint64_t release[CUV_VERSION_RELEASE_MAX];
	size_t n_release; /* at least 1 */
	const char *pre;  /* "a", "b", "rc" (static), or NULL */
	uint64_t pre_n;
	bool has_post;
	uint64_t post;
	bool has_dev;
	uint64_t dev;
	char local[CUV_VERSION_LEN_MAX + 1]; /* normal form, "" when none */
};

/* Why a text is no version; 0 when it is. */
enum cuv_version_outcome {
	CUV_VERSION_OK = 0,
	CUV_VERSION_E_SYNTAX,
	CUV_VERSION_E_LENGTH, /* longer than CUV_VERSION_LEN_MAX */
	CUV_VERSION_E_NUMBER, /* a number above CUV_VERSION_NUMBER_MAX */
};

/* Reads exactly len bytes, no blanks around; a cuv_version_outcome. */
int cuv_version_parse(const char *text, size_t len, struct cuv_version *ret);

/* Appends the normal form. `short_release` drops the release's trailing zeros,
 * which compare equal (1.0.0 is 1); keep them where their number has a meaning
 * (after `~=`, before `.*`). Returns the buffer's error. */
int cuv_version_format(const struct cuv_version *v, bool short_release, struct cuv_buf *out);

#endif
