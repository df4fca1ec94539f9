/* SPDX-License-Identifier: MIT */
/* Addresses, their sites, proxies before them, and who gets which credentials. */
#include "nixenv/builder/access.h"
#include "nixenv/builder/proxy.h"
#include "nixenv/builder/transfer.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static struct cuv_site site(const char *address)
{
	_cleanup_url_ struct cuv_url u = {0};

	assert_ok(cuv_url_parse(address, &u));
	return u.site;
}

TEST(parts)
{
	_cleanup_url_ struct cuv_url u = {0}, v = {0}, w = {0};

	assert_ok(cuv_url_parse("https://Us%40er:pa%3Ass@Example.ORG./a/b%20c?q=1#sha256=00", &u));
	assert_true(u.site.https);
	assert_int_equal(u.site.port, 443);
	assert_string_equal(u.site.host, "example.org");
	assert_string_equal(u.user, "Us@er");
	assert_string_equal(u.password, "pa:ss");
	assert_string_equal(u.path, "/a/b%20c");
	assert_null(strstr(u.bare, "pa"));
	assert_null(strchr(u.bare, '#'));
	assert_ok(cuv_url_parse("http://[2001:DB8::1]:8080", &v));
	assert_string_equal(v.site.host, "2001:db8::1");
	assert_int_equal(v.site.port, 8080);
	assert_null(v.user);
	assert_ok(cuv_url_parse("http://token@host/", &w));
	assert_string_equal(w.user, "token");
	assert_null(w.password);
}

/* Whatever spelling: the check sees the address that is connected to. */
TEST(numbers_are_addresses)
{
	static const char *const same[] = {"http://127.0.0.1/", "http://127.1/", "http://2130706433/",
					   "http://0x7f000001/", "http://0177.0.0.1/"};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		struct cuv_site s = site(same[i]);

		assert_string_equal(s.host, "127.0.0.1");
	}
}

TEST(no_addresses)
{
	static const char *const bad[] = {
		"",
		"/etc/passwd",
		"file:///etc/passwd",
		"ftp://host/",
		"host/path",
		"//host/",
		"http://",
		"http://host:0/",
		"http://host:65536/",
		"http://ho st/",
		"git://h/",
		"http://[fe80::1",
		"http://[::1%25eth0]/",
		"http://h\xc3\xb6st/",
		"https:",
		"http:// h/",
		"http://host\n.org/",
		"http://[]/",
		"javascript:alert(1)",
	};
	_cleanup_free_ char *longest = malloc(CUV_URL_BYTES_MAX + 2);
	struct cuv_url u;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cuv_url_parse(bad[i], &u) != -EINVAL)
			fail_msg("`%s` is taken", bad[i]);
	memset(longest, 'a', CUV_URL_BYTES_MAX + 1);
	memcpy(longest, "http://h/", 9);
	longest[CUV_URL_BYTES_MAX + 1] = '\0';
	assert_int_equal(cuv_url_parse(longest, &u), -EINVAL);
}

TEST(sites)
{
	struct cuv_site a = site("https://host/x"), b = site("https://HOST:443/y"), c = site("http://host:443/"),
			d = site("https://host:444/"), e = site("https://host.org/");

	assert_true(cuv_site_same(&a, &b));
	assert_false(cuv_site_same(&a, &c));
	assert_false(cuv_site_same(&a, &d));
	assert_false(cuv_site_same(&a, &e));
}

static void assert_scrubbed(const char *text, const char *expected)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4096);

	cuv_url_scrub(text, strlen(text), &out);
	assert_string_equal(cuv_buf_str(&out), expected);
}

TEST(scrubbed)
{
	assert_scrubbed("", "");
	assert_scrubbed("no address: a@b", "no address: a@b");
	assert_scrubbed("at `https://u:p@h/x@1` and http://t@i", "at `https://h/x@1` and http://i");
	assert_scrubbed("https://u:p@w@h/", "https://h/");
	assert_scrubbed("https://h/?a@b ://", "https://h/?a@b ://");
}

TEST(without_proxy)
{
	assert_true(cuv_no_proxy_has("*", "example.org"));
	assert_true(cuv_no_proxy_has("a.b, example.org", "example.org"));
	assert_true(cuv_no_proxy_has(".example.org", "www.example.org"));
	assert_true(cuv_no_proxy_has("example.org", "www.example.org"));
	assert_true(cuv_no_proxy_has("10.0.0.0/8 x", "10.1.2.3"));
	assert_true(cuv_no_proxy_has("10.1.2.3", "10.1.2.3"));
	assert_true(cuv_no_proxy_has("172.16.0.0/12", "172.31.0.1"));
	assert_true(cuv_no_proxy_has("fd00::/8", "fd12::1"));
	assert_false(cuv_no_proxy_has("", "example.org"));
	assert_false(cuv_no_proxy_has("ple.org", "example.org"));
	assert_false(cuv_no_proxy_has("example.org", "example.org.evil"));
	assert_false(cuv_no_proxy_has("172.16.0.0/12", "172.32.0.1"));
	assert_false(cuv_no_proxy_has("10.0.0.0/", "10.0.0.0"));
	assert_false(cuv_no_proxy_has("10.0.0.0/33", "10.0.0.0"));
	assert_false(cuv_no_proxy_has(".1.2.3", "10.1.2.3"));
	assert_false(cuv_no_proxy_has("::/0", "10.1.2.3"));
}

