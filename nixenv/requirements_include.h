/* SPDX-License-Identifier: MIT */
/* Names of files in requirements files; text only, nothing is opened. */
#ifndef CUV_REQUIREMENTS_INCLUDE_H
#define CUV_REQUIREMENTS_INCLUDE_H

#include "lib/base/error.h"

#define CUV_FILE_NAMES_MAX 8 /* folders and the file itself */

/* Where `value` leads from the folder of the file `from`: a name that
 * cuv_requirements_file_name_valid takes. 0, or -EINVAL with *ret_reason, a static
 * clause that says what a name has to be. */
int cuv_include_resolve(const char *from, const char *value, size_t len, char ret[CUV_ERROR_FILE_SIZE],
			const char **ret_reason);

#endif
