/* SPDX-License-Identifier: MIT */
/*
 * Patterns that name files below a folder, as shells have them: `*` and `?` stand
 * for anything but '/', `[a-z]` and `[!a-z]` for one byte, `**` as a whole
 * component for any number of folders, none included. A component that begins with
 * a dot is matched only by one that says so. Bytes are compared, nothing is
 * escaped, and no pattern takes longer than its length times that of the name.
 */
#ifndef CUV_GLOB_H
#define CUV_GLOB_H

#include "lib/base/base.h"

#define CUV_GLOB_SIZE 256 /* with its NUL */
#define CUV_GLOBS_MAX 32

/* A relative path in UTF-8 of at most 16 components, none of them empty, "." or
 * "..", without control characters and backslashes, whose brackets are closed. */
bool cuv_glob_valid(const char *pattern);
/* Whether a path (relative, no empty components) matches a valid pattern. */
bool cuv_glob_match(const char *pattern, const char *path);
/* Whether anything below this folder can match. */
bool cuv_glob_enters(const char *pattern, const char *folder);

#endif
