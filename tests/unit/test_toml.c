/* SPDX-License-Identifier: MIT */
/* The reader of TOML: what is read, what is refused, and where it stands. */
#include "nixenv/toml.h"

#include "lib/base/buf.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static char *to_json(const char *text, struct cuv_toml_error *err)
{
	json_t *j = NULL;
	char *out;

	if (cuv_toml_parse(text, strlen(text), &j, err) < 0)
		return NULL;
	out = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(j);
	return out;
}

TEST(toml_that_is_read)
{
	static const struct {
		const char *text;
		const char *json;
	} cases[] = {
		{"", "{}"},
		{"# only\r\n\r\n", "{}"},
		{"a = 1 # one\n\tb=true\nc = false", "{\"a\":1,\"b\":true,\"c\":false}"},
		{"a = 'b\\n' \n\"x y\" = \"\\u00e4\\t\\\"\\U0001F600\"",
		 "{\"a\":\"b\\\\n\",\"x y\":\"\xc3\xa4\\t\\\"\xf0\x9f\x98\x80\"}"},
		{"d = 2026-10-18T16:21:06Z\ne = 2026-10-18 16:21:06.5+02:00\nf = 1979-05-27\ng = 07:32:00",
		 "{\"d\":\"2026-10-18T16:21:06Z\",\"e\":\"2026-10-18 "
		 "16:21:06.5+02:00\",\"f\":\"1979-05-27\",\"g\":\"07:32:00\"}"},
		{"a = [ ]\nb = [1,\n # c\n 2, ]\nc = [[],[{}]]", "{\"a\":[],\"b\":[1,2],\"c\":[[],[{}]]}"},
		{"a = { b = 1, c = { d = \"e\" } }", "{\"a\":{\"b\":1,\"c\":{\"d\":\"e\"}}}"},
		{"[t]\na = 1\n[[l]]\nb = 2\n[[ l ]]\n[u]", "{\"l\":[{\"b\":2},{}],\"t\":{\"a\":1},\"u\":{}}"},
		/* dotted keys and headers */
		{"a.b = 1\na . 'c.d' = 2", "{\"a\":{\"b\":1,\"c.d\":2}}"},
		{"a = { b.c = 1, b.d = 2 }", "{\"a\":{\"b\":{\"c\":1,\"d\":2}}}"},
		{"[a.b.c]\nx = 1\n[a]\ny = 2\n[ a . b ]\nz = 3", "{\"a\":{\"b\":{\"c\":{\"x\":1},\"z\":3},\"y\":2}}"},
		{"[[p]]\nn = 1\n[[p.w]]\nu = 2\n[p.w.h]\ns = 3\n[[p.w]]\n[[p]]\n[p.t.u]\n",
		 "{\"p\":[{\"n\":1,\"w\":[{\"h\":{\"s\":3},\"u\":2},{}]},{\"t\":{\"u\":{}}}]}"},
		{"[f]\na.b = 1\n[f.a.c]\nd = 2", "{\"f\":{\"a\":{\"b\":1,\"c\":{\"d\":2}}}}"},
		/* strings over lines */
		{"a = \"\"\"\nb\r\nc \\  \n\n  d\"\"\"\"", "{\"a\":\"b\\nc d\\\"\"}"},
		{"a = '''\\b\n''c'''''", "{\"a\":\"\\\\b\\n''c''\"}"},
		/* numbers */
		{"a = -1\nb = +1_000\nc = 0xfF\nd = 0o17\ne = 0b11",
		 "{\"a\":-1,\"b\":1000,\"c\":255,\"d\":15,\"e\":3}"},
		{"a = 1.5\nb = -2e3\nc = 1_0.2_5E-1\nd = nan\ne = -inf",
		 "{\"a\":1.5,\"b\":-2000.0,\"c\":1.0249999999999999,\"d\":\"nan\",\"e\":\"-inf\"}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *json = to_json(cases[i].text, NULL);

		assert_non_null(json);
		assert_string_equal(json, cases[i].json);
	}
}

TEST(toml_that_is_refused)
{
	static const struct {
		const char *text;
		uint32_t line;
	} cases[] = {
		{"a", 1},
		{"a = ", 1},
		{"a = 1 b = 2", 1},
		{"\na = 1\na = 2", 3},
		{"a. = 1", 1},
		{"a = 1\na.b = 2", 2},
		{"a.b = 1\na.b.c = 2", 2},
		{"[a]\nb = 1\n[x]\n[a.b]", 4},
		{"a = {}\n[a.b]", 2},
		{"a = {b = {}, b.c = 1}", 1},
		{"a = []\n[[a]]", 2},
		{"[[a]]\n[a]", 2},
		{"[a.b]\n[[a]]", 2},
		{"[a]\nb.c = 1\n[a.b]", 3},
		{"[a.b]\n[a]\nb.c = 1", 3},
		{"a.b.c.d.e.f.g.h.i = 1", 1},
		{"'''a''' = 1", 1},
		{"a = 01", 1},
		{"a = -01", 1},
		{"a = 1.", 1},
		{"a = .5", 1},
		{"a = 1e", 1},
		{"a = 1e999", 1},
		{"a = _1", 1},
		{"a = 1__2", 1},
		{"a = +0x1", 1},
		{"a = 0xg", 1},
		{"a = ++1", 1},
		{"a = \"", 1},
		{"a = \"b\nc\"", 1},
		{"a = \"\"\"b\n\"\"", 2},
		{"a = \"\"\"\x01\"\"\"", 1},
		{"a = \"\\x\"", 1},
		{"a = \"\\u00\"", 1},
		{"a = \"\\ud800\"", 1},
		{"a = \"\\u0000\"", 1},
		{"a = \"\x01\"", 1},
		{"a = \"\xff\"", 1},
		{"a = [1", 1},
		{"a = [1\n\n2]", 3},
		{"a = {b = 1", 1},
		{"a = {b = 1,}", 1},
		{"a = {b = 1\n}", 1},
		{"[a", 1},
		{"[a]\n[a]", 2},
		{"[[a]\n", 1},
		{"a = 1\n[[a]]", 2},
		{"= 1", 1},
		{"a = 123456789012345678901", 1},
		{"a = [[[[[[[[[[1]]]]]]]]]]", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_toml_error err = {0};
		_cleanup_free_ char *json = to_json(cases[i].text, &err);

		if (json)
			fail_msg("%s was read as %s", cases[i].text, json);
		assert_int_equal(err.line, cases[i].line);
		assert_non_null(err.reason);
	}
}

TEST(values_have_places)
{
	static const char text[] = "a = 1\n[[p]]\nn = \"\xc3\xa4\" # \n[p.w]\nx = { y = [ 'z' ] }\n";
	_cleanup_toml_ struct cuv_toml t = CUV_TOML_INIT;
	struct cuv_toml_error err;
	json_t *p, *z;
	uint32_t line, column;
	const char *at;
	size_t len;

	assert_ok(cuv_toml_read(text, strlen(text), &t, &err));
	p = json_array_get(json_object_get(t.root, "p"), 0);
	cuv_toml_locate(text, strlen(text), cuv_toml_offset(&t, p), &line, &column, &at, &len);
	assert_int_equal(line, 2);
	assert_int_equal(column, 1);
	assert_int_equal(len, 5);
	z = json_array_get(json_object_get(json_object_get(json_object_get(p, "w"), "x"), "y"), 0);
	cuv_toml_locate(text, strlen(text), cuv_toml_offset(&t, z), &line, &column, &at, &len);
	assert_int_equal(line, 5);
	assert_int_equal(column, 13);
	assert_memory_equal(at, "x = { y = [ 'z' ] }", len);
	/* columns count characters */
	assert_int_equal(cuv_toml_read("k = \"\xc3\xa4\" ?", 10, &(struct cuv_toml){0}, &err), -EINVAL);
	assert_int_equal(err.column, 9);
}

TEST(values_are_counted)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_TOML_BYTES_MAX);
	struct cuv_toml_error err;
	json_t *j = NULL;

	cuv_buf_add_str(&text, "a = [");
	for (unsigned i = 0; i < CUV_TOML_VALUES_MAX; i++)
		cuv_buf_add_str(&text, "[],");
	cuv_buf_add_str(&text, "]");
	assert_int_equal(cuv_toml_parse(cuv_buf_str(&text), text.len, &j, &err), -EINVAL);
	assert_non_null(strstr(err.reason, "more values"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(toml_that_is_read),
		cmocka_unit_test(toml_that_is_refused),
		cmocka_unit_test(values_have_places),
		cmocka_unit_test(values_are_counted),
	};

	return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}
