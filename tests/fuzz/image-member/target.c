/* SPDX-License-Identifier: MIT */
/*
 * An archive member's name and, behind the first newline, its link target.
 * Whatever is accepted must be clean, and a link, followed from where it lies,
 * must stay in the root.
 */
#include "worker-image/image/member.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walks path from depth folders below the root; the depth reached, or -1. */
static int walk(const char *path, int depth, bool up_allowed)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		cuv_assert(len > 0);
		if (len == 2 && memcmp(path, "..", 2) == 0) {
			cuv_assert(up_allowed);
			if (depth-- == 0)
				return -1;
		} else if (len != 1 || *path != '.') {
			depth++;
			up_allowed = false;
		}
		path += len;
		if (*path == '/') {
			path++;
			cuv_assert(*path != '\0');
		}
	}
	return depth;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[4 * CUV_MEMBER_NAME_MAX];
	struct cuv_member_name name, again, merged, target;
	struct cuv_error err = CUV_ERROR_INIT;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	char *link = strchr(text, '\n');
	if (link)
		*link++ = '\0';
	if (cuv_member_clean(text, &name, &err) < 0) {
		cuv_assert(err.message[0] && !strchr(err.message, '\n'));
		return 0;
	}
	cuv_assert(strlen(name.path) < CUV_MEMBER_NAME_MAX && name.path[0] != '/');
	int depth = walk(name.path, 0, false);
	cuv_assert(depth >= 0 && depth <= (int)CUV_MEMBER_DEPTH_MAX);
	if (name.path[0])
		cuv_assert(cuv_member_clean(name.path, &again, NULL) == 0 && strcmp(again.path, name.path) == 0);
	if (cuv_member_merge(name.path, &merged, NULL) < 0)
		return 0;
	cuv_assert(cuv_member_merge(merged.path, &again, NULL) == 0 && strcmp(again.path, merged.path) == 0);
	(void)cuv_member_wanted(merged.path);
	if (link && name.path[0] && cuv_member_link(name.path, link, &target, NULL) == 0) {
		depth = walk(merged.path, 0, false) - 1;
		cuv_assert(target.path[0] != '\0' && target.path[0] != '/');
		cuv_assert(walk(target.path, depth, true) >= 0);
	}
	return 0;
}
