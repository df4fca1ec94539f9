/* SPDX-License-Identifier: MIT */
/* Which addresses are public. */
#include "nixenv/address.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

/* As connect() would get it. */
static const char *refused(const char *text)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(443)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
	const char *by_text = cuv_address_text_refused(text), *what;

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		what = cuv_address_refused((struct sockaddr *)&v4, sizeof(v4));
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
		what = cuv_address_refused((struct sockaddr *)&v6, sizeof(v6));
	}
	assert_true(what == by_text);
	return what;
}

TEST(public_ones)
{
	static const char *const good[] = {
		"1.1.1.1",	   "8.8.8.8",	      "9.255.255.255",	  "11.0.0.0",	     "100.63.255.255",
		"100.128.0.0",	   "126.255.255.255", "128.0.0.1",	  "169.253.255.255", "169.255.0.0",
		"172.15.255.255",  "172.32.0.0",      "192.0.1.0",	  "192.167.255.255", "192.169.0.0",
		"198.17.255.255",  "198.20.0.0",      "223.255.255.255",  "2606:4700::1111", "2a00:1450:4001::200e",
		"2001:4860::8888", "2001:200::1",     "64:ff9b::8.8.8.8", "3ffe::1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (refused(good[i]))
			fail_msg("%s is %s", good[i], refused(good[i]));
}

TEST(others)
{
	static const char *const bad[] = {
		"0.0.0.0",
		"0.255.255.255",
		"10.0.0.0",
		"10.255.255.255",
		"100.64.0.0",
		"100.127.255.255",
		"127.0.0.1",
		"127.255.255.255",
		"169.254.0.0",
		"169.254.169.254",
		"172.16.0.0",
		"172.31.255.255",
		"192.0.0.8",
		"192.0.2.1",
		"192.88.99.1",
		"192.168.0.0",
		"192.168.255.255",
		"198.18.0.1",
		"198.19.255.255",
		"198.51.100.7",
		"203.0.113.9",
		"224.0.0.1",
		"239.255.255.255",
		"240.0.0.1",
		"255.255.255.255",
		"::",
		"::1",
		"::127.0.0.1",
		"::8.8.8.8", /* compatible form */
		"::ffff:127.0.0.1",
		"::ffff:8.8.8.8", /* mapped */
		"64:ff9b::127.0.0.1",
		"64:ff9b::10.1.2.3",
		"64:ff9b:1::8.8.8.8",
		"100::1",
		"2001::1", /* Teredo */
		"2001:2::1",
		"2001:10::1",
		"2001:1ff:ffff::1",
		"2001:db8::1",
		"2002:7f00:1::",
		"2002:808:808::1",
		"3fff::1",
		"3fff:fff::1",
		"4000::1",
		"5f00::1",
		"fc00::1",
		"fdff::1",
		"fe80::1",
		"febf::1",
		"fec0::1",
		"ff02::1",
		"ffff::1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (!refused(bad[i]))
			fail_msg("%s counts as public", bad[i]);
}

TEST(said_in_words)
{
	assert_string_equal(refused("127.0.0.1"), "a loopback address");
	assert_string_equal(refused("::1"), "a loopback address");
	assert_string_equal(refused("169.254.169.254"), "a link-local address");
	assert_string_equal(refused("100.64.0.1"), "an address of carrier-grade NAT");
	assert_string_equal(refused("::ffff:8.8.8.8"), "an IPv4 address in IPv6 form");
	assert_string_equal(refused("fd00::1"), "a private address");
}

TEST(no_address_at_all)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in6 cut = {.sin6_family = AF_INET6};

	assert_non_null(cuv_address_refused((struct sockaddr *)&un, sizeof(un)));
	assert_non_null(cuv_address_refused((struct sockaddr *)&cut, sizeof(struct sockaddr_in)));
	assert_string_equal(cuv_address_text_refused("example.org"), "");
	assert_string_equal(cuv_address_text_refused("127.1"), "");
	assert_string_equal(cuv_address_text_refused(""), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(public_ones),
		cmocka_unit_test(others),
		cmocka_unit_test(said_in_words),
		cmocka_unit_test(no_address_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
