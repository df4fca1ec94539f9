/* SPDX-License-Identifier: MIT */
/* What is refused: with which code, at which place, and with what advice. */
#include "tests/unit/requirements_test.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct refusal {
	const char *text;
	uint32_t column;
	const char *words;
};

/* Each text is tried as it is and as the third line of a file. */
static void check(const struct refusal *cases, size_t n, enum cuv_error_code code)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct cuv_buf file = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);

		assert_refused(cases[i].text, code, 1, cases[i].column, cases[i].words);
		cuv_buf_addf(&file, "# caf\xc3\xa9\r\nfoo>=1\r\n%s\r\nbar\r\n", cases[i].text);
		assert_refused(cuv_buf_str(&file), code, 3, cases[i].column, cases[i].words);
	}
}

static void options(void **state)
{
	static const struct refusal cases[] = {
		{"-e .", 1, "local projects are not built"},
		{"  --editable=git+https://example.org/x", 3, "local projects are not built"},
		{"-f https://example.org/", 1, "the service's own index"},
		{"--find-links /srv", 1, "the service's own index"},
		{"--no-index", 1, "the service's own index"},
		{"--no-binary :all:", 1, "built from source"},
		{"--no-binary=foo", 1, "built from source"},
		{"--only-binary :all:", 1, "built from source"},
		{"--require-hashes", 1, "--hash"},
		{"--something-new", 1, "`--something-new` is not served"},
		{"-x", 1, "`-x` is not served"},
		{"- foo", 1, "`-` is not served"},
		{"--pre --no-binary :all:", 7, "built from source"},
		{"foo --no-binary foo", 5, "built from source"},
		{"foo==1 --config-settings=a=b", 8, "their own settings"},
		{"foo --global-option=x", 5, "their own settings"},
		{"foo==1 --hash=sha256:" HEX64 " -e .", 87, "local projects"},
		{"foo==1 --hash=md5:d41d8cd98f00b204e9800998ecf8427e", 15, "`md5` is not served"},
	};

	(void)state;
	check(cases, ARRAY_SIZE(cases), CUV_E_REQUIREMENT_UNSUPPORTED);
}

static void misplaced_options(void **state)
{
	static const struct refusal cases[] = {
		{"--pre foo", 7, "a line of its own"},
		{"--pre=1", 6, "takes no value"},
		{"--trusted-host", 15, "needs a value"},
		{"--use-feature=", 15, "needs a value"},
		{"foo --pre", 5, "only --hash can"},
		{"--hash=sha256:" HEX64, 1, "follows a requirement"},
		{"foo --hash", 5, "follows a requirement"},
		{"foo --hash=", 12, "a hash reads"},
		{"foo --hash=" HEX64, 12, "a hash reads"},
		{"foo --hash=sha256:abc", 19, "exactly 64"},
		{"foo --hash=sha256:" HEX64 "0", 19, "exactly 64"},
		{"foo --hash=sha256:g3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", 19,
		 "exactly 64"},
		{"foo --hash=sha512:" HEX64, 19, "exactly 128"},
		{"foo --hash=sha256:" HEX64 " bar", 84, "only --hash options"},
		{"foo --hash=sha256:" HEX64 ";os_name=='nt'", 19, "exactly 64"},
		{"foo; os_name=='nt'--hash=sha256:" HEX64, 19, "expected `and`"},
	};

	(void)state;
	check(cases, ARRAY_SIZE(cases), CUV_E_REQUIREMENT_INVALID);
}

static void urls_paths_variables(void **state)
{
	static const struct refusal cases[] = {
		{"foo @ http://example.org/foo-1.0-py3-none-any.whl", 7, "use https"},
		{"git+ssh://git@example.org/foo", 1, "over https only"},
		{"file:///srv/foo", 1, "no local files"},
		{".", 1, "a local path"},
		{"./foo", 1, "a local path"},
		{"../foo[extra]", 1, "a local path"},
		{"/srv/foo", 1, "a local path"},
		{"~/foo", 1, "a local path"},
		{"dir/foo", 1, "a local path"},
		{"C:\\foo", 1, "a local path"},
		{"C:/foo", 1, "a local path"},
		{"foo-1.0-py3-none-any.whl", 1, "a local file"},
		{"foo-1.0.tar.gz", 1, "a local file"},
		{"foo.ZIP", 1, "a local file"},
		{"${NAME}", 1, "never expanded"},
		{"foo==${VERSION}", 6, "never expanded"},
		{"foo; os_name == '${OS}'", 18, "never expanded"},
	};

	(void)state;
	check(cases, ARRAY_SIZE(cases), CUV_E_REQUIREMENT_UNSUPPORTED);
}

