/* SPDX-License-Identifier: MIT */
/* Bodies: what comes out, and that it is the same at every cut. */
#include "tests/unit/multipart_test.h"

#define OK(body, want) assert_parsed(BYTES(body), BYTES(want))
#define BAD(body, words) assert_refused(BYTES(body), CUV_E_BAD_MULTIPART, words)

TEST(parts_come_out_in_order)
{
	OK(PART("name=\"a\"", "1") PART("name=b; filename=\"f.py\"", "x" CRLF "y") END, "[a]1[/][b|f.py]x\r\ny[/]");
	OK(END, "");
	OK("--B--", ""); /* the last line end may be missing */
	OK(PART("name=a; filename=\"\"", "1") END, "[a|]1[/]");
}

TEST(content_may_be_anything_but_the_delimiter)
{
	OK(PART("name=a", "\0\r\n\r\n\n\r-\r\n-\r\n--\r\n--A\r\n--b\r\r\n") END,
	   "[a]\0\r\n\r\n\n\r-\r\n-\r\n--\r\n--A\r\n--b\r\r\n[/]");
	/* the blank line before a content counts as the begin of a delimiter */
	BAD(PART("name=a", "--B") END, "is not `Name: value`");
	OK(PART("name=a", " --B") END, "[a] --B[/]");
}

TEST(content_may_be_empty_in_two_ways)
{
	OK(PART("name=a", "") END, "[a][/]");
	/* the blank line is the delimiter's line end too */
	OK("--B" CRLF "Content-Disposition: form-data; name=a" CRLF CRLF "--B--" CRLF, "[a][/]");
	OK(PART("name=a", CRLF) END, "[a]\r\n[/]");
}

TEST(a_body_must_begin_with_its_boundary)
{
	BAD("", "before its first boundary");
	BAD("hello" CRLF END, "does not begin with the boundary");
	BAD(CRLF END, "does not begin with the boundary");
	BAD("--C--" CRLF, "does not begin with the boundary");
	BAD("-", "before its first boundary");
}

TEST(a_body_must_end_with_its_last_boundary)
{
	BAD(PART("name=a", "1"), "before the last boundary");
	BAD("--B" CRLF "Content-Disposition: form-data; name=a" CRLF CRLF "1", "before the last boundary");
	BAD("--B" CRLF "Content-Disposition: form-data; name=a" CRLF, "in the headers");
	BAD("--B", "before the last boundary");
	BAD("--B-", "before the last boundary");
	BAD("--B--\r", "in the middle of its last line end");
	BAD(END "x", "after the last boundary");
	BAD(END CRLF, "after the last boundary");
	BAD("--B--x", "after the last boundary");
}

TEST(nothing_stands_behind_a_boundary)
{
	BAD("--B " CRLF "x", "followed by other bytes");
	BAD("--B\n", "followed by other bytes");
	BAD("--Bx", "followed by other bytes");
	BAD("--B\rx", "followed by other bytes");
	BAD("--B-x", "followed by other bytes");
	/* a longer boundary in the content is no content either: RFC 2046 forbids it */
	BAD(PART("name=a", "x" CRLF "--Bx" CRLF) END, "followed by other bytes");
}

TEST(header_lines_are_strict)
{
	BAD("--B" CRLF CRLF "x" CRLF END, "no Content-Disposition");
	BAD("--B" CRLF "Content-Type: text/plain" CRLF CRLF "x" CRLF END, "no Content-Disposition");
	BAD("--B" CRLF "Content-Disposition: form-data;" CRLF " name=a" CRLF CRLF END,
	    "a parameter is not well-formed");
	BAD("--B" CRLF "Content-Disposition: form-data; name=a" CRLF " b" CRLF CRLF END, "folded");
	BAD("--B" CRLF "Content-Disposition: form-data; name=a\n\nx" CRLF END, "bare LF");
	BAD("--B" CRLF "Content-Disposition: form-data; name=a\rX: y" CRLF CRLF END, "bare CR");
	BAD("--B" CRLF "Content-Disposition: form-data; name=\"a\0b\"" CRLF CRLF END, "NUL");
	BAD("--B" CRLF "no colon" CRLF CRLF END, "`Name: value`");
	BAD("--B" CRLF ": value" CRLF CRLF END, "`Name: value`");
	BAD("--B" CRLF "Na me: value" CRLF CRLF END, "`Name: value`");
	BAD("--B" CRLF "Name : value" CRLF CRLF END, "`Name: value`");
}

