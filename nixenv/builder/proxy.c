/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static const char *variable(const char *lower, const char *upper)
{
	const char *value = getenv(lower);

	if (!value || !*value)
		value = getenv(upper);
	return value && *value ? value : NULL;
}

/* The family and the bytes of an address in text; 0 for a name. */
static int address(const char *text, uint8_t ret[16])
{
	if (inet_pton(AF_INET, text, ret) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, text, ret) == 1 ? AF_INET6 : 0;
}

/* entry is "address" or "address/bits". */
static bool network_has(char *entry, const char *host)
{
	uint8_t net[16], ip[16];
	char *slash = strchr(entry, '/'), *end = NULL;
	unsigned long bits, width;
	int family;

	if (slash)
		*slash = '\0';
	family = address(entry, net);
	if (family == 0 || address(host, ip) != family)
		return false;
	width = family == AF_INET ? 32 : 128;
	bits = slash ? strtoul(slash + 1, &end, 10) : width;
	if (bits > width || (slash && (end == slash + 1 || *end)))
		return false;
	if (memcmp(net, ip, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((net[bits / 8] ^ ip[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool domain_has(const char *entry, const char *host)
{
	size_t n, len = strlen(host);

	entry += entry[0] == '.';
	n = strlen(entry);
	if (n == 0 || n > len || strcasecmp(host + len - n, entry) != 0)
		return false;
	return n == len || host[len - n - 1] == '.';
}

bool cuv_no_proxy_has(const char *list, const char *host)
{
	uint8_t ignored[16];
	bool is_name = address(host, ignored) == 0;

	while (*list) {
		size_t n = strcspn(list, ", \t");
		char entry[CUV_HOST_SIZE + 4];

		if (n > 0 && n < sizeof(entry)) {
			memcpy(entry, list, n);
			entry[n] = '\0';
			if (strcmp(entry, "*") == 0 || (is_name ? domain_has(entry, host) : network_has(entry, host)))
				return true;
		}
		list += n;
		list += strspn(list, ", \t");
	}
	return false;
}

const char *cuv_proxy_for(const struct cuv_site *o)
{
	const char *proxy = o->https ? variable("https_proxy", "HTTPS_PROXY") : variable("http_proxy", "HTTP_PROXY");
	const char *none = variable("no_proxy", "NO_PROXY");

	if (!proxy)
		proxy = variable("all_proxy", "ALL_PROXY");
	return proxy && none && cuv_no_proxy_has(none, o->host) ? NULL : proxy;
}
