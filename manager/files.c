/* SPDX-License-Identifier: MIT */
#include "manager/files.h"

#include <string.h>

bool cuv_files_name_valid(const char *name)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_/";
	const size_t len = strspn(name, safe);

	return len > 0 && len <= CUV_FILES_NAME_MAX && name[len] == '\0';
}
