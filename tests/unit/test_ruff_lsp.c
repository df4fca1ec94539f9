/* SPDX-License-Identifier: MIT */
/* What a kept ruff says, as our answer. (Arbitrary bytes are the fuzz target's.) */
#include "manager/ruff/guard.h"
#include "manager/ruff/lsp.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_one(const char *text, json_t **ret)
{
	struct cuv_lsp_reader r;
	int got;

	cuv_lsp_reader_init(&r);
	assert_ok(cuv_lsp_push(&r, text, strlen(text)));
	got = cuv_lsp_next(&r, ret);
	cuv_lsp_reader_done(&r);
	return got;
}

TEST(frames_that_are_not_whole_are_waited_for)
{
	static const char frame[] = "Content-Length: 9\r\nContent-Type: x\r\n\r\n{\"id\": 7}";
	struct cuv_lsp_reader r;
	json_t *m = NULL;
	size_t i;

	cuv_lsp_reader_init(&r);
	for (i = 0; i + 1 < sizeof(frame); i++) {
		assert_int_equal(cuv_lsp_next(&r, &m), 0);
		assert_ok(cuv_lsp_push(&r, frame + i, 1));
	}
	assert_int_equal(cuv_lsp_next(&r, &m), 1);
	assert_true(cuv_lsp_answers(m, 7) && !cuv_lsp_answers(m, 8));
	assert_true(cuv_lsp_is_empty(&r));
	json_decref(m);
	cuv_lsp_reader_done(&r);
}

