/* SPDX-License-Identifier: MIT */
/* What is accepted, and the canonical form of it. */
#include "tests/unit/requirements_test.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX64_B "0000000000000000000000000000000000000000000000000000000000000000"
#define HEX64_UPPER "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
#define HEX96 HEX64 "e3b0c44298fc1c149afbf4c8996fb924"
#define HEX128 HEX64 HEX64

static void empty_environment(void **state)
{
	static const char *const texts[] = {"",	    "\n", "\r\n\r\n", "  \t \n", "# only a comment", "# a\n\n  # b\n",
					    "\\\n", "\\"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_canonical(texts[i], "");
}

static void names(void **state)
{
	(void)state;
	assert_canonical("requests", "requests\n");
	assert_canonical("Zope.Interface", "zope-interface\n");
	assert_canonical("a--b__c..d-_.e", "a-b-c-d-e\n");
	assert_canonical("0", "0\n");
}

static void extras(void **state)
{
	(void)state;
	assert_canonical("foo[bar]", "foo[bar]\n");
	assert_canonical("foo [ B_c , a.b,a-b ] >= 1", "foo[a-b,b-c]>=1\n");
	assert_canonical("foo[]", "foo\n");
}

static void specifiers(void **state)
{
	(void)state;
	assert_canonical("foo >= 1.0 , < 2", "foo<2,>=1\n");
	assert_canonical("foo (>=1.0,<2)", "foo<2,>=1\n");
	assert_canonical("foo()", "foo\n");
	assert_canonical("foo>=1,", "foo>=1\n");
	assert_canonical("foo>=1,>=1.0,>=1.0.0", "foo>=1\n");
	assert_canonical("foo==1.*", "foo==1.*\n");
	assert_canonical("foo!=1!01.0.*", "foo!=1!1.0.*\n");
	assert_canonical("foo~=1.0", "foo~=1.0\n");
	assert_canonical("foo~=1.0.0", "foo~=1.0.0\n");
	assert_canonical("foo===1.0.0", "foo===1.0.0\n");
	assert_canonical("foo==1.0+Ubuntu-1", "foo==1+ubuntu.1\n");
	assert_canonical("foo<v1.0-Alpha.1", "foo<1a1\n");
}

static void markers(void **state)
{
	static const char *const same[] = {
		"foo;python_version<'3.12'and os_name=='posix'",
		"foo ; os_name == \"posix\" and python_version < \"3.12\"",
		"foo ; (((python_version<\"3.12\"))) and (os_name==\"posix\")",
		"foo; 'posix' == os.name and '3.12' > python_version",
		"foo; os_name == 'posix' and (os_name == 'posix' and python_version < '3.12')",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_canonical(same[i], "foo ; os_name == \"posix\" and python_version < \"3.12\"\n");
	assert_canonical("foo; (os_name=='b' or os_name=='a') and extra == 'X_Y'",
			 "foo ; extra == \"x-y\" and (os_name == \"a\" or os_name == \"b\")\n");
	assert_canonical("foo; os_name=='c' or os_name=='b' and os_name=='a'",
			 "foo ; os_name == \"a\" and os_name == \"b\" or os_name == \"c\"\n");
	assert_canonical("foo; (os_name=='a' or os_name=='b') and (os_name=='b' or os_name=='a')",
			 "foo ; os_name == \"a\" or os_name == \"b\"\n");
	assert_canonical("foo; sys_platform not \t in 'a b' or 'linux' in sys.platform",
			 "foo ; \"linux\" in sys_platform or sys_platform not in \"a b\"\n");
	assert_canonical("foo; platform_version != 'say \"x\"'", "foo ; platform_version != 'say \"x\"'\n");
	assert_canonical("foo; platform_version != \"it's\"", "foo ; platform_version != \"it's\"\n");
	assert_canonical("foo; platform_version == '#1 SMP'", "foo ; platform_version == \"#1 SMP\"\n");
	assert_canonical("foo; python_version in '3.10, 3.11,3.12'", "foo ; python_version in \"3.10 3.11 3.12\"\n");
	assert_canonical("foo; python_version not in ''", "foo ; python_version not in \"\"\n");
	assert_canonical("foo; python_implementation=='CPython'",
			 "foo ; platform_python_implementation == \"CPython\"\n");
}

static void every_variable(void **state)
{
	static const char *const variables[] = {
		"os_name",	    "sys_platform",	   "platform_machine",	     "platform_python_implementation",
		"platform_release", "platform_system",	   "platform_version",	     "implementation_name",
		"python_version",   "python_full_version", "implementation_version", "extra",
	};
	char text[128], expected[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		(void)snprintf(text, sizeof(text), "foo;%s=='1'", variables[i]);
		(void)snprintf(expected, sizeof(expected), "foo ; %s == \"1\"\n", variables[i]);
		assert_canonical(text, expected);
	}
}

static void hashes(void **state)
{
	(void)state;
	assert_canonical("foo==1 --hash=sha256:" HEX64, "foo==1 --hash=sha256:" HEX64 "\n");
	assert_canonical("foo==1 --hash sha256:" HEX64_UPPER, "foo==1 --hash=sha256:" HEX64 "\n");
	assert_canonical("foo==1 \\\n  --hash=sha512:" HEX128 " \\\n  --hash=sha384:" HEX96 " --hash=sha256:" HEX64
			 " \\\n --hash=sha256:" HEX64_B " --hash=sha256:" HEX64 "\n    # via bar\n",
			 "foo==1 --hash=sha256:" HEX64_B " --hash=sha256:" HEX64 " --hash=sha384:" HEX96
			 " --hash=sha512:" HEX128 "\n");
	assert_canonical("foo==1; os_name=='nt' --hash=sha256:" HEX64,
			 "foo==1 ; os_name == \"nt\" --hash=sha256:" HEX64 "\n");
}

static void line_ends(void **state)
{
	static const char *const same[] = {"b\na\n", "b\r\na\r\n", "b\ra\r", "b\na", "\n\nb\n\r\na", "b\r\n\ra"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_canonical(same[i], "a\nb\n");
}

static void continuations(void **state)
{
	(void)state;
	assert_canonical("foo>=1,\\\n<2", "foo<2,>=1\n");
	assert_canonical("fo\\\no==1.\\\r\n0", "foo==1\n");
	assert_canonical("foo \\\r  >=1 \\\r  ; os_name=='nt'", "foo>=1 ; os_name == \"nt\"\n");
	assert_canonical("foo==1 \\\n\nbar", "bar\nfoo==1\n");
	assert_canonical("foo==1 \\\n", "foo==1\n");
	assert_canonical("foo==1\\", "foo==1\n");
}

static void comments(void **state)
{
	(void)state;
	assert_canonical("foo # bar", "foo\n");
	assert_canonical("foo\t#bar\n", "foo\n");
	assert_canonical("  # foo \\\nbar", "bar\n");
	assert_canonical("foo \\\n# comment\nbar", "bar\nfoo\n");
	assert_canonical("foo\\\n#comment\nbar", "bar\nfoo\n");
	assert_canonical("foo \\\n# comment \\\nbar", "bar\nfoo\n");
	assert_canonical("# caf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\x8d\nfoo # \xc3\xa9", "foo\n");
}

/* pip joins before it takes comments off, so the next line goes with them. */
static void comment_takes_next_line(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_text("a\nfoo # why \\\nbar\nb\n");

	(void)state;
	assert_canonical("a\nfoo # why \\\nbar\nb\n", "a\nb\nfoo\n");
	assert_int_equal(r->n_ignored, 1);
	assert_int_equal(r->ignored[0].line, 3);
	assert_string_equal(r->ignored[0].name, "comment");
	r = cuv_requirements_free(r);
	r = parse_text("foo # why \\\n\n# x\n");
	assert_int_equal(r->n_ignored, 0);
}

static void order_and_repetitions(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;

	(void)state;
	assert_canonical("c\nB\na\n", "a\nb\nc\n");
	assert_canonical("foo_bar>=1.0\nFoo.Bar >= 1\nfoo-bar>=1,>=1", "foo-bar>=1\n");
	assert_canonical("foo>=1\nfoo<2", "foo<2\nfoo>=1\n");
	r = parse_text("\nb\na==1\nA==1.0\n");
	assert_int_equal(r->n, 2);
	assert_int_equal(r->items[0].line, 3);
	assert_int_equal(r->items[1].line, 2);
}

static void parts(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r =
		parse_text("# head\nFoo[b,a]>=1,<2; os_name=='nt' \\\n --hash=sha256:" HEX64 "\n");
	const struct cuv_requirement *q = &r->items[0];

	(void)state;
	assert_int_equal(r->n, 1);
	assert_string_equal(q->name, "foo");
	assert_int_equal(q->extras.n, 2);
	assert_string_equal(q->extras.items[0], "a");
	assert_null(q->extras.items[2]);
	assert_string_equal(q->specifiers, "<2,>=1");
	assert_string_equal(q->marker, "os_name == \"nt\"");
	assert_int_equal(q->hashes.n, 1);
	assert_string_equal(q->hashes.items[0], "sha256:" HEX64);
	assert_int_equal(q->line, 2);
}

static void ignored_options(void **state)
{
	static const char text[] = "--pre\nfoo\n--trusted-host example.org --prefer-binary\n"
				   "--use-feature=fast-deps # why\n";
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_text(text);
	static const struct {
		const char *name;
		uint32_t line;
	} expected[] = {{"--pre", 1}, {"--trusted-host", 3}, {"--prefer-binary", 3}, {"--use-feature", 4}};

	(void)state;
	assert_canonical(text, "foo\n");
	assert_int_equal(r->n_ignored, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(r->ignored[i].name, expected[i].name);
		assert_int_equal(r->ignored[i].line, expected[i].line);
		assert_true(strlen(r->ignored[i].reason) > 0);
	}
}

static void find(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_text("b\nfoo_bar>=1\nfoo.bar<2\n");

	(void)state;
	assert_int_equal(cuv_requirements_find(r, "Foo-Bar")->line, 2);
	assert_int_equal(cuv_requirements_find(r, "b")->line, 1);
	assert_null(cuv_requirements_find(r, "c"));
	assert_null(cuv_requirements_find(r, "../b"));
	assert_null(cuv_requirements_find(r, ""));
}

/* What pip-compile and poetry write. */
static void exported_file(void **state)
{
	(void)state;
	assert_canonical(
		"#\n# This file is autogenerated\n#\n"
		"certifi==2024.7.4 \\\n"
		"    --hash=sha256:" HEX64 " \\\n"
		"    --hash=sha256:" HEX64_B "\n"
		"    # via requests\n"
		"colorama==0.4.6 ; python_version >= \"3.8\" and python_version < \"4.0\" and platform_system == "
		"\"Windows\" \\\n"
		"    --hash=sha256:" HEX64 "\n",
		"certifi==2024.7.4 --hash=sha256:" HEX64_B " --hash=sha256:" HEX64 "\n"
		"colorama==0.4.6 ; platform_system == \"Windows\" and python_version < \"4.0\" and python_version "
		">= \"3.8\" --hash=sha256:" HEX64 "\n");
}

static void assert_relocated(const char *text, uint32_t canonical_line, uint32_t line, const char *excerpt)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_text(text);
	struct cuv_error err = {.code = CUV_E_REQUIREMENTS_UNRESOLVABLE, .line = canonical_line};

	cuv_requirements_relocate(r, &err);
	assert_int_equal(err.code, CUV_E_REQUIREMENTS_UNRESOLVABLE);
	assert_int_equal(err.line, line);
	assert_string_equal(err.excerpt, excerpt);
}

static void relocate(void **state)
{
	static const char text[] = "# one\r\n\r\nIdna == 99.99  # why\r\nattrs\r\n";

	(void)state;
	assert_relocated(text, 1, 4, "attrs");
	assert_relocated(text, 2, 3, "Idna == 99.99  # why");
	assert_relocated(text, 0, 0, "");
	assert_relocated(text, 3, 3, ""); /* the canonical text has two lines: left alone */
	assert_relocated("b\\\n>=1\na", 2, 1, "b\\");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_environment),
		cmocka_unit_test(names),
		cmocka_unit_test(extras),
		cmocka_unit_test(specifiers),
		cmocka_unit_test(markers),
		cmocka_unit_test(every_variable),
		cmocka_unit_test(hashes),
		cmocka_unit_test(line_ends),
		cmocka_unit_test(continuations),
		cmocka_unit_test(comments),
		cmocka_unit_test(comment_takes_next_line),
		cmocka_unit_test(order_and_repetitions),
		cmocka_unit_test(parts),
		cmocka_unit_test(ignored_options),
		cmocka_unit_test(find),
		cmocka_unit_test(exported_file),
		cmocka_unit_test(relocate),
	};

	return cmocka_run_group_tests_name("requirements", tests, NULL, NULL);
}
