/* SPDX-License-Identifier: MIT */
/*
 * The header of a script (PEP 723): a comment block in the program that says what it
 * needs, in place of a requirements file.
 *
 *   # /// script
 *   # requires-python = ">=3.11"
 *   # dependencies = ["requests<3"]
 *   # ///
 *
 * The block is TOML. Read are `dependencies`, each one line of the requirements
 * grammar without options and comments, and `requires-python`; the table `tool` is
 * ignored, anything else refused.
 */
#ifndef CUV_SCRIPT_H
#define CUV_SCRIPT_H

#include "nixenv/python.h"
#include "nixenv/requirements.h"

/* Largest block, its comment signs included. */
#define CUV_SCRIPT_BYTES_MAX (64 * 1024)

struct cuv_script {
	struct cuv_requirements *requirements; /* lines and places are the program's */
	char *requires_python;		       /* specifiers in normal form; "" for any */
	uint32_t python_line;		       /* where that stands, from 1 */
	uint32_t python_column;
	char *python_text; /* that line; NULL without one */
};
#define CUV_SCRIPT_INIT ((struct cuv_script){0})
void cuv_script_done(struct cuv_script *s);
#define _cleanup_script_ _cleanup_(cuv_script_done)

/* Reads the header of a program (valid UTF-8); name is what errors call it. 1 with
 * *ret, which is the caller's; 0 when it has none; -EINVAL with err, with file, line,
 * column and excerpt: SCRIPT_INVALID, REQUIREMENT_INVALID, REQUIREMENT_UNSUPPORTED or
 * TOO_LARGE; -ENOMEM with err set to INTERNAL. */
int cuv_script_read(const char *code, size_t len, const char *name, struct cuv_script *ret, struct cuv_error *err);

/* The Python for it: wanted where that is not NULL, else the first that the header
 * takes. NULL with err REQUIREMENTS_UNRESOLVABLE when the header takes none of these. */
const struct cuv_python *cuv_script_python(const struct cuv_script *s, const struct cuv_python *wanted,
					   struct cuv_error *err);

#endif
