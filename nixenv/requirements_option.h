/* SPDX-License-Identifier: MIT */
/* Options inside a requirements file: which are ignored, which are refused and
 * why, and the one that is kept, --hash. */
#ifndef CUV_REQUIREMENTS_OPTION_H
#define CUV_REQUIREMENTS_OPTION_H

#include "lib/base/strv.h"
#include "nixenv/pep508_scan.h"

/* Reads one option at the cursor (at its `-`), with its value. 0 when it is one
 * that may be ignored: *ret_name is its name and *ret_reason why nothing is
 * lost, both static. Otherwise -EINVAL with the failure in s. */
int cuv_option_parse_ignored(struct cuv_scan *s, const char **ret_name, const char **ret_reason);

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
