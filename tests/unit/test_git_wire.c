/* SPDX-License-Identifier: MIT */
/* What git servers say, and what a ref means. */
#include "nixenv/git_wire.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddddddddddddddddd"

static void add(struct cuv_buf *b, const char *text, const char *capabilities)
{
	size_t len = strlen(text) + (capabilities ? strlen(capabilities) + 1 : 0) + 1;

	cuv_buf_addf(b, "%04zx%s", len + 4, text);
	if (capabilities) {
		cuv_buf_add_char(b, '\0');
		cuv_buf_add_str(b, capabilities);
	}
	cuv_buf_add_char(b, '\n');
}

static void advertise(struct cuv_buf *b, const char *capabilities)
{
	cuv_buf_init(b, 65536);
	add(b, "# service=git-upload-pack", NULL);
	cuv_buf_add_str(b, "0000");
	add(b, A " HEAD", capabilities);
	add(b, A " refs/heads/main", NULL);
	add(b, B " refs/heads/v1", NULL);
	add(b, C " refs/tags/v1", NULL);
	add(b, C " refs/tags/v2", NULL);
	add(b, D " refs/tags/v2^{}", NULL);
	cuv_buf_add_str(b, "0000");
}

static void assert_found(const char *ref, const char *want, const char *commit)
{
	_cleanup_buf_ struct cuv_buf b;
	struct cuv_git_offer o = {0};

	advertise(&b, "multi_ack shallow ofs-delta");
	assert_int_equal(cuv_git_find(b.data, b.len, ref, &o), CUV_GIT_OK);
	assert_string_equal(o.want, want);
	assert_string_equal(o.commit, commit);
	assert_true(o.shallow);
	assert_false(o.any_commit);
}

TEST(refs)
{
	assert_found("", A, A);
	assert_found("main", A, A);
	assert_found("v1", B, B); /* a branch comes before a tag */
	assert_found("refs/tags/v1", C, C);
	assert_found("v2", C, D); /* an annotated tag is asked for, its commit is meant */
	assert_found(D, D, D);
}

static enum cuv_git_wire_result find(const char *ref)
{
	_cleanup_buf_ struct cuv_buf b;
	struct cuv_git_offer o;

	advertise(&b, "shallow");
	return cuv_git_find(b.data, b.len, ref, &o);
}

TEST(no_refs)
{
	assert_int_equal(find("nothing"), CUV_GIT_NO_SUCH_REF);
	assert_int_equal(find("heads/main"), CUV_GIT_NO_SUCH_REF);
	assert_int_equal(find("HEAD^"), CUV_GIT_NO_SUCH_REF);
	assert_int_equal(find("v2^{}"), CUV_GIT_NO_SUCH_REF);
	assert_int_equal(find("ddddddd"), CUV_GIT_ABBREVIATED);
	assert_int_equal(find("dddddd"), CUV_GIT_NO_SUCH_REF);
}

TEST(capabilities)
{
	_cleanup_buf_ struct cuv_buf b, c;
	struct cuv_git_offer o;

	advertise(&b, "allow-reachable-sha1-in-want no-shallow");
	assert_int_equal(cuv_git_find(b.data, b.len, A, &o), CUV_GIT_OK);
	assert_true(o.any_commit && o.advertised && !o.shallow);
	assert_int_equal(cuv_git_find(b.data, b.len, "0000000000000000000000000000000000000000", &o), CUV_GIT_OK);
	assert_false(o.advertised);
	advertise(&c, "object-format=sha256");
	assert_int_equal(cuv_git_find(c.data, c.len, "", &o), CUV_GIT_OTHER_HASHES);
}

/* Cut anywhere it is not taken; nor with a byte more. */
TEST(whole_or_not_at_all)
{
	_cleanup_buf_ struct cuv_buf b;
	struct cuv_git_offer o;

	advertise(&b, "shallow");
	for (size_t n = 0; n < b.len; n++)
		assert_int_not_equal(cuv_git_find(b.data, n, "main", &o), CUV_GIT_OK);
	cuv_buf_add_char(&b, '0');
	assert_int_equal(cuv_git_find(b.data, b.len, "main", &o), CUV_GIT_MALFORMED);
	assert_int_equal(cuv_git_find("<html>", 6, "main", &o), CUV_GIT_MALFORMED);
}

TEST(request)
{
	struct cuv_git_offer o = {.want = A, .shallow = true};
	_cleanup_buf_ struct cuv_buf with = CUV_BUF_INIT(1024), without = CUV_BUF_INIT(1024);
	unsigned len = 0;

	cuv_git_request(&o, &with);
	assert_int_equal(sscanf(cuv_buf_str(&with), "%4x", &len), 1);
	assert_memory_equal(with.data + len, "000ddeepen 1\n00000009done\n", with.len - len);
	assert_non_null(strstr(cuv_buf_str(&with), "want " A " "));
	o.shallow = false;
	cuv_git_request(&o, &without);
	assert_null(strstr(cuv_buf_str(&without), "deepen"));
}

TEST(beginning_of_a_pack)
{
	static const char good[] = "0034shallow " A "00000008NAK\nPACK";
	static const char *const bad[] = {"", "PACK", "0008NAK\n", "0008NAK\nPAC", "0009nak\n\nPACK", "ffffNAK\nPACK"};
	size_t offset;

	assert_int_equal(cuv_git_pack_offset(good, strlen(good), &offset), CUV_GIT_OK);
	assert_string_equal(good + offset, "PACK");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cuv_git_pack_offset(bad[i], strlen(bad[i]), &offset), CUV_GIT_MALFORMED);
	assert_int_equal(cuv_git_pack_offset("000bERR no\n", 11, &offset), CUV_GIT_REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refs),		cmocka_unit_test(no_refs),
		cmocka_unit_test(capabilities), cmocka_unit_test(whole_or_not_at_all),
		cmocka_unit_test(request),	cmocka_unit_test(beginning_of_a_pack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
