/* SPDX-License-Identifier: MIT */
#include "lib/base/hash.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

/* FIPS 180-4's own examples. */
TEST(sha256_of_known_texts)
{
	struct cuv_sha256 h;
	char hex[CUV_SHA256_HEX_SIZE];

	cuv_sha256("", 0, &h);
	cuv_hex(h.bytes, sizeof(h.bytes), hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	cuv_sha256("abc", 3, &h);
	cuv_hex(h.bytes, sizeof(h.bytes), hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(hexadecimal_reads_exactly_its_length)
{
	uint8_t bytes[3] = {9, 9, 9};

	assert_ok(cuv_unhex("00aBfF", 3, bytes));
	assert_memory_equal(bytes, "\x00\xab\xff", 3);
	assert_int_equal(cuv_unhex("00abf", 3, bytes), -EINVAL);
	assert_int_equal(cuv_unhex("00abff0", 3, bytes), -EINVAL);
	assert_int_equal(cuv_unhex("00abfg", 3, bytes), -EINVAL);
	assert_int_equal(cuv_unhex("00 abf", 3, bytes), -EINVAL);
	assert_int_equal(cuv_unhex("", 3, bytes), -EINVAL);
}

/* What `nix-hash --type sha256 --to-base32` says of these. */
TEST(nix32_of_known_hashes)
{
	static const struct {
		const char *hex;
		const char *nix32;
	} known[] = {
		{"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		 "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"},
		{"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		 "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		uint8_t bytes[32], back[32];
		char text[64];

		assert_ok(cuv_unhex(known[i].hex, 32, bytes));
		cuv_nix32(bytes, 32, text);
		assert_string_equal(text, known[i].nix32);
		assert_ok(cuv_unnix32(text, 32, back));
		assert_memory_equal(back, bytes, 32);
	}
}

TEST(nix32_goes_both_ways_at_every_length)
{
	uint8_t bytes[64], back[64];
	char text[128];
	size_t len;

	for (len = 1; len <= sizeof(bytes); len++) {
		randombytes_buf(bytes, len);
		cuv_nix32(bytes, len, text);
		assert_int_equal(strlen(text), cuv_nix32_len(len));
		assert_ok(cuv_unnix32(text, len, back));
		assert_memory_equal(back, bytes, len);
	}
}

TEST(nix32_refuses_what_it_does_not_write)
{
	uint8_t bytes[20];

	assert_ok(cuv_unnix32("00000000000000000000000000000000", 20, bytes));
	assert_int_equal(cuv_unnix32("0000000000000000000000000000000", 20, bytes), -EINVAL);
	assert_int_equal(cuv_unnix32("0000000000000000000000000000000e", 20, bytes), -EINVAL);
	assert_int_equal(cuv_unnix32("0000000000000000000000000000000O", 20, bytes), -EINVAL);
	/* one byte is two digits, whose first has three bits */
	assert_ok(cuv_unnix32("7z", 1, bytes));
	assert_int_equal(bytes[0], 0xff);
	assert_int_equal(cuv_unnix32("8z", 1, bytes), -EINVAL);
	assert_false(cuv_is_nix32_char('\0'));
	assert_false(cuv_is_nix32_char('e'));
	assert_true(cuv_is_nix32_char('z'));
}

TEST(ids_differ)
{
	char a[CUV_ID_HEX_SIZE], b[CUV_ID_HEX_SIZE];

	cuv_random_id(a);
	cuv_random_id(b);
	assert_int_equal(strlen(a), 32);
	assert_int_equal(strspn(a, "0123456789abcdef"), 32);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_of_known_texts),
		cmocka_unit_test(hexadecimal_reads_exactly_its_length),
		cmocka_unit_test(nix32_of_known_hashes),
		cmocka_unit_test(nix32_goes_both_ways_at_every_length),
		cmocka_unit_test(nix32_refuses_what_it_does_not_write),
		cmocka_unit_test(ids_differ),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
