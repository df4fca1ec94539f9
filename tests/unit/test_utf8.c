/* SPDX-License-Identifier: MIT */
#include "lib/base/utf8.h"
#include "tests/unit/unit.h"

#include <string.h>

#define LEN(s) cuv_utf8_char_len((s), sizeof(s) - 1)

TEST(characters_have_their_length)
{
	assert_int_equal(LEN("a"), 1);
	assert_int_equal(cuv_utf8_char_len("\0", 1), 1);
	assert_int_equal(LEN("\xc2\x80"), 2);
	assert_int_equal(LEN("\xdf\xbf!"), 2);
	assert_int_equal(LEN("\xe0\xa0\x80"), 3);
	assert_int_equal(LEN("\xed\x9f\xbf"), 3);
	assert_int_equal(LEN("\xef\xbf\xbf"), 3);
	assert_int_equal(LEN("\xf0\x90\x80\x80"), 4);
	assert_int_equal(LEN("\xf4\x8f\xbf\xbf"), 4);
}

TEST(what_is_not_a_character_has_none)
{
	assert_int_equal(cuv_utf8_char_len("", 0), 0);
	assert_int_equal(LEN("\x80"), 0);
	assert_int_equal(LEN("\xc0\xaf"), 0);	      /* overlong */
	assert_int_equal(LEN("\xe0\x9f\xbf"), 0);     /* overlong */
	assert_int_equal(LEN("\xf0\x8f\xbf\xbf"), 0); /* overlong */
	assert_int_equal(LEN("\xed\xa0\x80"), 0);     /* surrogate */
	assert_int_equal(LEN("\xf4\x90\x80\x80"), 0); /* above U+10FFFF */
	assert_int_equal(LEN("\xf5\x80\x80\x80"), 0);
	assert_int_equal(LEN("\xe2\x82"), 0); /* cut */
	assert_int_equal(LEN("\xe2\x28\xa1"), 0);
}

TEST(encoding_and_reading_agree_for_every_character)
{
	uint32_t cp;
	char text[4];

	for (cp = 0; cp <= 0x10ffff; cp++) {
		size_t n;

		if (cp == 0xd800)
			cp = 0xe000;
		n = cuv_utf8_encode(cp, text);
		if (cuv_utf8_char_len(text, n) != n || (n > 1 && cuv_utf8_char_len(text, n - 1) != 0))
			fail_msg("U+%04X", cp);
	}
}

static void assert_replaced(const char *in, size_t len, const char *want)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100);

	assert_ok(cuv_utf8_add_replaced(&b, in, len));
	assert_string_equal(cuv_buf_str(&b), want);
	assert_true(cuv_utf8_valid(cuv_buf_str(&b), b.len));
}

/* As bytes.decode('utf-8', 'replace') has it. */
TEST(bad_sequences_become_one_replacement_each)
{
#define R "\xef\xbf\xbd"
	assert_replaced("plain", 5, "plain");
	assert_replaced("a\xff", 2, "a" R);
	assert_replaced("\xe2\x82", 2, R);
	assert_replaced("\xe2\x82z", 3, R "z");
	assert_replaced("\xf0\x9f\x98", 3, R);
	assert_replaced("\xed\xa0\x80", 3, R R R);
	assert_replaced("\xc0\xaf", 2, R R);
	assert_replaced("\xf0\x80\x80\x80", 4, R R R R);
	assert_replaced("\xe2\x82\xac\xe2\x82\xe2\x82\xac", 8, "\xe2\x82\xac" R "\xe2\x82\xac");
}

TEST(replacing_keeps_to_the_maximum)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(5);

	assert_true(cuv_utf8_add_replaced(&b, "\xff\xff", 2) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_their_length),
		cmocka_unit_test(what_is_not_a_character_has_none),
		cmocka_unit_test(encoding_and_reading_agree_for_every_character),
		cmocka_unit_test(bad_sequences_become_one_replacement_each),
		cmocka_unit_test(replacing_keeps_to_the_maximum),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
