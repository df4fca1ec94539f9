/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

TEST(grows_and_stays_a_c_string)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(100000);
	int i;

	assert_string_equal(cuv_buf_str(&b), "");
	for (i = 0; i < 10000; i++) {
		assert_ok(cuv_buf_addf(&b, "%d,", i % 10));
		assert_int_equal(strlen(cuv_buf_str(&b)), b.len);
	}
	assert_int_equal(b.len, 20000);
	assert_memory_equal(b.data + 19980, "0,1,2,3,4,5,6,7,8,9,", 20);
}

TEST(never_passes_its_maximum_and_keeps_the_error)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(5);

	assert_ok(cuv_buf_add_str(&b, "12345"));
	assert_int_equal(cuv_buf_add_char(&b, '6'), -E2BIG);
	assert_content(&b, "12345");
	/* sticky: nothing more goes in, even what would fit */
	assert_int_equal(cuv_buf_add(&b, "", 0), -E2BIG);
	assert_int_equal(cuv_buf_err(&b), -E2BIG);
	assert_null(cuv_buf_take(&b, NULL));
	cuv_buf_reset(&b);
	assert_ok(cuv_buf_add_str(&b, "abc"));
	assert_content(&b, "abc");
	assert_int_equal(cuv_buf_addf(&b, "%s", "def"), -E2BIG);
	assert_content(&b, "abc");
}

TEST(a_length_that_would_wrap_is_too_big)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(10);

	assert_ok(cuv_buf_add_char(&b, 'x'));
	assert_null(cuv_buf_room(&b, SIZE_MAX));
	assert_int_equal(cuv_buf_err(&b), -E2BIG);
}

TEST(holds_nul_bytes)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(10);

	assert_ok(cuv_buf_add(&b, "a\0b", 3));
	assert_ok(cuv_buf_add_char(&b, '\0'));
	assert_content(&b, "a\0b\0");
}

TEST(room_is_written_in_place)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(10);
	char *room = cuv_buf_room(&b, 10);

	assert_non_null(room);
	memcpy(room, "0123456789", 10);
	cuv_buf_grew(&b, 3);
	assert_content(&b, "012");
	assert_null(cuv_buf_room(&b, 8));
}

TEST(take_moves_the_content_out)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(10);
	_cleanup_free_ char *full = NULL, *empty = NULL;
	size_t len = 99;

	empty = cuv_buf_take(&b, &len);
	assert_string_equal(empty, "");
	assert_int_equal(len, 0);
	assert_ok(cuv_buf_add_str(&b, "abc"));
	full = cuv_buf_take(&b, &len);
	assert_string_equal(full, "abc");
	assert_int_equal(len, 3);
	assert_null(b.data);
	assert_int_equal(b.max, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_and_stays_a_c_string),
		cmocka_unit_test(never_passes_its_maximum_and_keeps_the_error),
		cmocka_unit_test(a_length_that_would_wrap_is_too_big),
		cmocka_unit_test(holds_nul_bytes),
		cmocka_unit_test(room_is_written_in_place),
		cmocka_unit_test(take_moves_the_content_out),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