TEST(frames_that_are_none_are_told)
{
	static const char *const bad[] = {
		"Content-Length: 2\r\n\r\n[]",
		"Content-Length: 2\r\n\r\n{]",
		"Content-Length: 8388609\r\n\r\n",
		"Content-Length: -1\r\n\r\n",
		"Content-Length: 0\r\n\r\n",
		"X: 1\r\n\r\n{}",
		"hello world\r\n\r\n{}",
		"Content-Length: 1x\r\n\r\n{}",
		"Content-Length: 99999999999999999999\r\n\r\n{}",
	};
	char endless[CUV_LSP_HEADER_MAX + 1];
	json_t *m = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (read_one(bad[i], &m) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(read_one(endless, &m), -EBADMSG);
}

TEST(what_is_held_is_bounded)
{
	const size_t piece = 1u << 20;
	struct cuv_lsp_reader r;
	char *data = calloc(1, piece);
	int i, e = 0;

	cuv_lsp_reader_init(&r);
	assert_ok(cuv_lsp_push(&r, "Content-Length: 8388608\r\n\r\n", 27));
	for (i = 0; e == 0 && i < 9; i++)
		e = cuv_lsp_push(&r, data, piece);
	assert_int_equal(e, -E2BIG);
	free(data);
	cuv_lsp_reader_done(&r);
}

TEST(a_document_is_said_in_frames_that_can_be_read)
{
	static const char code[] = "x = \"\xf0\x9f\x98\x80\\\n\t\x01\"\n";
	static const char *const methods[] = {"textDocument/didOpen", "textDocument/diagnostic",
					      "textDocument/formatting", "textDocument/didClose"};
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(65536);
	struct cuv_lsp_reader r;
	size_t i;

	assert_ok(cuv_lsp_put_document(&out, 20, "", code, sizeof(code) - 1));
	cuv_lsp_reader_init(&r);
	assert_ok(cuv_lsp_push(&r, out.data, out.len));
	for (i = 0; i < ARRAY_SIZE(methods); i++) {
		json_t *m = NULL, *document;

		assert_int_equal(cuv_lsp_next(&r, &m), 1);
		assert_string_equal(json_string_value(json_object_get(m, "method")), methods[i]);
		document = json_object_get(json_object_get(m, "params"), "textDocument");
		if (i == 0)
			assert_string_equal(json_string_value(json_object_get(document, "text")), code);
		if (i == 1 || i == 2)
			assert_int_equal(json_integer_value(json_object_get(m, "id")), 19 + i);
		json_decref(m);
	}
	assert_true(cuv_lsp_is_empty(&r));
	cuv_lsp_reader_done(&r);
}

#define RANGE(a, b, c, d)                                                                                              \
	"\"range\":{\"start\":{\"line\":" #a ",\"character\":" #b "},\"end\":{\"line\":" #c ",\"character\":" #d "}}"

static json_t *warnings_of(const char *items, bool *ret_syntax)
{
	json_t *result = json_pack("{s:o}", "items", json_loads(items, 0, NULL)), *list;

	assert_non_null(result);
	list = cuv_lsp_warnings(result, ret_syntax);
	json_decref(result);
	return list;
}

TEST(warnings_are_in_order_and_in_our_shape)
{
	static const char items[] = "[{\"code\":\"W605\",\"message\":\"late\"," RANGE(
		7, 6, 7,
		8) "},"
		   "{\"code\":\"F401\",\"codeDescription\":{\"href\":\"https://x\"},\"message\":\"`os`\\n\\nhelp: "
		   "Remove\","
		   "\"data\":{\"title\":\"Remove\",\"edits\":[{\"newText\":\"y\"," RANGE(0, 0, 1, 0) "}]}," RANGE(
			   0, 7, 0,
			   9) "},{\"code\":\"E1\",\"message\":\"first\"," RANGE(0, 7, 0,
										8) ",\"data\":{\"edits\":[],\"title\":"
										   "\"t\"}},"
										   "{\"code\":\"E0\",\"message\":"
										   "\"before\"," RANGE(0, 1, 0, 8) "}]";
	static const char *const want[] = {"E0", "E1", "F401", "W605"};
	bool syntax = true;
	json_t *list = warnings_of(items, &syntax), *w, *edit;
	size_t i;

	assert_non_null(list);
	assert_false(syntax);
	assert_int_equal(json_array_size(list), ARRAY_SIZE(want));
	for (i = 0; i < ARRAY_SIZE(want); i++)
		assert_string_equal(json_string_value(json_object_get(json_array_get(list, i), "code")), want[i]);
	w = json_array_get(list, 2);
	assert_string_equal(json_string_value(json_object_get(w, "message")), "`os`");
	assert_int_equal(json_integer_value(json_object_get(w, "row")), 1);
	assert_int_equal(json_integer_value(json_object_get(w, "column")), 8);
	assert_int_equal(json_integer_value(json_object_get(w, "end_column")), 10);
	assert_string_equal(json_string_value(json_object_get(w, "url")), "https://x");
	assert_string_equal(json_string_value(json_object_get(json_object_get(w, "fix"), "message")), "Remove");
	edit = json_array_get(json_object_get(json_object_get(w, "fix"), "edits"), 0);
	assert_int_equal(json_integer_value(json_object_get(edit, "end_row")), 2);
	assert_string_equal(json_string_value(json_object_get(edit, "content")), "y");
	assert_true(json_is_null(json_object_get(json_array_get(list, 1), "fix")));
	assert_true(json_is_null(json_object_get(json_array_get(list, 3), "url")));
	json_decref(list);
}

TEST(what_is_no_list_of_diagnostics_gives_none)
{
	static const char *const bad[] = {
		"{}",
		"[5]",
		"[{\"code\":\"E\",\"message\":\"m\"}]",
		"[{\"code\":\"E\"," RANGE(0, 0, 0, 0) "}]",
		"[{\"code\":5,\"message\":\"m\"," RANGE(0, 0, 0, 0) "}]",
		"[{\"code\":\"E\",\"message\":\"m\"," RANGE(-1, 0, 0, 0) "}]",
		"[{\"code\":\"E\",\"message\":\"m\"," RANGE(0, 0, 99999999999, 0) "}]",
		"[{\"code\":\"E\",\"message\":\"m\",\"data\":{\"edits\":[{}]}," RANGE(0, 0, 0, 0) "}]",
	};
	bool syntax;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (warnings_of(bad[i], &syntax))
			fail_msg("accepted: %s", bad[i]);
	assert_null(cuv_lsp_warnings(NULL, &syntax));
}

static int apply(const char *edits, const char *text, struct cuv_buf *out)
{
	json_t *list = json_loads(edits, 0, NULL);
	int r;

	assert_non_null(list);
	r = cuv_lsp_apply(list, text, strlen(text), out);
	json_decref(list);
	return r;
}

TEST(edits_are_placed_by_characters_and_by_all_three_ends_of_lines)
{
	static const struct {
		const char *text, *edits, *want;
	} cases[] = {
		{"a\nb\n", "[]", "a\nb\n"},
		{"a\nb\n", "[{\"newText\":\"X\"," RANGE(1, 0, 1, 1) "}]", "a\nX\n"},
		{"a\r\nb\rc\nd", "[{\"newText\":\"X\"," RANGE(2, 0, 3, 1) "}]", "a\r\nb\rX"},
		{"\xf0\x9f\x98\x80\xc3\xa9z", "[{\"newText\":\"X\"," RANGE(0, 1, 0, 2) "}]", "\xf0\x9f\x98\x80Xz"},
		{"a\n", "[{\"newText\":\"X\"," RANGE(1, 0, 1, 0) "}]", "a\nX"},
		{"abc", "[{\"newText\":\"1\"," RANGE(0, 0, 0, 1) "},{\"newText\":\"\"," RANGE(0, 2, 0, 3) "}]", "1b"},
		{"", "[{\"newText\":\"X\"," RANGE(0, 0, 0, 0) "}]", "X"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(100);

		assert_ok(apply(cases[i].edits, cases[i].text, &out));
		assert_string_equal(cuv_buf_str(&out), cases[i].want);
	}
}

TEST(edits_outside_or_out_of_order_are_refused)
{
	static const char *const bad[] = {
		"[{\"newText\":\"X\"," RANGE(0, 4, 0, 4) "}]",
		"[{\"newText\":\"X\"," RANGE(3, 0, 3, 0) "}]",
		"[{\"newText\":\"X\"," RANGE(0, 1, 0, 0) "}]",
		"[{\"newText\":\"X\"," RANGE(1, 0, 1, 1) "},{\"newText\":\"Y\"," RANGE(0, 0, 0, 0) "}]",
		"[{\"newText\":1," RANGE(0, 0, 0, 0) "}]",
		"[1]",
		"{}",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(100);

		if (apply(bad[i], "abc\ndef", &out) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
}

static bool guarded(const char *before, const char *again, size_t times, const char *after)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(1u << 20);
	size_t i;

	cuv_buf_add_str(&b, before);
	for (i = 0; i < times; i++)
		cuv_buf_add_str(&b, again);
	cuv_buf_add_str(&b, after);
	assert_ok(cuv_buf_err(&b));
	return cuv_ruff_guard(cuv_buf_str(&b), b.len);
}

TEST(what_takes_a_ruff_down_is_kept_from_it)
{
	_cleanup_buf_ struct cuv_buf blocks = CUV_BUF_INIT(1u << 20);
	size_t i;

	for (i = 0; i < 80; i++)
		cuv_buf_addf(&blocks, "%*sif 1:\n", (int)i, "");
	assert_false(cuv_ruff_guard(cuv_buf_str(&blocks), blocks.len));
	assert_false(guarded("x = ", "(", 1000, "1\n"));
	assert_false(guarded("x = ", "[\n", 1000, "1\n"));
	assert_false(guarded("x = ", "lambda: ", 800, "1\n"));
	assert_false(guarded("x = ", "not ", 1000, "1\n"));
	assert_false(guarded("x = ", "1 + \\\n", 2000, "1\n"));
	assert_false(guarded("x = (", "1 +\n", 2000, "1)\n"));
	assert_false(guarded("", "a=", 95, "1\n"));
	assert_false(guarded("", "x=1;", 5000, "\n"));
	assert_false(guarded("x = '", "a", 10u << 10, "'\n"));
	assert_false(guarded("", "x = 1\n", 30000, ""));
	assert_false(cuv_ruff_guard("x\0", 2));
	assert_false(cuv_ruff_guard("\xff", 1));
}

TEST(what_people_write_is_let_through)
{
	assert_true(cuv_ruff_guard("", 0));
	assert_true(guarded("", "def f(a, b=1):\n    return {'a': [a, b], 'b': (b,)}\n\n\n", 500, ""));
	assert_true(guarded("x = [\n", "    'a', 1, 2.5, [1, 2],\n", 1000, "]\n"));
	assert_true(guarded("'''", "it isn't (or is it? [no one knows\n", 200, "'''\nx = 1\n"));
	assert_true(guarded("", "x = 1  # :( :(( [\n", 500, ""));
	assert_true(guarded("x = \"\"\"", "'''(((\\\"\"\" = \n", 100, "\"\"\"\n"));
	assert_true(guarded("f(", "a=1, ", 300, ")\n"));
	assert_true(guarded("x = [\n", "    'a'  #  0x0061 -> LATIN SMALL LETTER A\n", 300, "]\n"));
	assert_true(guarded("f('a, \\\n  b')\ng('c\\\\')\n", "x.call_something_that_is_long()\n", 300, ""));
	assert_true(guarded("f('a, \\\r\n  b')\r\n", "x.call_something_that_is_long()\r\n", 300, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_that_are_not_whole_are_waited_for),
		cmocka_unit_test(frames_that_are_none_are_told),
		cmocka_unit_test(what_is_held_is_bounded),
		cmocka_unit_test(a_document_is_said_in_frames_that_can_be_read),
		cmocka_unit_test(warnings_are_in_order_and_in_our_shape),
		cmocka_unit_test(what_is_no_list_of_diagnostics_gives_none),
		cmocka_unit_test(edits_are_placed_by_characters_and_by_all_three_ends_of_lines),
		cmocka_unit_test(edits_outside_or_out_of_order_are_refused),
		cmocka_unit_test(what_takes_a_ruff_down_is_kept_from_it),
		cmocka_unit_test(what_people_write_is_let_through),
	};

	return cmocka_run_group_tests_name("ruff_lsp", tests, NULL, NULL);
}