static void names_and_extras(void **state)
{
	static const struct refusal cases[] = {
		{"-", 1, "`-` is not served"},
		{"_foo", 1, "begins and ends with"},
		{"foo-", 1, "begins and ends with"},
		{"foo.", 1, "begins and ends with"},
		{"[a]", 1, "can't begin with `[`"},
		{">=1", 1, "can't begin with `>`"},
		{"\"foo\"", 1, "can't begin with `\"`"},
		{"!foo", 1, "can't begin with `!`"},
		{"foo bar", 5, "a line of its own"},
		{"foo, bar", 4, "`,` is not expected"},
		{"foo: 1", 4, "`:` is not expected"},
		{"foo#bar", 4, "a comment needs a blank"},
		{"foo[a", 4, "not closed"},
		{"foo[a b]", 7, "separated by commas"},
		{"foo[a,]", 7, "can't begin with `]`"},
		{"foo[,a]", 5, "can't begin with `,`"},
		{"foo[a,", 7, "the name of the extra is missing"},
		{"foo[-a]", 5, "begins and ends with"},
		{"foo[a][b]", 7, "`[` is not expected"},
		{"foo]", 4, "`]` is not expected"},
		{"foo \\ bar", 5, "`\\` is not expected"},
		{"foo \\ ", 5, "very last character"},
		{"foo \\ # why", 5, "very last character"},
		{"foo\xc2\xa0>=1", 4, "no-break space"},
		{"foo; os_name == \xe2\x80\x9cnt\xe2\x80\x9d", 17, "typographic quote"},
		{"foo \xe2\x80\x93pre", 5, "typographic dash"},
		{"caf\xc3\xa9", 4, "only comments"},
		{"foo\xef\xbb\xbf", 4, "byte order mark inside"},
		{"\xe5\x8c\x85 # \xe5\x8c\x85", 1, "only comments"},
	};

	(void)state;
	check(cases, 1, CUV_E_REQUIREMENT_UNSUPPORTED);
	check(cases + 1, ARRAY_SIZE(cases) - 1, CUV_E_REQUIREMENT_INVALID);
}

static void specifiers(void **state)
{
	static const struct refusal cases[] = {
		{"foo 1.0", 5, "needs an operator"},
		{"foo=1.0", 4, "write `==`"},
		{"foo=>1", 4, "write `>=`"},
		{"foo =< 1", 5, "write `<=`"},
		{"foo~1", 4, "write `~=`"},
		{"foo!1", 4, "write `!=`"},
		{"foo>=", 6, "a version is missing after `>=`"},
		{"foo>=;os_name=='nt'", 6, "a version is missing"},
		{"foo<>1", 5, "a version is missing after `<`"},
		{"foo>=1 <2", 8, "separated by commas"},
		{"foo>=1<2", 7, "separated by commas"},
		{"foo>=1,,<2", 8, "needs an operator"},
		{"foo>=1,2", 8, "needs an operator"},
		{"foo(>=1", 4, "not closed"},
		{"foo(>=1]", 7, "is not a version"},
		{"foo>=1)", 7, "`)` is not expected"},
		{"foo()>=1", 6, "`>` is not expected"},
		{"foo(1)", 5, "needs an operator"},
		{"foo==one", 6, "is not a version"},
		{"foo==1.x", 6, "is not a version"},
		{"foo==1.2.3.", 6, "is not a version"},
		{"foo==1.*.*", 6, "is not a version"},
		{"foo==*", 6, "is not a version"},
		{"foo==.*", 6, "is not a version"},
		{"foo===anything", 7, "is not a version"},
		{"foo==1.0rc1.*", 6, "only follow release numbers"},
		{"foo==1+x.*", 6, "only follow release numbers"},
		{"foo>=1.*", 6, "only == and !="},
		{"foo~=1.0.*", 6, "only == and !="},
		{"foo===1.*", 7, "only == and !="},
		{"foo~=1", 6, "needs two or more"},
		{"foo>=1.0+local", 6, "has a local label"},
		{"foo~=1.0+local", 6, "has a local label"},
	};

	(void)state;
	check(cases, ARRAY_SIZE(cases), CUV_E_REQUIREMENT_INVALID);
}

