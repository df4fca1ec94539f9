/* SPDX-License-Identifier: MIT */
/* The comment block of a script's header, found and taken out; used by script.c only. */
#ifndef CUV_SCRIPT_BLOCK_H
#define CUV_SCRIPT_BLOCK_H

#include "lib/base/buf.h"

struct cuv_script_line {
	size_t at;	/* offset in the TOML */
	size_t code_at; /* of the same character in the program */
};

struct cuv_script_block {
	struct cuv_buf toml;
	struct cuv_script_line *lines; /* owned */
	size_t n;
};

/* Finds the block of type `script`: lines from `# /// script` to the last `# ///` of
 * the comment lines that follow. One without an end is none, as PEP 723 has it.
 * 1 with *ret, the caller's; 0 for none; -EINVAL with *ret_at and *ret_reason (static)
 * for two, or one that is too large; -ENOMEM. */
int cuv_script_block_find(const char *code, size_t len, struct cuv_script_block *ret, size_t *ret_at,
			  const char **ret_reason);
void cuv_script_block_done(struct cuv_script_block *b);

/* Where a character of the TOML stands in the program. */
size_t cuv_script_block_place(const struct cuv_script_block *b, size_t at);

#endif