TEST(proxies)
{
	struct cuv_site plain = site("http://example.org/"), tls = site("https://example.org/");

	setenv("HTTP_PROXY", "http://upper:1", 1);
	setenv("http_proxy", "", 1);
	setenv("all_proxy", "http://all:1", 1);
	assert_string_equal(cuv_proxy_for(&plain), "http://upper:1");
	assert_string_equal(cuv_proxy_for(&tls), "http://all:1");
	setenv("no_proxy", "example.org", 1);
	assert_null(cuv_proxy_for(&plain));
	unsetenv("HTTP_PROXY");
	unsetenv("all_proxy");
	unsetenv("no_proxy");
	assert_null(cuv_proxy_for(&tls));
}

static const char *password_for(const struct cuv_access *a, const char *address)
{
	_cleanup_url_ struct cuv_url u = {0};
	const struct cuv_place *p;

	assert_ok(cuv_url_parse(address, &u));
	p = cuv_access_credentials(a, &u);
	return p ? p->url.password : NULL;
}

TEST(who_gets_what)
{
	static const char config[] = "index-url = \"https://c:four@config/simple\"\n"
				     "[[index]]\nname = \"two\"\nurl = \"https://named/simple\"\n"
				     "[pip]\nfind-links = [\"/a/folder\", \"https://p:five@links/\"]\n";
	_cleanup_(cuv_access_done) struct cuv_access a = {0};
	struct cuv_site listed, other;
	uint32_t line = 0;

	setenv("UV_DEFAULT_INDEX", "https://u:one@multi/first/simple", 1);
	setenv("UV_INDEX", "second=https://multi/second/simple file:///x", 1);
	setenv("UV_INDEX_SECOND_USERNAME", "u", 1);
	setenv("UV_INDEX_SECOND_PASSWORD", "two", 1);
	setenv("UV_INDEX_TWO_PASSWORD", "three", 1);
	setenv("CUVETTE_TRUSTED_ORIGINS", "https://git:8443,http://open", 1);
	assert_ok(cuv_access_read(config, strlen(config), &a, &line));
	assert_string_equal(password_for(&a, "https://multi/first/files/x.whl"), "one");
	assert_string_equal(password_for(&a, "https://multi/second/files/x.whl"), "two");
	assert_string_equal(password_for(&a, "https://named/x"), "three");
	assert_string_equal(password_for(&a, "https://config/x"), "four");
	assert_string_equal(password_for(&a, "https://links/x"), "five");
	assert_null(password_for(&a, "http://multi/first/files/x.whl"));
	assert_null(password_for(&a, "https://multi:444/first/files/x.whl"));
	assert_null(password_for(&a, "https://git:8443/x"));
	listed = site("https://git:8443/y");
	other = site("https://multi/");
	assert_true(cuv_access_listed(&a, &listed));
	assert_true(cuv_access_has(&a, &other));
	assert_false(cuv_access_listed(&a, &other));
	other = site("https://git/");
	assert_false(cuv_access_has(&a, &other));
}

TEST(configuration_that_is_not_understood)
{
	static const char config[] = "\nindex-url = \"https://c/\"\n]\n";
	_cleanup_(cuv_access_done) struct cuv_access a = {0};
	struct cuv_site s = site("https://env/");
	uint32_t line = 0;

	setenv("UV_DEFAULT_INDEX", "https://env/simple", 1);
	assert_int_equal(cuv_access_read(config, strlen(config), &a, &line), -EINVAL);
	assert_int_equal(line, 3);
	assert_true(cuv_access_has(&a, &s));
}

TEST(content_ranges)
{
	static const char *const bad[] = {"",
					  "bytes",
					  "bytes 1",
					  "bytes 1-",
					  "bytes 1-2",
					  "bytes 2-1/3",
					  "bytes 1-3/3",
					  "bytes */3",
					  "bytes -1-2/3",
					  "bytes 1-2/3 ",
					  "bytes 1-2/-",
					  "bytes 1-2/99999999999999999999",
					  "items 1-2/3"};
	uint64_t first, total;

	assert_ok(cuv_content_range("bytes 5-9/10", &first, &total));
	assert_int_equal(first, 5);
	assert_int_equal(total, 10);
	assert_ok(cuv_content_range("Bytes 0-0/*", &first, &total));
	assert_int_equal(total, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (cuv_content_range(bad[i], &first, &total) != -EINVAL)
			fail_msg("`%s` is taken", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts),
		cmocka_unit_test(numbers_are_addresses),
		cmocka_unit_test(no_addresses),
		cmocka_unit_test(sites),
		cmocka_unit_test(scrubbed),
		cmocka_unit_test(without_proxy),
		cmocka_unit_test(proxies),
		cmocka_unit_test(who_gets_what),
		cmocka_unit_test(configuration_that_is_not_understood),
		cmocka_unit_test(content_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