TEST(after_a_failure_nothing_is_accepted)
{
	_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(1000);
	struct cuv_multipart_sink sink = {
		.arg = &got, .begin = transcript_begin, .data = transcript_data, .end = transcript_end};
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_multipart_ struct cuv_multipart m;

	cuv_multipart_init(&m, "B", &sink);
	assert_true(cuv_multipart_push(&m, "x", 1, &err) < 0);
	assert_true(cuv_multipart_push(&m, END, sizeof(END) - 1, &err) < 0);
	assert_true(cuv_multipart_finish(&m, &err) < 0);
	assert_int_equal(got.len, 0);
}

static int refusing_data(_unused_ void *arg, _unused_ const char *data, _unused_ size_t len, struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_TOO_LARGE, "enough");
}

TEST(the_sink_can_end_it)
{
	_cleanup_buf_ struct cuv_buf got = CUV_BUF_INIT(1000);
	struct cuv_multipart_sink sink = {
		.arg = &got, .begin = transcript_begin, .data = refusing_data, .end = transcript_end};
	struct cuv_error err = CUV_ERROR_INIT;
	_cleanup_multipart_ struct cuv_multipart m;

	cuv_multipart_init(&m, "B", &sink);
	assert_true(cuv_multipart_push(&m, BYTES(PART("name=a", "1") END), &err) < 0);
	assert_int_equal(err.code, CUV_E_TOO_LARGE);
	assert_content(&got, "[a]");
}

TEST(counts_and_sizes_are_bounded)
{
	_cleanup_buf_ struct cuv_buf body = CUV_BUF_INIT(1 << 20), got = CUV_BUF_INIT(0);
	struct cuv_error err;
	int i;

	for (i = 0; i < CUV_PARTS_MAX; i++)
		cuv_buf_add_str(&body, PART("name=a", ""));
	cuv_buf_add_str(&body, END);
	assert_ok(transcribe(body.data, body.len, 0, &got, &err));
	cuv_buf_done(&got);
	cuv_buf_reset(&body);
	for (i = 0; i <= CUV_PARTS_MAX; i++)
		cuv_buf_add_str(&body, PART("name=a", ""));
	assert_true(transcribe(body.data, body.len, 0, &got, &err) < 0);
	assert_non_null(strstr(err.message, "64 parts"));
	cuv_buf_done(&got);
	cuv_buf_reset(&body);
	cuv_buf_addf(&body, "--B" CRLF "X: %*d" CRLF, CUV_PART_LINE_MAX, 1);
	assert_true(transcribe(body.data, body.len, 0, &got, &err) < 0);
	assert_non_null(strstr(err.message, "header line"));
	cuv_buf_done(&got);
	cuv_buf_reset(&body);
	cuv_buf_add_str(&body, "--B" CRLF);
	for (i = 0; i < 6; i++)
		cuv_buf_addf(&body, "X: %*d" CRLF, 1500, 1);
	assert_true(transcribe(body.data, body.len, 0, &got, &err) < 0);
	assert_non_null(strstr(err.message, "headers of a part"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_come_out_in_order),
		cmocka_unit_test(content_may_be_anything_but_the_delimiter),
		cmocka_unit_test(content_may_be_empty_in_two_ways),
		cmocka_unit_test(a_body_must_begin_with_its_boundary),
		cmocka_unit_test(a_body_must_end_with_its_last_boundary),
		cmocka_unit_test(nothing_stands_behind_a_boundary),
		cmocka_unit_test(header_lines_are_strict),
		cmocka_unit_test(after_a_failure_nothing_is_accepted),
		cmocka_unit_test(the_sink_can_end_it),
		cmocka_unit_test(counts_and_sizes_are_bounded),
	};

	return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
