/* SPDX-License-Identifier: MIT */
/* Options inside a requirements file: which are ignored, which are refused and
 * why, and the one that is kept, --hash. */
#ifndef CUV_REQUIREMENTS_OPTION_H
#define CUV_REQUIREMENTS_OPTION_H

#include "lib/base/strv.h"
#include "nixenv/pep508_scan.h"

enum cuv_option_kind {
	CUV_OPTION_IGNORED,
	CUV_OPTION_REQUIREMENT,
	CUV_OPTION_CONSTRAINT,
	CUV_OPTION_INDEX,
	CUV_OPTION_EXTRA_INDEX
};

struct cuv_requirements_option {
	enum cuv_option_kind kind;
	const char *name;   /* static */
	const char *reason; /* IGNORED: static, why nothing is lost */
	size_t value_at;    /* the others: the file's name, the address, in the scan's text */
	size_t value_len;
};

/* Reads one option at the cursor (at its `-`), with its value. 0, or -EINVAL with the
 * failure in s for one that is not served. */
int cuv_option_parse(struct cuv_scan *s, struct cuv_requirements_option *ret);

/* Reads `--hash=algorithm:hex` at the cursor and appends "algorithm:hex" in
 * lower case. 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_option_parse_hash(struct cuv_scan *s, struct cuv_strv *hashes);

/* Whether this is the name of a hash algorithm that is served. */
bool cuv_hash_is_algorithm(const char *name, size_t len);
/* Appends "algorithm:hex" from these two places of the scan's text, in lower case.
 * 0, -EINVAL with the failure in s, or -ENOMEM. */
int cuv_hash_add(struct cuv_scan *s, size_t name_at, size_t name_len, size_t hex_at, size_t hex_len,
		 struct cuv_strv *hashes);

#endif