static void markers(void **state)
{
	static const struct refusal cases[] = {
		{"foo;", 5, "is missing here"},
		{"foo; os_name", 13, "an operator is missing"},
		{"foo; os_name =", 14, "an operator is missing"},
		{"foo; os_name ==", 16, "is missing here"},
		{"foo; os_name == posix", 17, "strings need quotes"},
		{"foo; os == 'posix'", 6, "not a marker variable"},
		{"foo; os_names == 'posix'", 6, "not a marker variable"},
		{"foo; os_name == 'posix", 17, "does not end"},
		{"foo; os_name == 'a #1'", 17, "does not end"},
		{"foo; os_name == 'posix' and", 28, "is missing here"},
		{"foo; os_name == 'posix' & os_name == 'nt'", 25, "expected `and`, `or`"},
		{"foo; os_name == 'posix' AND os_name == 'nt'", 25, "expected `and`, `or`"},
		{"foo; os_name == 'posix' or or os_name == 'nt'", 28, "not a marker variable"},
		{"foo; (os_name == 'posix'", 6, "not closed"},
		{"foo; (os_name == 'posix' os_name", 26, "expected `and`, `or` or `)`"},
		{"foo; os_name == 'posix')", 24, "expected `and`, `or`"},
		{"foo; ()", 7, "is missing here"},
		{"foo; not os_name == 'nt'", 6, "not a marker variable"},
		{"foo; os_name not 'nt'", 14, "followed by `in`"},
		{"foo; os_name notin 'nt'", 14, "an operator is missing"},
		{"foo; 'a' == 'b'", 6, "one variable with one quoted string"},
		{"foo; os_name == sys_platform", 6, "one variable with one quoted string"},
		{"foo; python_version < 'three'", 24, "is not a version"},
		{"foo; python_version < '3.*'", 24, "only == and !="},
		{"foo; '3.*' > python_version", 7, "only == and !="},
		{"foo; python_version ~= '3'", 25, "needs two or more"},
		{"foo; python_version in '3.10 x'", 30, "is not a version"},
		{"foo; python_version in '3.10 3.*'", 30, "a list does not take"},
		{"foo; extra == 'a b'", 15, "not the name of an extra"},
		{"foo; os_name == 'a\tb'", 19, "a tab"},
		{"foo; os_name == 'a$b'", 19, "`$`"},
		{"foo; os_name == 'a\\b'", 19, "a backslash"},
		{"foo; os_name == 'a -b'", 19, "as an option"},
		{"foo; os_name == 'nt'; os_name == 'nt'", 21, "expected `and`, `or`"},
	};

	(void)state;
	check(cases, ARRAY_SIZE(cases), CUV_E_REQUIREMENT_INVALID);
}

static void markers_not_served(void **state)
{
	static const struct refusal cases[] = {
		{"foo; python_version === '3.11'", 21, "write `==`"},
		{"foo; '3' in python_version", 6, "python_version == \"3.*\""},
		{"foo; '3.8' ~= python_version", 12, "variable on its left"},
		{"foo; os_name ~= 'posix'", 17, "compares versions"},
		{"foo; extra in 'a'", 15, "only == and !="},
		{"foo; extra > 'a'", 14, "only == and !="},
	};

	(void)state;
	check(cases, ARRAY_SIZE(cases), CUV_E_REQUIREMENT_UNSUPPORTED);
}

/* Line and column are those of the file, not of the joined line. */
static void place_in_continued_line(void **state)
{
	(void)state;
	assert_refused("a\nfoo>=1,\\\n  <2.x", CUV_E_REQUIREMENT_INVALID, 3, 4, "is not a version");
	assert_refused("fo\\\no\\\n bar", CUV_E_REQUIREMENT_INVALID, 3, 2, "a line of its own");
	assert_refused("foo>= \\\n  # comment", CUV_E_REQUIREMENT_INVALID, 1, 6, "a version is missing");
	assert_refused("foo>=\\\n\n", CUV_E_REQUIREMENT_INVALID, 1, 6, "a version is missing");
	assert_refused("foo; os_name == \\\r\n 'n\\\r\nt", CUV_E_REQUIREMENT_INVALID, 2, 2, "does not end");
	assert_refused("--pre \\\n --no-index", CUV_E_REQUIREMENT_UNSUPPORTED, 2, 2, "own index");
}

static void excerpt_is_the_line(void **state)
{
	static const char text[] = "a\r\n  foo==x.y # why\r\nb";
	struct cuv_requirements *r = NULL;
	struct cuv_error err = CUV_ERROR_INIT;

	(void)state;
	assert_int_equal(cuv_requirements_parse(text, strlen(text), &r, &err), -EINVAL);
	assert_string_equal(err.excerpt, "  foo==x.y # why");
	/* The error may be unwanted. */
	assert_int_equal(cuv_requirements_parse(text, strlen(text), &r, NULL), -EINVAL);
}

static void excerpt_has_no_password(void **state)
{
	static const struct {
		const char *line, *excerpt;
	} cases[] = {
		{"foo @ https://me:secret@example.org/x", "foo @ https://*********@example.org/x"},
		{"-i https://me@example.org/simple", "-i https://**@example.org/simple"},
		{"-fhttps://a@b@c/x https://d@e ", "-fhttps://***@c/x https://*@e "},
		{"foo @ https://example.org/a@b", "foo @ https://example.org/a@b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_requirements *r = NULL;
		struct cuv_error err = CUV_ERROR_INIT;

		assert_true(cuv_requirements_parse(cases[i].line, strlen(cases[i].line), &r, &err) < 0);
		assert_string_equal(err.excerpt, cases[i].excerpt);
		assert_null(strstr(err.message, "secret"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(misplaced_options),
		cmocka_unit_test(urls_paths_variables),
		cmocka_unit_test(names_and_extras),
		cmocka_unit_test(specifiers),
		cmocka_unit_test(markers),
		cmocka_unit_test(markers_not_served),
		cmocka_unit_test(place_in_continued_line),
		cmocka_unit_test(excerpt_is_the_line),
		cmocka_unit_test(excerpt_has_no_password),
	};

	return cmocka_run_group_tests_name("requirements refused", tests, NULL, NULL);
}
