/* SPDX-License-Identifier: MIT */
/* Headers of scripts (PEP 723): which are found, what they say, and where they fail. */
#include "nixenv/script.h"
#include "tests/unit/requirements_test.h"

#define HEAD "# /// script\n"
#define TAIL "# ///\n"

static int read_text(const char *code, struct cuv_script *ret, struct cuv_error *err)
{
	return cuv_script_read(code, strlen(code), "main.py", ret, err);
}

static void assert_header(const char *code, const char *requirements, const char *python)
{
	_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;
	int r = read_text(code, &s, &err);

	if (r != 1)
		fail_msg("%d for `%s`: %u:%u: %s", r, code, err.line, err.column, err.message);
	assert_int_equal(cuv_requirements_canonical(s.requirements, &text), 0);
	assert_string_equal(cuv_buf_str(&text), requirements);
	assert_string_equal(s.requires_python, python);
}

static void headers(void **state)
{
	(void)state;
	assert_header(HEAD "# dependencies = ['requests<3', \"Rich\"]\n" TAIL, "requests<3\nrich\n", "");
	assert_header("#!/usr/bin/env python\n\n" HEAD
		      "# requires-python = '>= 3.11'\n# dependencies = [\n#   'a', # b\n#\n#   "
		      "'c[d]>=1 ; os_name==\"posix\"',\n# ]\n" TAIL "import a\n",
		      "a\nc[d]>=1 ; os_name == \"posix\"\n", ">=3.11");
	assert_header(HEAD "#\n" TAIL, "", "");
	assert_header(HEAD "# dependencies = []\n# [tool.uv]\n# x = 1\n# ///", "", "");
	assert_header("# /// script\r\n# dependencies = ['a']\r\n# ///\r\n", "a\n", "");
	assert_header("# /// script\r# dependencies = ['a']\r# ///\r", "a\n", "");
	/* Of comment lines in one piece the last end counts. */
	assert_header(HEAD "# dependencies = ['''a''']\n#\n" TAIL "x = 1\n" TAIL, "a\n", "");
	/* A block of another type, one that is not closed, one of another script. */
	assert_header("# /// other\n# /// script\n# dependencies = ['no']\n" TAIL "\n" HEAD
		      "# dependencies = ['yes']\n" TAIL,
		      "yes\n", "");
	assert_header(HEAD "# dependencies = ['no']\n\n" HEAD "# dependencies = ['yes']\n" TAIL, "yes\n", "");
	assert_header(HEAD "# dependencies = ['foo @ https://example.org/foo-1-py3-none-any.whl']\n" TAIL,
		      "foo @ https://example.org/foo-1-py3-none-any.whl\n", "");
}

static void none(void **state)
{
	static const char *const codes[] = {
		"",
		"print()\n",
		HEAD,
		HEAD TAIL,
		HEAD "# a = 1\n",
		HEAD "x\n" TAIL,
		" " HEAD "# a\n" TAIL,
		"#/// script\n# a\n" TAIL,
		"# /// script \n# a\n" TAIL,
		"# /// Script\n# a\n" TAIL,
		HEAD "#a\n" TAIL,
	};
	_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
	struct cuv_error err = CUV_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (read_text(codes[i], &s, &err) != 0)
			fail_msg("`%s` has a header", codes[i]);
}

