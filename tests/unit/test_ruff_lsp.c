/* SPDX-License-Identifier: MIT */
/* What a kept ruff says, as our answer. (Arbitrary bytes are the fuzz target's.) */
#include "manager/ruff/guard.h"
#include "manager/ruff/lsp.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int read_one(const char *text)
{
	struct cuv_lsp_reader r;
	struct cuv_json m;
	int got;

	cuv_lsp_reader_init(&r);
	assert_ok(cuv_lsp_push(&r, text, strlen(text)));
	got = cuv_lsp_next(&r, &m);
	cuv_lsp_reader_done(&r);
	return got;
}

TEST(frames_that_are_not_whole_are_waited_for)
{
	static const char frame[] = "Content-Length: 9\r\nContent-Type: x\r\n\r\n{\"id\": 7}";
	struct cuv_lsp_reader r;
	struct cuv_json m;
	size_t i;

	cuv_lsp_reader_init(&r);
	for (i = 0; i + 1 < sizeof(frame); i++) {
		assert_int_equal(cuv_lsp_next(&r, &m), 0);
		assert_ok(cuv_lsp_push(&r, frame + i, 1));
	}
	assert_int_equal(cuv_lsp_next(&r, &m), 1);
	assert_int_equal(cuv_lsp_look(m).id, 7);
	assert_true(cuv_lsp_is_empty(&r));
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
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		if (read_one(bad[i]) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	memset(endless, 'a', sizeof(endless) - 1);
	endless[sizeof(endless) - 1] = '\0';
	assert_int_equal(read_one(endless), -EBADMSG);
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

/* What is said next, by a parser that is not ours. */
static json_t *said(struct cuv_lsp_reader *r)
{
	struct cuv_json m;
	json_t *tree;

	assert_int_equal(cuv_lsp_next(r, &m), 1);
	tree = json_loadb(m.at, m.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(tree);
	return tree;
}

static const char *text_at(const json_t *m, const char *member)
{
	return json_string_value(json_object_get(m, member));
}

TEST(a_document_is_said_in_frames_that_can_be_read)
{
	static const char code[] = "x = \"\xf0\x9f\x98\x80\\\n\t\x01\x7f\r\"\n";
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(65536);
	struct cuv_lsp_reader r;
	json_t *m, *document;

	assert_ok(cuv_lsp_put_document(&out, true, 20, "", code, sizeof(code) - 1));
	assert_ok(cuv_lsp_put_formatting(&out, 20));
	assert_ok(cuv_lsp_put_document(&out, false, 21, "\n", code, sizeof(code) - 1));
	cuv_lsp_reader_init(&r);
	assert_ok(cuv_lsp_push(&r, out.data, out.len));

	m = said(&r);
	document = json_object_get(json_object_get(m, "params"), "textDocument");
	assert_string_equal(text_at(m, "method"), "textDocument/didOpen");
	assert_string_equal(text_at(document, "text"), code);
	assert_int_equal(json_integer_value(json_object_get(document, "version")), 20);
	json_decref(m);

	m = said(&r);
	assert_string_equal(text_at(m, "method"), "textDocument/formatting");
	assert_int_equal(json_integer_value(json_object_get(m, "id")), 20);
	json_decref(m);

	m = said(&r);
	document = json_array_get(json_object_get(json_object_get(m, "params"), "contentChanges"), 0);
	assert_string_equal(text_at(m, "method"), "textDocument/didChange");
	assert_int_equal(text_at(document, "text")[0], '\n');
	assert_string_equal(text_at(document, "text") + 1, code);
	json_decref(m);
	assert_true(cuv_lsp_is_empty(&r));
	cuv_lsp_reader_done(&r);
}

static struct cuv_lsp_answer look(const char *message)
{
	return cuv_lsp_look(cuv_json_of(message, strlen(message)));
}

TEST(answers_are_told_from_what_nobody_asked_for)
{
	struct cuv_lsp_answer a = look("{\"id\":7,\"result\":null}");

	assert_true(a.id == 7 && !a.diagnostics && cuv_json_is_null(a.result));
	a = look("{\"id\":7,\"error\":{\"code\":1}}");
	assert_true(a.id == 7 && a.result.len == 0);
	a = look("{\"method\":\"textDocument/publishDiagnostics\",\"params\":{\"version\":8,\"diagnostics\":[]}}");
	assert_true(a.id == 8 && a.diagnostics && cuv_json_is_array(a.result));
	assert_int_equal(look("{\"id\":7,\"method\":\"workspace/configuration\"}").id, 0);
	assert_int_equal(look("{\"method\":\"textDocument/publishDiagnostics\",\"params\":{\"diagnostics\":[]}}").id,
			 0);
	assert_int_equal(look("{\"id\":\"7\",\"result\":null}").id, 0);
	assert_int_equal(look("{\"id\":-7,\"result\":null}").id, 0);
}

#define RANGE(a, b, c, d)                                                                                              \
	"\"range\":{\"start\":{\"line\":" #a ",\"character\":" #b "},\"end\":{\"line\":" #c ",\"character\":" #d "}}"

static json_t *warnings_of(const char *items, bool syntax_only, bool *ret_syntax)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(65536);

	if (cuv_lsp_warnings(cuv_json_of(items, strlen(items)), syntax_only, &out, ret_syntax) < 0)
		return NULL;
	return json_loadb(cuv_buf_str(&out), out.len, JSON_REJECT_DUPLICATES, NULL);
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
	json_t *list = warnings_of(items, false, &syntax), *w, *edit;
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
		if (warnings_of(bad[i], false, &syntax))
			fail_msg("accepted: %s", bad[i]);
}

TEST(of_what_can_not_be_parsed_the_first_syntax_error_is_left)
{
	static const char items[] = "[{\"code\":\"invalid-syntax\",\"message\":\"second\"," RANGE(
		2, 0, 2,
		1) "},{\"code\":\"F401\",\"message\":\"other\"," RANGE(0, 0, 0,
								       1) "},"
									  "{\"code\":\"invalid-syntax\",\"message\":"
									  "\"first \\u00e9\"," RANGE(1, 0, 1, 1) "}]";
	bool syntax = false;
	json_t *list = warnings_of(items, true, &syntax);

	assert_true(syntax);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_at(json_array_get(list, 0), "message"), "first \xc3\xa9");
	json_decref(list);
	list = warnings_of(items, false, &syntax);
	assert_int_equal(json_array_size(list), 3);
	json_decref(list);
}

static int apply(const char *edits, const char *text, struct cuv_buf *out)
{
	return cuv_lsp_apply(cuv_json_of(edits, strlen(edits)), text, strlen(text), out);
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
		cmocka_unit_test(answers_are_told_from_what_nobody_asked_for),
		cmocka_unit_test(of_what_can_not_be_parsed_the_first_syntax_error_is_left),
		cmocka_unit_test(warnings_are_in_order_and_in_our_shape),
		cmocka_unit_test(what_is_no_list_of_diagnostics_gives_none),
		cmocka_unit_test(edits_are_placed_by_characters_and_by_all_three_ends_of_lines),
		cmocka_unit_test(edits_outside_or_out_of_order_are_refused),
		cmocka_unit_test(what_takes_a_ruff_down_is_kept_from_it),
		cmocka_unit_test(what_people_write_is_let_through),
	};

	return cmocka_run_group_tests_name("ruff_lsp", tests, NULL, NULL);
}
