/* SPDX-License-Identifier: MIT */
/* What binary caches say about paths, its signatures, and who may have what. */
#include "lib/base/error.h"
#include "nixenv/builder/caches.h"
#include "nixenv/builder/public.h"
#include "nixenv/cachekey.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME "g1g9klpfhinq7lnspgvg9a9mnqw5vb27-cuvette-environment"
#define OTHER "g00g1wzqygy86dv27sddgj4pwp94lakx-beta-1.0"
#define HASH "00y1iwwpw97iakmzijp6mhwlg6bwi4nyysdp8v0247f6r8jrcnka"
#define KEY "cuvette-b5ac6298:taximKqEizibv83sz+YunyxI9o9sJunBu3v4LHVudOE="
#define START "StorePath: /nix/store/" NAME "\nURL: nar/a.nar.zst\nCompression: zstd\n"
#define REST "NarHash: sha256:" HASH "\nNarSize: 4912\n"
#define REFS "References: " NAME " " OTHER "\n"

static int parse(const char *text, struct cuv_narinfo *n, uint32_t *line)
{
	return cuv_narinfo_parse(text, strlen(text), n, line);
}

TEST(read_and_written)
{
	_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT;
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(65536), print = CUV_BUF_INIT(65536);
	uint32_t line;

	assert_ok(parse(START "FileSize: 77\nX-Other: thing\n" REST REFS "Deriver: unknown-deriver\n", &n, &line));
	assert_string_equal(n.store_name, NAME);
	assert_int_equal(n.nar_bytes, 4912);
	assert_int_equal(n.file_bytes, 77);
	assert_int_equal(n.packing, CUV_PACKING_ZSTD);
	/* Sorted, as signatures are of them. */
	assert_int_equal(n.refs.n, 2);
	assert_string_equal(n.refs.items[0], OTHER);
	assert_ok(cuv_narinfo_write(&n, &out));
	assert_string_equal(cuv_buf_str(&out), START "FileSize: 77\n" REST "References: " OTHER " " NAME "\n");
	assert_ok(cuv_narinfo_fingerprint(&n, &print));
	assert_string_equal(cuv_buf_str(&print),
			    "1;/nix/store/" NAME ";sha256:" HASH ";4912;/nix/store/" OTHER ",/nix/store/" NAME);
}