static void refused(void **state)
{
	static const struct {
		const char *code;
		enum cuv_error_code error;
		uint32_t line, column;
		const char *words;
	} cases[] = {
		{HEAD "# dependencies = ['a', 'b c']\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 27, "a line of its own"},
		{"x\n" HEAD "# dependencies = [\n#     \"\"\"b !\"\"\",\n# ]\n" TAIL, CUV_E_REQUIREMENT_INVALID, 4, 12,
		 ""},
		{HEAD "# dependencies = [\"b\\u0020c\"]\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 19, "a line of its own"},
		{HEAD "# dependencies = ['a --hash=sha256:00']\n" TAIL, CUV_E_REQUIREMENT_UNSUPPORTED, 2, 22,
		 "options"},
		{HEAD "# dependencies = ['-r a.txt']\n" TAIL, CUV_E_REQUIREMENT_UNSUPPORTED, 2, 20, "options"},
		{HEAD "# dependencies = ['a # b']\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 22, "comment"},
		{HEAD "# dependencies = ['']\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 19, "missing"},
		{HEAD "# dependencies = ['a\\\\']\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 22, ""},
		{HEAD "# dependencies = ['caf\xc3\xa9']\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 23, ""},
		{HEAD "# dependencies = [\"a\\nb\"]\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 19, "one line"},
		{HEAD "# dependencies = ['./a']\n" TAIL, CUV_E_REQUIREMENT_UNSUPPORTED, 2, 20, "local path"},
		{HEAD "# dependencies = 'a'\n" TAIL, CUV_E_SCRIPT_INVALID, 2, 18, "list of texts"},
		{HEAD "# dependencies = ['a', 1]\n" TAIL, CUV_E_SCRIPT_INVALID, 2, 24, "list of texts"},
		{HEAD "# requires-python = 3.11\n" TAIL, CUV_E_SCRIPT_INVALID, 2, 21, "is a text"},
		{HEAD "# requires-python = '^3.11'\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 22, ""},
		{HEAD "# requires-python = '>=3.11 foo'\n" TAIL, CUV_E_REQUIREMENT_INVALID, 2, 29,
		 "version specifiers"},
		{HEAD "# name = 'x'\n" TAIL, CUV_E_SCRIPT_INVALID, 2, 10, "nothing else"},
		{HEAD "# tool = 1\n" TAIL, CUV_E_SCRIPT_INVALID, 2, 10, "nothing else"},
		{HEAD "# a = = b\n" TAIL, CUV_E_SCRIPT_INVALID, 2, 7, "TOML"},
		{HEAD "# a = 1\n" TAIL "\n" HEAD "# b = 1\n" TAIL, CUV_E_SCRIPT_INVALID, 5, 1, "second header"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
		struct cuv_error err = CUV_ERROR_INIT;

		assert_int_equal(read_text(cases[i].code, &s, &err), -EINVAL);
		if (err.code != cases[i].error || err.line != cases[i].line || err.column != cases[i].column ||
		    !strstr(err.message, cases[i].words) || strcmp(err.file, "main.py") != 0)
			print_error("`%s`: %s at %s:%u:%u: %s\n", cases[i].code, cuv_error_name(err.code), err.file,
				    err.line, err.column, err.message);
		assert_int_equal(err.code, cases[i].error);
		assert_int_equal(err.line, cases[i].line);
		assert_int_equal(err.column, cases[i].column);
	}
}

static void places(void **state)
{
	_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
	struct cuv_error err = {.line = 2};

	(void)state;
	assert_int_equal(
		read_text("\n" HEAD "# dependencies = [\n#  'zoo', # why\n#  'a']\n# [tool.x]\n" TAIL, &s, &err), 1);
	assert_int_equal(s.requirements->n_ignored, 1);
	assert_int_equal(s.requirements->ignored[0].line, 6);
	err = (struct cuv_error){.line = 2};
	cuv_requirements_relocate(s.requirements, &err);
	assert_string_equal(err.file, "main.py");
	assert_int_equal(err.line, 4);
	assert_string_equal(err.excerpt, "#  'zoo', # why");
}

static void pythons(void **state)
{
	static const struct {
		const char *specifiers;
		const char *wanted; /* NULL: none */
		const char *version;
	} cases[] = {
		{">=3.8", NULL, "3.11"},      {">=3.12", NULL, "3.13"}, {"<4,>3", "3.13", "3.13"},
		{"==3.11.*", NULL, "3.11"},   {">=3.12", "3.11", NULL}, {"<3", NULL, NULL},
		{"==3.13.*", "3.13", "3.13"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
		_cleanup_buf_ struct cuv_buf code = CUV_BUF_INIT(4096);
		const struct cuv_python *wanted = cases[i].wanted ? cuv_python_find(cases[i].wanted) : NULL, *p;
		struct cuv_error err = CUV_ERROR_INIT;

		cuv_buf_addf(&code, "\n" HEAD "# requires-python = '%s'\n" TAIL, cases[i].specifiers);
		assert_int_equal(read_text(cuv_buf_str(&code), &s, &err), 1);
		p = cuv_script_python(&s, wanted, &err);
		if (cases[i].version) {
			assert_non_null(p);
			assert_string_equal(p->version, cases[i].version);
		} else {
			assert_null(p);
			assert_int_equal(err.code, CUV_E_REQUIREMENTS_UNRESOLVABLE);
			assert_int_equal(err.line, 3);
			assert_int_equal(err.column, 21);
			assert_string_equal(err.file, "main.py");
		}
	}
}

/* Openings without an end are looked at once, not once for each. */
static void many_openings(void **state)
{
	_cleanup_buf_ struct cuv_buf code = CUV_BUF_INIT(2 << 20);
	_cleanup_script_ struct cuv_script s = CUV_SCRIPT_INIT;
	struct cuv_error err;

	(void)state;
	while (code.len < 1 << 20)
		cuv_buf_add_str(&code, HEAD);
	assert_int_equal(read_text(cuv_buf_str(&code), &s, &err), 0);
	cuv_buf_add_str(&code, TAIL);
	assert_int_equal(read_text(cuv_buf_str(&code), &s, &err), -EINVAL);
	assert_non_null(strstr(err.message, "64 KiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers), cmocka_unit_test(none),    cmocka_unit_test(refused),
		cmocka_unit_test(places),  cmocka_unit_test(pythons), cmocka_unit_test(many_openings),
	};

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
