/* SPDX-License-Identifier: MIT */
/* A request's head as civetweb hands it over: parsed in place, each line end
 * made NUL, the last NUL over the LF of the empty line. */
#include "manager/http_head.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

struct laid_out {
	struct mg_request_info info;
	char bytes[8192];
	size_t len;
};

static char *add(struct laid_out *l, const char *text, size_t nuls)
{
	char *at = l->bytes + l->len;

	memcpy(at, text, strlen(text));
	l->len += strlen(text) + nuls; /* the memory is zero */
	return at;
}

/* lines: "Name: value" each; rest: what civetweb left unread, "" for nothing. */
static void lay_out(struct laid_out *l, const char *method, const char *uri, const char *version,
		    const char *const *lines, const char *rest)
{
	*l = (struct laid_out){.len = 0};
	l->info.request_method = add(l, method, 1);
	l->info.request_uri = l->info.local_uri_raw = add(l, uri, 1);
	l->info.http_version = add(l, version, *lines || *rest ? 2 : 4);
	for (; *lines; lines++) {
		const char *colon = strchr(*lines, ':');
		struct mg_header *h = &l->info.http_headers[l->info.num_headers++];
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(colon - *lines), *lines);
		h->name = add(l, name, 1);
		h->value = add(l, colon + 2, 2);
	}
	add(l, *rest ? rest : "\r", 1);
}

static int read_head(struct laid_out *l, struct cuv_http_head *h, struct cuv_error *err)
{
	*err = CUV_ERROR_INIT;
	return cuv_http_head_read(&l->info, h, err);
}

#define LINES(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static void good(const char *method, const char *version, const char *const *lines, struct cuv_http_head *h)
{
	static struct laid_out l; /* h borrows from it */
	struct cuv_error err;

	lay_out(&l, method, "/api/v1/run", version, lines, "");
	if (read_head(&l, h, &err) != 0)
		fail_msg("%s", err.message);
}

static void bad(const char *version, const char *const *lines, const char *rest, const char *words)
{
	struct laid_out l;
	struct cuv_http_head h;
	struct cuv_error err;

	lay_out(&l, "POST", "/api/v1/run", version, lines, rest);
	if (read_head(&l, &h, &err) == 0)
		fail_msg("accepted, wanted: %s", words);
	assert_int_equal(err.code, CUV_E_BAD_REQUEST);
	if (!strstr(err.message, words))
		fail_msg("%s", err.message);
}

TEST(an_ordinary_head)
{
	struct cuv_http_head h;

	good("POST", "1.1",
	     LINES("Host: localhost:8080", "content-LENGTH: 123", "Content-Type: a/b", "Expect: 100-Continue",
		   "X-API-Key: k", "Origin: http://o", "Accept: */*"),
	     &h);
	assert_string_equal(h.path, "/api/v1/run");
	assert_int_equal(h.body, CUV_BODY_LENGTH);
	assert_int_equal(h.length, 123);
	assert_true(h.expect_continue && h.keep_alive && !h.is_head);
	assert_string_equal(h.content_type, "a/b");
	assert_string_equal(h.api_key, "k");
	assert_string_equal(h.origin, "http://o");
	good("HEAD", "1.0", LINES(), &h);
	assert_true(h.is_head && !h.keep_alive && h.body == CUV_BODY_NONE);
	assert_null(h.api_key);
}

