/* SPDX-License-Identifier: MIT */
#include "manager/origins.h"

#include <ctype.h>
#include <string.h>

#define BETWEEN ", \t"

static bool is_origin(const char *text, size_t len)
{
	const char *host = memmem(text, len, "://", 3);
	size_t i;

	if (!host || host == text || host + 3 == text + len)
		return false;
	for (i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]) || strchr("\"'<>\\@?#*", text[i]))
			return false;
	return !memchr(host + 3, '/', (size_t)(text + len - host - 3));
}

bool cuv_origins_valid(const char *list)
{
	bool any = false;

	if (strlen(list) > CUV_ORIGINS_LEN_MAX)
		return false;
	for (list += strspn(list, BETWEEN); *list; list += strspn(list, BETWEEN)) {
		const size_t len = strcspn(list, BETWEEN);

		if (!is_origin(list, len))
			return false;
		any = true;
		list += len;
	}
	return any;
}

bool cuv_origins_have(const char *list, const char *origin)
{
	const size_t wanted = strlen(origin);

	for (list += list ? strspn(list, BETWEEN) : 0; list && *list; list += strspn(list, BETWEEN)) {
		const size_t len = strcspn(list, BETWEEN);

		if (len == wanted && memcmp(list, origin, len) == 0)
			return true;
		list += len;
	}
	return false;
}
