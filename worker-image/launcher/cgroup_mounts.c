/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/cgroup_mounts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

unsigned cuv_cgroup_parse_controllers(const char *list)
{
	static const struct {
		const char *name;
		unsigned bit;
	} known[] = {
		{"memory", CUV_CG_MEMORY}, {"pids", CUV_CG_PIDS}, {"cpu", CUV_CG_CPU}, {"cpuacct", CUV_CG_CPUACCT}};
	unsigned set = 0;

	while (*list) {
		size_t i, len = strcspn(list, ", \n");

		for (i = 0; i < ARRAY_SIZE(known); i++)
			if (strlen(known[i].name) == len && memcmp(list, known[i].name, len) == 0)
				set |= known[i].bit;
		list += len;
		list += strspn(list, ", \n");
	}
	return set;
}

/* Copies a field of mountinfo, in which blanks are written as \040 and so on. */
static int copy_field(const char *s, size_t len, size_t size, char *dst)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		char c = s[i];

		if (c == '\\' && i + 3 < len && s[i + 1] >= '0' && s[i + 1] <= '3') {
			c = (char)((s[i + 1] - '0') * 64 + (s[i + 2] - '0') * 8 + (s[i + 3] - '0'));
			i += 3;
		}
		if (n + 1 >= size)
			return -EINVAL;
		dst[n++] = c;
	}
	dst[n] = '\0';
	return 0;
}

/* id parent major:minor ROOT POINT options [tags…] - TYPE source SUPEROPTIONS */
int cuv_cgroup_parse_mount(const char *line, struct cuv_cgroup_mount *ret)
{
	struct cuv_cgroup_mount m = {0};
	const char *field[4], *end = strchrnul(line, '\n'), *p = line, *type;
	size_t i, len[4], n;

	for (i = 0; i < 5; i++) {
		n = strcspn(p, " \n");
		if (n == 0 || p + n >= end)
			return -EINVAL;
		if (i >= 3) {
			field[i - 3] = p;
			len[i - 3] = n;
		}
		p += n + 1;
	}
	type = memmem(p, (size_t)(end - p), " - ", 3);
	if (!type)
		return -EINVAL;
	p = type + 3;
	for (i = 2; i < 4; i++) { /* the type, then (past the source) the options */
		n = strcspn(p, " \n");
		field[i] = p;
		len[i] = n;
		p += n;
		if (i == 2) {
			p += *p == ' ';
			p += strcspn(p, " \n");
		}
		p += *p == ' ';
	}
	if (len[2] == 7 && memcmp(field[2], "cgroup2", 7) == 0) {
		m.version = 2;
	} else if (len[2] == 6 && memcmp(field[2], "cgroup", 6) == 0) {
		char options[512];

		m.version = 1;
		if (copy_field(field[3], len[3], sizeof(options), options) < 0)
			return -EINVAL;
		m.controllers = cuv_cgroup_parse_controllers(options);
		if (!m.controllers)
			return 1;
	} else {
		return 1;
	}
	if (copy_field(field[0], len[0], sizeof(m.root), m.root) < 0 ||
	    copy_field(field[1], len[1], sizeof(m.point), m.point) < 0)
		return -EINVAL;
	*ret = m;
	return 0;
}

/* Lines are "number:controllers:path"; version 2's is "0::path". */
int cuv_cgroup_find_own(const char *text, const char *controller, size_t size, char *ret_path)
{
	while (text && *text) {
		const char *end = strchrnul(text, '\n');
		const char *list = memchr(text, ':', (size_t)(end - text));
		const char *path = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
		bool found = false;

		if (path && !controller)
			found = path == list + 1;
		else if (path) {
			const char *p = list + 1;

			while (p < path && !found) {
				size_t n = strcspn(p, ",:");

				found = strlen(controller) == n && memcmp(p, controller, n) == 0;
				p += n + 1;
			}
		}
		if (found && (size_t)(end - path) <= size) {
			memcpy(ret_path, path + 1, (size_t)(end - path - 1));
			ret_path[end - path - 1] = '\0';
			return 0;
		}
		text = *end ? end + 1 : NULL;
	}
	return -ENOENT;
}