TEST(bodies_are_framed_in_one_way_only)
{
	struct cuv_http_head h;

	good("POST", "1.1", LINES("Host: a", "Transfer-Encoding: Chunked"), &h);
	assert_int_equal(h.body, CUV_BODY_CHUNKED);
	assert_false(h.keep_alive);
	bad("1.1", LINES("Host: a", "Content-Length: 1", "Content-Length: 1"), "", "more than one Content-Length");
	bad("1.1", LINES("Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"), "", "both");
	bad("1.1", LINES("Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "", "chunked");
	bad("1.1", LINES("Host: a", "Transfer-Encoding: gzip, chunked"), "", "chunked");
	bad("1.1", LINES("Host: a", "Transfer-Encoding: identity"), "", "chunked");
	bad("1.0", LINES("Transfer-Encoding: chunked"), "", "chunked");
	bad("1.1", LINES("Host: a", "Content-Length: "), "", "not a number");
	bad("1.1", LINES("Host: a", "Content-Length: +1"), "", "not a number");
	bad("1.1", LINES("Host: a", "Content-Length: -1"), "", "not a number");
	bad("1.1", LINES("Host: a", "Content-Length: 1, 1"), "", "not a number");
	bad("1.1", LINES("Host: a", "Content-Length: 0x1"), "", "not a number");
	bad("1.1", LINES("Host: a", "Content-Length: 9223372036854775808"), "", "not a number");
}

TEST(hosts)
{
	struct cuv_http_head h;

	good("GET", "1.0", LINES("Accept: x"), &h);
	good("GET", "1.1", LINES("Host: "), &h);
	bad("1.1", LINES("Accept: x"), "", "needs a Host");
	bad("1.1", LINES("Host: a", "host: a"), "", "more than one Host");
	bad("1.1", LINES("Host: a b"), "", "not a host");
	bad("1.1", LINES("Host: a/b"), "", "not a host");
	bad("1.0", LINES("Host: a@b"), "", "not a host");
}

TEST(a_head_that_was_not_read_to_its_end_is_refused)
{
	struct laid_out l;
	struct cuv_http_head h;
	struct cuv_error err;
	int i;

	bad("1.1", LINES("Host: a"), " folded\r\nContent-Length: 5\r\n\r", "not be folded");
	bad("1.1", LINES("Host: a"), "\xffX: y\r\n\r", "not be folded");
	bad("1.1", LINES("Host: a"), "\n", "not be folded");
	bad("1.1", LINES(), ": x\r\n\r", "not be folded");
	bad("1.1", LINES("Host: a", "X: a\x01"), "", "control character");
	lay_out(&l, "GET", "/", "1.1", LINES("Host: a"), "");
	for (i = 1; i < MG_MAX_HEADERS; i++)
		l.info.http_headers[i] = l.info.http_headers[0];
	l.info.num_headers = MG_MAX_HEADERS;
	assert_true(read_head(&l, &h, &err) < 0);
	assert_non_null(strstr(err.message, "too many headers"));
}

static void path(const char *raw, const char *want)
{
	char got[32] = "?";
	int r = cuv_http_decode_path(raw, got, sizeof(got));

	if ((r == 0) != (want != NULL))
		fail_msg("%s: %d", raw, r);
	if (want)
		assert_string_equal(got, want);
}

TEST(paths_are_decoded_once)
{
	path("/", "/");
	path("/%68ealth", "/health");
	path("/a%2Fb%2e%2E", "/a/b..");
	path("/%2568", "/%68");
	path("/%c3%A9", "/\xc3\xa9");
	path("/..", "/..");
	path("/%", NULL);
	path("/%4", NULL);
	path("/%zz", NULL);
	path("/%00", NULL);
	path("/%ff", NULL);
	path("/0123456789012345678901234567890", NULL);
	path("/012345678901234567890123456789", "/012345678901234567890123456789");
}

TEST(keys_come_in_two_ways)
{
	struct cuv_http_head h;

	good("GET", "1.1", LINES("Host: a", "Authorization: bearer  secret"), &h);
	assert_string_equal(h.api_key, "secret");
	good("GET", "1.1", LINES("Host: a", "Authorization: Basic abc"), &h);
	assert_null(h.api_key);
	/* two keys are none */
	good("GET", "1.1", LINES("Host: a", "X-API-Key: a", "X-API-Key: b"), &h);
	assert_null(h.api_key);
}

TEST(connections_are_kept_as_the_client_says)
{
	struct cuv_http_head h;

	good("GET", "1.1", LINES("Host: a", "Connection: close"), &h);
	assert_false(h.keep_alive);
	good("GET", "1.1", LINES("Host: a", "Connection: x, Keep-Alive"), &h);
	assert_true(h.keep_alive);
	good("GET", "1.0", LINES("Connection: keep-alive"), &h);
	assert_true(h.keep_alive);
	good("GET", "1.1", LINES("Host: a", "Connection: not-keep-alive"), &h);
	assert_false(h.keep_alive);
}

TEST(origins_of_this_machine)
{
	static const char *const local[] = {"http://localhost",	     "http://localhost:3000", "https://LOCALHOST/",
					    "http://127.0.0.1:8080", "http://127.1.2.3",      "http://[::1]:80"};
	static const char *const other[] = {"",
					    "null",
					    "http://evil.example",
					    "localhost",
					    "http://localhost.evil.example",
					    "http://127.0.0.1.evil.example",
					    "http://192.168.1.5",
					    "http://203.0.113.9:8000",
					    "http://[2001:db8::1]",
					    "http://[::1",
					    "http://[]",
					    "http://[localhost.evil.example]",
					    "http://",
					    "file://"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(local); i++) {
		assert_true(cuv_http_origin_is_local(local[i], "localhost:8000"));
		assert_true(cuv_http_origin_is_local(local[i], NULL));
	}
	for (i = 0; i < ARRAY_SIZE(other); i++) {
		assert_false(cuv_http_origin_is_local(other[i], "127.0.0.1:8000"));
		assert_false(cuv_http_origin_is_local(other[i], NULL));
	}
}

/* Its own page, by the address that the service is asked by; never by a name, which may be led here. */
TEST(origins_that_are_the_host)
{
	assert_true(cuv_http_origin_is_local("http://192.168.1.5:8000", "192.168.1.5:8000"));
	assert_true(cuv_http_origin_is_local("http://[2001:db8::1]:8000", "[2001:db8::1]:8000"));
	assert_false(cuv_http_origin_is_local("http://192.168.1.5:8001", "192.168.1.5:8000"));
	assert_false(cuv_http_origin_is_local("http://192.168.1.5", "192.168.1.5:8000"));
	assert_false(cuv_http_origin_is_local("http://evil.example:8000", "evil.example:8000"));
}

TEST(ranges)
{
	static const struct {
		const char *text;
		int r;
		uint64_t first, len;
	} cases[] = {
		{NULL, 0, 0, 0},
		{"bytes=0-", 1, 0, 100},
		{"bytes=5-9", 1, 5, 5},
		{"bytes=99-", 1, 99, 1},
		{"bytes=90-200", 1, 90, 10},
		{"bytes=-5", 1, 95, 5},
		{"bytes=-500", 1, 0, 100},
		{"bytes=100-", -1, 0, 0},
		{"bytes=-0", -1, 0, 0},
		{"bytes=9-5", 0, 0, 0},
		{"bytes=0-1,3-4", 0, 0, 0},
		{"bytes=-", 0, 0, 0},
		{"bytes=a-b", 0, 0, 0},
		{"bytes=1", 0, 0, 0},
		{"lines=1-2", 0, 0, 0},
		{"bytes=18446744073709551615-", -1, 0, 0},
		{"bytes=0-18446744073709551616", 0, 0, 0},
		{"bytes=000000000000000000000000000001-", 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t first = 0, len = 0;

		assert_int_equal(cuv_http_range(cases[i].text, 100, &first, &len), cases[i].r);
		assert_int_equal(first, cases[i].first);
		assert_int_equal(len, cases[i].len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_head),
		cmocka_unit_test(bodies_are_framed_in_one_way_only),
		cmocka_unit_test(hosts),
		cmocka_unit_test(a_head_that_was_not_read_to_its_end_is_refused),
		cmocka_unit_test(paths_are_decoded_once),
		cmocka_unit_test(keys_come_in_two_ways),
		cmocka_unit_test(connections_are_kept_as_the_client_says),
		cmocka_unit_test(origins_of_this_machine),
		cmocka_unit_test(origins_that_are_the_host),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests_name("http head", tests, NULL, NULL);
}