TEST(refused_with_the_line)
{
	static const struct {
		const char *text;
		uint32_t line;
	} bad[] = {
		{"", 0},
		{START REST, 0}, /* no References */
		{START "NarSize: 0\n", 4},
		{START "NarSize: 99999999999999999999\n", 4},
		{START "NarSize: -1\n", 4},
		{START "URL: nar/b\n", 4}, /* twice */
		{START "no colon\n", 4},
		{START REST "References: ../../etc/passwd\n", 6},
		{START REST REFS "Deriver: /nix/store/x.drv\n", 7},
		{START REST REFS "Sig: nocolon\n", 7},
		{START REST REFS "CA: a b\n", 7},
		{"StorePath: /nix/store/../etc/passwd\n", 1},
		{"StorePath: /gnu/store/" NAME "\n", 1},
		{"URL: http://elsewhere/nar\n", 1},
		{"URL: /nar/a\n", 1},
		{"URL: nar/../../a\n", 1},
		{"URL: ..\n", 1},
		{"URL: nar//a\n", 1},
		{"URL: \n", 1},
		{"URL: a?b\n", 1},
		{"Compression: lzip\n", 1},
		{"NarHash: md5:00\n", 1},
		{"NarHash: sha256:0\n", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT;
		uint32_t line = 99;

		assert_int_equal(parse(bad[i].text, &n, &line), -EBADMSG);
		assert_int_equal(line, bad[i].line);
	}
}

/* A signature that stock Nix has accepted. */
static const char signed_text[] =
	"StorePath: /nix/store/" NAME "\nURL: nar/a.nar.zst\nCompression: zstd\n" REST "References: " OTHER " " NAME
	" js0y910i8nr8zgjvc38kjdjkgc95z9n8-worker-image-python311"
	" m2l56szja4ybkrc59vnx7y7ik4dv90wv-alpha-1.0\n"
	"Sig: "
	"cuvette-b5ac6298:AsY/bPzttjvCW/AtuAZ3X2r6VT36/DVyqP3CZ6TwNLPbpzLLQW19sDGHTX+r+YhkTe061KXTT6xNc4j891AcAg==\n";

TEST(signature_of_a_service)
{
	_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT;
	const char *sig = NULL;
	struct cuv_cache_key key, other;
	uint32_t line;

	assert_ok(parse(signed_text, &n, &line));
	assert_ok(cuv_cache_key_parse(KEY, &key));
	assert_true(cuv_narinfo_verify(&n, &key, 1, &sig));
	assert_string_equal(sig, n.sigs.items[0]);
	/* Another key of that name, that key by another name, none. */
	other = key;
	other.key[3] ^= 1;
	assert_false(cuv_narinfo_verify(&n, &other, 1, NULL));
	assert_ok(cuv_cache_key_parse("x" KEY, &other));
	assert_false(cuv_narinfo_verify(&n, &other, 1, NULL));
	assert_false(cuv_narinfo_verify(&n, NULL, 0, NULL));
	/* What is signed was changed. */
	n.nar_bytes++;
	assert_false(cuv_narinfo_verify(&n, &key, 1, NULL));
	n.nar_bytes--;
	n.nar_hash.bytes[0] ^= 1;
	assert_false(cuv_narinfo_verify(&n, &key, 1, NULL));
	n.nar_hash.bytes[0] ^= 1;
	n.refs.n--;
	assert_false(cuv_narinfo_verify(&n, &key, 1, NULL));
	n.refs.n++;
	assert_true(cuv_narinfo_verify(&n, &key, 1, NULL));
}

TEST(own_signature)
{
	_cleanup_narinfo_ struct cuv_narinfo n = CUV_NARINFO_INIT;
	char text[CUV_CACHE_KEY_TEXT_SIZE], public[CUV_CACHE_KEY_TEXT_SIZE];
	struct cuv_cache_secret made, again;
	struct cuv_cache_key key;
	uint32_t line;

	assert_true(sodium_init() >= 0);
	cuv_cache_secret_make("test", &made);
	cuv_cache_secret_text(&made, text);
	assert_ok(cuv_cache_secret_parse(text, &again));
	cuv_cache_secret_public(&again, public);
	assert_ok(cuv_cache_key_parse(public, &key));
	assert_int_equal(cuv_cache_key_parse(text, &key), -EINVAL); /* the secret is no public key */
	assert_ok(cuv_cache_key_parse(public, &key));
	assert_ok(parse(START REST REFS, &n, &line));
	assert_false(cuv_narinfo_verify(&n, &key, 1, NULL));
	assert_ok(cuv_narinfo_sign(&n, &again));
	assert_true(cuv_narinfo_verify(&n, &key, 1, NULL));
}

TEST(list_of_caches)
{
	static const char *const bad[] = {
		"https://a.example",
		KEY,
		"https://a.example nokey",
		"ftp://a.example " KEY,
		"https://a.example https://b.example " KEY,
		"https://a.example " KEY " " KEY " " KEY " " KEY " " KEY,
	};
	struct cuv_access access = {0};
	struct cuv_caches c;
	struct cuv_error err;

	assert_ok(cuv_caches_read(NULL, &access, &c, &err));
	assert_int_equal(c.n, 0);
	assert_ok(cuv_caches_read(" https://u:secret@a.example/x " KEY "\n" KEY " http://b.example:81 " KEY, &access,
				  &c, &err));
	assert_int_equal(c.n, 2);
	assert_string_equal(c.items[0].url, "https://a.example/x/");
	assert_int_equal(c.items[0].n_keys, 2);
	assert_string_equal(c.items[1].url, "http://b.example:81/");
	assert_int_equal(access.n, 2);
	assert_string_equal(access.places[0].url.password, "secret");
	cuv_caches_done(&c);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cuv_caches_read(bad[i], &access, &c, &err), -EINVAL);
		assert_non_null(strstr(err.message, "CUVETTE_CACHES"));
	}
	cuv_access_done(&access);
}

/* One index without credentials, and then one more with. */
TEST(public_addresses)
{
	struct cuv_place places[3] = {0};
	struct cuv_settings s = {.netrc = CUV_BUF_INIT(4096), .access = {.places = places, .n = 1}};

	places[0].standard = true;
	assert_ok(cuv_url_parse("https://open.example/simple", &places[0].url));
	assert_ok(cuv_url_parse("https://u:p@closed.example/simple", &places[1].url));
	assert_ok(cuv_url_parse("https://u:p@cache.example/", &places[2].url));
	assert_true(cuv_public_address(&s, "https://open.example/a.whl"));
	assert_true(cuv_public_address(&s, "https://files.example/a.whl"));
	assert_false(cuv_public_address(&s, "https://u:p@files.example/a.whl"));
	assert_false(cuv_public_address(&s, "no address"));
	s.access.n = 2;
	assert_true(cuv_public_address(&s, "https://open.example/a.whl"));
	assert_false(cuv_public_address(&s, "https://closed.example/a.whl"));
	assert_false(cuv_public_address(&s, "https://files.example/a.whl")); /* whose, nobody can tell */
	/* A cache's password says nothing about indexes. */
	cuv_url_done(&places[1].url);
	places[1] = places[2];
	places[1].cache = true;
	assert_true(cuv_public_address(&s, "https://files.example/a.whl"));
	assert_ok(cuv_buf_add_str(&s.netrc, "machine open.example login u password p\n"));
	assert_false(cuv_public_address(&s, "https://open.example/a.whl"));
	assert_false(cuv_public_address(&s, "https://files.example/a.whl"));
	cuv_buf_done(&s.netrc);
	cuv_url_done(&places[0].url);
	cuv_url_done(&places[1].url);
}

