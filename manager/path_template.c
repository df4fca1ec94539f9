/* SPDX-License-Identifier: MIT */
#include "manager/path_template.h"

#include <string.h>

bool cuv_path_match(const char *pattern, const char *path, char ret[CUV_PATH_PARAM_SIZE])
{
	size_t before = strcspn(pattern, "{"), len;
	const char *segment = path + before, *after;

	ret[0] = '\0';
	if (strncmp(pattern, path, before) != 0)
		return false;
	if (!pattern[before])
		return path[before] == '\0';
	after = strchr(pattern, '}') + 1;
	len = pattern[before + 1] == '+' ? strlen(segment) : strcspn(segment, "/");
	if (len == 0 || len >= CUV_PATH_PARAM_SIZE || strcmp(segment + len, after) != 0)
		return false;
	if (strncmp(segment, "..", len) == 0 && len <= 2)
		return false;
	memcpy(ret, segment, len);
	ret[len] = '\0';
	return true;
}

bool cuv_path_begins(const char *pattern, const char *path)
{
	const size_t before = strcspn(pattern, "{");

	return strncmp(pattern, path, before) == 0 && (pattern[before] || !path[before]);
}
