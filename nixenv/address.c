/* SPDX-License-Identifier: MIT */
#include "nixenv/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

struct range {
	uint8_t bytes[16];
	unsigned bits;
	const char *what;
};

static const char private_range[] = "a private address";
static const char loopback[] = "a loopback address";
static const char link_local[] = "a link-local address";
static const char reserved[] = "a reserved address";
static const char multicast[] = "a multicast address";

static const struct range v4_ranges[] = {
	{{0}, 8, "an address of this host"},
	{{10}, 8, private_range},
	{{100, 64}, 10, "an address of carrier-grade NAT"},
	{{127}, 8, loopback},
	{{169, 254}, 16, link_local},
	{{172, 16}, 12, private_range},
	{{192, 0, 0}, 24, reserved},
	{{192, 0, 2}, 24, reserved},
	{{192, 31, 196}, 24, reserved},
	{{192, 52, 193}, 24, reserved},
	{{192, 88, 99}, 24, reserved},
	{{192, 168}, 16, private_range},
	{{192, 175, 48}, 24, reserved},
	{{198, 18}, 15, reserved},
	{{198, 51, 100}, 24, reserved},
	{{203, 0, 113}, 24, reserved},
	{{224}, 4, multicast},
	{{240}, 4, reserved},
};

/* For better words only: all of these lie outside of 2000::/3. */
static const struct range v6_named[] = {
	{{[15] = 1}, 128, loopback},	{{[10] = 0xff, [11] = 0xff}, 96, "an IPv4 address in IPv6 form"},
	{{0xfe, 0x80}, 10, link_local}, {{0xfc}, 7, private_range},
	{{0xff}, 8, multicast},
};

static const struct range v6_global = {{0x20}, 3, NULL};
static const struct range v6_nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96, NULL};

static const struct range v6_ranges[] = {
	{{0x20, 0x01}, 23, reserved}, /* protocol assignments, Teredo among them */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, reserved},
	{{0x20, 0x02}, 16, "an IPv4 address in IPv6 form"}, /* 6to4 */
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48, reserved},
	{{0x3f, 0xff}, 20, reserved},
};

static bool in_range(const uint8_t *address, const struct range *r)
{
	unsigned whole = r->bits / 8, rest = r->bits % 8;

	if (memcmp(address, r->bytes, whole) != 0)
		return false;
	return rest == 0 || ((address[whole] ^ r->bytes[whole]) >> (8 - rest)) == 0;
}

static const char *find(const uint8_t *address, const struct range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in_range(address, &ranges[i]))
			return ranges[i].what;
	return NULL;
}

static const char *v4_refused(const uint8_t *address)
{
	return find(address, v4_ranges, ARRAY_SIZE(v4_ranges));
}

static const char *v6_refused(const uint8_t *address)
{
	const char *what;

	if (in_range(address, &v6_nat64))
		return v4_refused(address + 12);
	if (in_range(address, &v6_global))
		return find(address, v6_ranges, ARRAY_SIZE(v6_ranges));
	what = find(address, v6_named, ARRAY_SIZE(v6_named));
	return what ? what : reserved;
}

const char *cuv_address_refused(const struct sockaddr *sa, socklen_t len)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (len >= (socklen_t)sizeof(v4) && sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		return v4_refused((const uint8_t *)&v4.sin_addr);
	}
	if (len >= (socklen_t)sizeof(v6) && sa->sa_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		return v6_refused(v6.sin6_addr.s6_addr);
	}
	return "no internet address";
}

const char *cuv_address_text_refused(const char *text)
{
	uint8_t v4[4], v6[16];

	if (inet_pton(AF_INET, text, v4) == 1)
		return v4_refused(v4);
	if (inet_pton(AF_INET6, text, v6) == 1)
		return v6_refused(v6);
	return "";
}
