/* SPDX-License-Identifier: MIT */
/* Boundaries, names and filenames. */
#include "tests/unit/multipart_test.h"

#define DISPOSITION(value) "--B" CRLF "content-DISPOSITION:" value CRLF CRLF "1" CRLF END
#define OK(value, want) assert_parsed(BYTES(DISPOSITION(value)), BYTES(want "1[/]"))
#define BAD(value, words) assert_refused(BYTES(DISPOSITION(value)), CUV_E_BAD_MULTIPART, words)

TEST(boundaries_are_found)
{
	static const struct {
		const char *type;
		const char *want;
	} good[] = {
		{"multipart/form-data; boundary=abc", "abc"},
		{"Multipart/FORM-data;Boundary=\"a b?c\"", "a b?c"},
		{" multipart/form-data ; charset=utf-8; boundary=----WebKitFormBoundaryX1", "----WebKitFormBoundaryX1"},
		{"multipart/form-data; boundary=\"a'b(c)d+e_f,g-h.i/j:k=l\"", "a'b(c)d+e_f,g-h.i/j:k=l"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		char boundary[CUV_BOUNDARY_MAX + 1];
		struct cuv_error err = CUV_ERROR_INIT;

		assert_ok(cuv_multipart_boundary(good[i].type, boundary, &err));
		assert_string_equal(boundary, good[i].want);
	}
}

TEST(boundaries_that_are_none_are_refused)
{
	static const struct {
		const char *type;
		enum cuv_error_code code;
	} bad[] = {
		{"", CUV_E_UNSUPPORTED_MEDIA_TYPE},
		{"application/json", CUV_E_UNSUPPORTED_MEDIA_TYPE},
		{"multipart/mixed; boundary=a", CUV_E_UNSUPPORTED_MEDIA_TYPE},
		{"multipart/form-database; boundary=a", CUV_E_UNSUPPORTED_MEDIA_TYPE},
		{"multipart/form-data", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=\"\"", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=\"a", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=\"a \"", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=\"a\tb\"", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=\"a\xc3\xa9\"", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=a b", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; boundary=a; boundary=a", CUV_E_BAD_MULTIPART},
		{"multipart/form-data boundary=a", CUV_E_BAD_MULTIPART},
		{"multipart/form-data; "
		 "boundary=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg1",
		 CUV_E_BAD_MULTIPART},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		char boundary[CUV_BOUNDARY_MAX + 1] = "untouched";
		struct cuv_error err = CUV_ERROR_INIT;

		if (cuv_multipart_boundary(bad[i].type, boundary, &err) == 0)
			fail_msg("accepted: %s", bad[i].type);
		assert_int_equal(err.code, bad[i].code);
		assert_string_equal(boundary, "untouched");
	}
}

TEST(names_in_all_spellings)
{
	OK(" form-data; name=\"a\"", "[a]");
	OK("form-data;name=a", "[a]");
	OK("\tForm-Data ;  NAME=\"a b\" ; other=x\t", "[a b]");
	OK(" form-data; name=\"a\\\"b\\\\c\\d\"", "[a\"b\\c\\d]");
	OK(" form-data; name=\"a;b=c\"", "[a;b=c]");
	OK(" form-data; name=\"\xc3\xa9\"", "[\xc3\xa9]");
}

TEST(filenames_in_all_spellings)
{
	OK(" form-data; name=a; filename=main.py", "[a|main.py]");
	OK(" form-data; name=a; filename=\"C:\\x\\main.py\"", "[a|C:\\x\\main.py]");
	OK(" form-data; filename=\"x\"; filename*=utf-8''%C3%a9%20.py; name=a", "[a|\xc3\xa9 .py]");
	OK(" form-data; filename*=UTF-8'en'plain.py; name=a; filename=\"x\"", "[a|plain.py]");
	OK(" form-data; name=a; filename=\"\"", "[a|]");
}

TEST(dispositions_that_are_none_are_refused)
{
	BAD("", "must be form-data");
	BAD(" attachment; name=a", "must be form-data");
	BAD(" form-data", "`name` is missing");
	BAD(" form-data; filename=a", "`name` is missing");
	BAD(" form-data; name=\"\"", "`name` must be");
	BAD(" form-data; name=a; name=a", "`name` stands twice");
	BAD(" form-data; name=a; filename=a; filename=b", "`filename` stands twice");
	BAD(" form-data; name=\"a\xff\"", "`name` must be");
	BAD(" form-data; name=\"a\tb\"", "`name` must be");
	BAD(" form-data; name=a; filename=\"\xc3\"", "`filename` must be");
	BAD(" form-data; name=\"a", "not well-formed");
	BAD(" form-data; name=a b", "not well-formed");
	BAD(" form-data; name=", "not well-formed");
	BAD(" form-data; =a", "not well-formed");
	BAD(" form-data;; name=a", "not well-formed");
	BAD(" form-data; name=a;", "not well-formed");
	BAD(" form-datax; name=a", "not well-formed");
	BAD(" form-data; name=a; filename*=latin-1''a", "`filename*` must be");
	BAD(" form-data; name=a; filename*=UTF-8'a", "`filename*` must be");
	BAD(" form-data; name=a; filename*=UTF-8''%4", "`filename*` must be");
	BAD(" form-data; name=a; filename*=UTF-8''%zz", "`filename*` must be");
	BAD(" form-data; name=a; filename*=UTF-8''%00", "`filename*` must be");
	BAD(" form-data; name=a; filename*=UTF-8''%ff", "`filename*` must be");
}

TEST(a_name_has_its_longest_length)
{
	_cleanup_buf_ struct cuv_buf body = CUV_BUF_INIT(4096), got = CUV_BUF_INIT(0);
	struct cuv_error err;

	cuv_buf_addf(&body, "--B" CRLF "Content-Disposition: form-data; name=\"%0127d\"" CRLF CRLF CRLF END, 0);
	assert_ok(transcribe(body.data, body.len, 0, &got, &err));
	cuv_buf_done(&got);
	cuv_buf_reset(&body);
	cuv_buf_addf(&body, "--B" CRLF "Content-Disposition: form-data; name=\"%0128d\"" CRLF CRLF CRLF END, 0);
	assert_true(transcribe(body.data, body.len, 0, &got, &err) < 0);
	cuv_buf_done(&got);
	cuv_buf_reset(&body);
	cuv_buf_addf(&body, "--B" CRLF "Content-Disposition: form-data; name=a; filename=\"%0512d\"" CRLF CRLF CRLF END,
		     0);
	assert_true(transcribe(body.data, body.len, 0, &got, &err) < 0);
}

TEST(transfer_encodings)
{
	static const char head[] =
		"--B" CRLF "Content-Disposition: form-data; name=a" CRLF "Content-Transfer-Encoding: ";
	static const struct {
		const char *encoding;
		bool good;
	} cases[] = {{"binary", true}, {"8BIT", true}, {"7bit ", true}, {"base64", false}, {"quoted-printable", false},
		     {"", false}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct cuv_buf body = CUV_BUF_INIT(4096), got = CUV_BUF_INIT(0);
		struct cuv_error err;

		cuv_buf_addf(&body, "%s%s" CRLF CRLF "x" CRLF END, head, cases[i].encoding);
		assert_int_equal(transcribe(body.data, body.len, 0, &got, &err) == 0, cases[i].good);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boundaries_are_found),
		cmocka_unit_test(boundaries_that_are_none_are_refused),
		cmocka_unit_test(names_in_all_spellings),
		cmocka_unit_test(filenames_in_all_spellings),
		cmocka_unit_test(dispositions_that_are_none_are_refused),
		cmocka_unit_test(a_name_has_its_longest_length),
		cmocka_unit_test(transfer_encodings),
	};

	return cmocka_run_group_tests_name("multipart headers", tests, NULL, NULL);
}