static bool is_public_with(const char *standard, const char *more, const char *open, const char *address)
{
	struct cuv_settings s = {.netrc = CUV_BUF_INIT(64)};
	uint32_t line;
	bool ret;

	setenv("UV_DEFAULT_INDEX", standard, 1);
	setenv("UV_INDEX", more, 1);
	setenv("CUVETTE_PUBLIC_INDEXES", open, 1);
	assert_ok(cuv_access_read("", 0, &s.access, &line));
	ret = cuv_public_address(&s, address);
	cuv_access_done(&s.access);
	unsetenv("UV_DEFAULT_INDEX");
	unsetenv("UV_INDEX");
	unsetenv("CUVETTE_PUBLIC_INDEXES");
	return ret;
}

/* What is in an index's address may be known to few, without any password. */
TEST(indexes_are_public_by_the_operators_word)
{
#define PLAIN "https://a.example/simple/"
#define TOKEN "https://b.example/t0ken/simple"
	static const struct {
		const char *standard, *more, *open, *address;
		bool is_public;
	} cases[] = {
		{PLAIN, "", "", "https://a.example/x.whl", true},
		{"https://a.example", "", "", "https://files.example/x.whl", true},
		{"main=" PLAIN, "", "", "https://files.example/x.whl", true},
		{TOKEN, "", "", "https://b.example/x.whl", false},
		{TOKEN, "", "", "https://files.example/x.whl", false},
		{PLAIN "?key=1", "", "", "https://a.example/x.whl", false},
		{TOKEN, "", TOKEN "/", "https://b.example/x.whl", true},
		{TOKEN, "", TOKEN, "https://files.example/x.whl", true},
		{TOKEN, "", "https://b.example/other/simple", "https://b.example/x.whl", false},
		/* a default one that looks like the operator's own */
		{"http://a.example/simple", "", "", "http://a.example/x.whl", false},
		{"http://a.example/simple", "", "", "https://files.example/x.whl", false},
		{"http://a.example/simple", "", "http://a.example/simple", "http://a.example/x.whl", true},
		{"https://index/simple", "", "", "https://index/x.whl", false},
		{"https://index./simple", "", "", "https://index/x.whl", false},
		{"https://Index.Internal/simple", "", "", "https://index.internal/x.whl", false},
		{"https://index.local:8443", "", "", "https://index.local:8443/x.whl", false},
		{"https://10.1.2.3/simple", "", "", "https://10.1.2.3/x.whl", false},
		{"https://127.0.0.1:3141", "", "", "https://files.example/x.whl", false},
		{"https://[fd00::1]/simple", "", "", "https://[fd00::1]/x.whl", false},
		{"https://[fd00::1]/simple", "", "https://[fd00::1]/simple/", "https://[fd00::1]/x.whl", true},
		{"https://11.0.0.1/simple", "", "", "https://11.0.0.1/x.whl", true},
		{"https://internal.example/simple", "", "", "https://internal.example/x.whl", true},
		/* others than the default one, whatever they are called */
		{PLAIN, "https://c.example/simple", "", "https://c.example/x.whl", false},
		{PLAIN, "https://c.example/simple", "", "https://a.example/x.whl", true},
		{PLAIN, "https://c.example/simple", "", "https://files.example/x.whl", false},
		{PLAIN, "https://c.example/simple", "https://files.example", "https://files.example/x.whl", true},
		{PLAIN, "https://c.example/simple", "https://c.example/simple", "https://files.example/x.whl", true},
		{PLAIN, TOKEN " https://a.example/t0ken/simple", "", "https://a.example/x.whl", false},
		{PLAIN, "https://u:p@c.example/simple", "https://c.example/simple", "https://c.example/x.whl", false},
		{PLAIN, "/srv/wheels", PLAIN, "https://files.example/x.whl", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (is_public_with(cases[i].standard, cases[i].more, cases[i].open, cases[i].address) !=
		    cases[i].is_public)
			fail_msg("%zu: %s", i, cases[i].address);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_and_written),
		cmocka_unit_test(refused_with_the_line),
		cmocka_unit_test(signature_of_a_service),
		cmocka_unit_test(own_signature),
		cmocka_unit_test(list_of_caches),
		cmocka_unit_test(public_addresses),
		cmocka_unit_test(indexes_are_public_by_the_operators_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
