/* SPDX-License-Identifier: MIT */
/* Files that include one another, constraints, and the way back from the canonical form. */
#include "nixenv/requirements_include.h"
#include "tests/unit/requirements_test.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX64_B "0000000000000000000000000000000000000000000000000000000000000000"

/* Files as name, text, name, text …, NULL. */
static struct cuv_requirements_files files_of(const char *const *pairs)
{
	struct cuv_requirements_files f = {0};

	for (; *pairs; pairs += 2)
		f.items[f.n++] = (struct cuv_requirements_file){pairs[0], pairs[1], strlen(pairs[1])};
	return f;
}

static struct cuv_requirements *parse_files(const char *const *pairs)
{
	struct cuv_requirements_files f = files_of(pairs);
	struct cuv_requirements *r = NULL;
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_requirements_parse_files(&f, &r, &err))
		fail_msg("refused at %s:%u:%u: %s", err.file, err.line, err.column, err.message);
	return r;
}

static void assert_files(const char *const *pairs, const char *expected)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_files(pairs), *again = NULL;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_REQUIREMENTS_BYTES_MAX);
	struct cuv_error err = CUV_ERROR_INIT;

	assert_int_equal(cuv_requirements_canonical(r, &text), 0);
	assert_string_equal(cuv_buf_str(&text), expected);
	assert_int_equal(cuv_requirements_parse_canonical(cuv_buf_str(&text), text.len, &again, &err), 0);
	assert_int_equal(again->n, r->n);
	assert_int_equal(again->n_constraints, r->n ? r->n_constraints : 0);
}

static void assert_files_refused(const char *const *pairs, enum cuv_error_code code, const char *file, uint32_t line,
				 uint32_t column, const char *words)
{
	struct cuv_requirements_files f = files_of(pairs);
	struct cuv_requirements *r = NULL;
	struct cuv_error err = CUV_ERROR_INIT;

	assert_int_equal(cuv_requirements_parse_files(&f, &r, &err), -EINVAL);
	if (err.code != code || err.line != line || err.column != column || strcmp(err.file, file) != 0 ||
	    !strstr(err.message, words))
		fail_msg("expected %s at %s:%u:%u with `%s`, got %s at %s:%u:%u: %s", cuv_error_name(code), file, line,
			 column, words, cuv_error_name(err.code), err.file, err.line, err.column, err.message);
}

#define FILES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void included(void **state)
{
	(void)state;
	assert_files(FILES("r.txt", "-r base.txt\nfoo\n", "base.txt", "bar"), "bar\nfoo\n");
	assert_files(FILES("r.txt", "-rbase.txt --pre", "base.txt", "bar"), "bar\n");
	assert_files(FILES("r.txt", "--requirement=./a/../base.txt", "base.txt", "bar"), "bar\n");
	assert_files(FILES("r.txt", "--requirement a/b.txt", "a/b.txt", "-r c.txt\n-r ../d.txt", "a/c.txt", "c",
			   "d.txt", "d"),
		     "c\nd\n");
	/* Twice is once; what nobody includes does not count. */
	assert_files(FILES("r.txt", "-r a.txt\n-r b.txt", "a.txt", "-r b.txt", "b.txt", "b", "c.txt", "-e ."), "b\n");
	/* A BOM and line ends are each file's own. */
	assert_files(FILES("r.txt", "-r a.txt", "a.txt",
			   "\xef\xbb\xbf"
			   "a\r\nb\r"),
		     "a\nb\n");
	/* The first file's name is the user's own, and may be anything. */
	assert_files(FILES("my reqs (1).txt", "-r a.txt", "a.txt", "a"), "a\n");
}

static void constraints(void **state)
{
	(void)state;
	assert_files(FILES("r.txt", "-c c.txt\nfoo", "c.txt", "Bar<2\nfoo == 1.0\nbar<2 # again"),
		     "foo\n--constraint bar<2\n--constraint foo==1\n");
	/* What a file of constraints includes are constraints. */
	assert_files(FILES("r.txt", "foo\n-cc.txt", "c.txt", "-r d.txt\n-c e.txt", "d.txt", "d", "e.txt", "e<1"),
		     "foo\n--constraint d\n--constraint e<1\n");
	/* A file can be both. */
	assert_files(FILES("r.txt", "-r a.txt\n-c a.txt", "a.txt", "foo>=1"), "foo>=1\n--constraint foo>=1\n");
	/* Nothing is constrained where nothing is asked for. */
	assert_files(FILES("r.txt", "-c c.txt", "c.txt", "foo<1"), "");
	assert_files(FILES("r.txt", "foo\n-c c.txt", "c.txt", "foo==1 --hash=sha256:" HEX64),
		     "foo\n--constraint foo==1 --hash=sha256:" HEX64 "\n");
}

static void indexes(void **state)
{
	(void)state;
	/* The one that replaces the service's own first, the others in the order of the files, each once. */
	assert_files(FILES("r.txt", "--extra-index-url https://A.example/x/\nfoo\n-c c.txt\n-r b.txt\n", "b.txt",
			   "-i https://b.example\n--extra-index-url https://a.example/x", "c.txt",
			   "bar<2\n--extra-index-url http://c.example:80/"),
		     "foo\n--constraint bar<2\n--index-url https://b.example\n--extra-index-url https://a.example/x\n"
		     "--extra-index-url http://c.example\n");
	/* Nothing is asked for where nothing is. */
	assert_files(FILES("r.txt", "-i https://a.example"), "");
	assert_files(FILES("r.txt", "-i https://a.example\n-i https://A.example/\na"),
		     "a\n--index-url https://a.example\n");
	/* A package may be called like the word before a constraint. */
	assert_files(FILES("r.txt", "constraint ; os_name=='nt'"), "constraint ; os_name == \"nt\"\n");
	assert_files_refused(FILES("r.txt", "-i https://a.example\n-r b.txt", "b.txt", "#\n  -i https://b.example"),
			     CUV_E_REQUIREMENT_INVALID, "b.txt", 2, 3, "another --index-url");
}

static void refused(void **state)
{
	const enum cuv_error_code unsupported = CUV_E_REQUIREMENT_UNSUPPORTED, invalid = CUV_E_REQUIREMENT_INVALID;

	(void)state;
	assert_files_refused(FILES("r.txt", "a\n-r base.txt"), CUV_E_REQUIREMENTS_FILE_MISSING, "", 2, 4, "`base.txt`");
	assert_files_refused(FILES("r.txt", "-c  a/b", "b", ""), CUV_E_REQUIREMENTS_FILE_MISSING, "", 1, 5, "`a/b`");
	assert_files_refused(FILES("r.txt", "-r a/b", "a/b", "-r c"), CUV_E_REQUIREMENTS_FILE_MISSING, "a/b", 1, 4,
			     "`a/c`");
	assert_files_refused(FILES("r.txt", "-r ../base.txt"), unsupported, "", 1, 4, "out of the folder");
	assert_files_refused(FILES("r.txt", "-r a/../../b"), unsupported, "", 1, 4, "out of the folder");
	assert_files_refused(FILES("r.txt", "--requirement=/etc/passwd"), unsupported, "", 1, 15, "relative");
	assert_files_refused(FILES("r.txt", "-r~/a.txt"), unsupported, "", 1, 3, "relative");
	assert_files_refused(FILES("r.txt", "-r a\\b.txt"), unsupported, "", 1, 4, "separated by /");
	assert_files_refused(FILES("r.txt", "-r https://example.org/a"), unsupported, "", 1, 4, "not fetched");
	assert_files_refused(FILES("r.txt", "-r file:///a"), unsupported, "", 1, 4, "not fetched");
	assert_files_refused(FILES("r.txt", "-r a//b"), unsupported, "", 1, 4, "letters, digits");
	assert_files_refused(FILES("r.txt", "-r ${A}"), unsupported, "", 1, 4, "letters, digits");
	assert_files_refused(FILES("r.txt", "-r 'a b'"), unsupported, "", 1, 4, "letters, digits");
	assert_files_refused(FILES("r.txt", "-r a/b/c/d/e/f/g/h/i"), unsupported, "", 1, 4, "too deep");
	assert_files_refused(FILES("r.txt", "-r ."), unsupported, "", 1, 4, "no file's name");
	assert_files_refused(FILES("r.txt", "-r"), invalid, "", 1, 3, "needs a value");
	assert_files_refused(FILES("r.txt", "-c="), invalid, "", 1, 4, "needs a value");
	assert_files_refused(FILES("r.txt", "-r r.txt"), invalid, "", 1, 4, "in a circle");
	assert_files_refused(FILES("r.txt", "-r a", "a", "\n-c b", "b", "x\ny\n  -r a"), invalid, "b", 3, 6,
			     "in a circle");
	assert_files_refused(FILES("r.txt", "foo -r a", "a", ""), invalid, "", 1, 5, "can't follow");
	assert_files_refused(FILES("r.txt", "-r a foo", "a", ""), invalid, "", 1, 6, "a line of its own");
	assert_files_refused(FILES("r.txt", "-r a", "a", "ok\n-e ."), unsupported, "a", 2, 1, "local projects");
	assert_files_refused(FILES("r.txt", "-r a", "a", "\xff"), CUV_E_REQUIREMENTS_ENCODING, "a", 1, 1, "0xff");
	assert_files_refused(FILES("r.txt", "-c a", "a", "foo[x]<1"), invalid, "a", 1, 1, "no extras");
	assert_files_refused(FILES("r.txt", "-c a", "a", "foo @ https://example.org/foo-1-py3-none-any.whl"),
			     unsupported, "a", 1, 1, "can't have an address");
	/* The word of the canonical form means nothing to users. */
	assert_files_refused(FILES("r.txt", "constraint foo<1"), invalid, "", 1, 12, "a line of its own");
}

static void bounded(void **state)
{
	struct cuv_requirements_files f = {.n = CUV_REQUIREMENTS_FILES_MAX};
	static char names[CUV_REQUIREMENTS_FILES_MAX][8], texts[CUV_REQUIREMENTS_FILES_MAX][16];
	static char large[CUV_REQUIREMENTS_BYTES_MAX];
	struct cuv_requirements *r = NULL;
	struct cuv_error err;

	(void)state;
	/* A chain that is too long. */
	for (size_t i = 0; i < f.n; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "%zu", i);
		(void)snprintf(texts[i], sizeof(texts[i]), "-r %zu", i + 1);
		f.items[i] = (struct cuv_requirements_file){names[i], texts[i], strlen(texts[i])};
	}
	assert_int_equal(cuv_requirements_parse_files(&f, &r, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_TOO_LARGE);
	assert_non_null(strstr(err.message, "8 deep"));
	assert_string_equal(err.file, "7");
	/* Too many bytes together. */
	memset(large, '#', sizeof(large));
	for (size_t i = 0; i < 3; i++)
		f.items[i] = (struct cuv_requirements_file){names[i], large, sizeof(large)};
	f.n = 2;
	assert_int_equal(cuv_requirements_parse_files(&f, &r, &err), 0);
	cuv_requirements_free(r);
	f.n = 3;
	assert_int_equal(cuv_requirements_parse_files(&f, &r, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_TOO_LARGE);
}

static int load(void *arg, const char *name, struct cuv_requirements_file *ret)
{
	size_t *calls = arg;

	++*calls;
	if (strcmp(name, "a/there.txt") != 0)
		return -ENOENT;
	*ret = (struct cuv_requirements_file){"a/there.txt", "foo", 3};
	return 0;
}

static void loaded(void **state)
{
	size_t calls = 0;
	struct cuv_requirements_files f = {
		.items = {{"r.txt", "-r a/there.txt\n-c a/there.txt", 29}}, .n = 1, .load = load, .arg = &calls};
	struct cuv_requirements *r = NULL;
	struct cuv_error err;

	(void)state;
	assert_int_equal(cuv_requirements_parse_files(&f, &r, &err), 0);
	assert_int_equal(calls, 1);
	assert_int_equal(r->n + r->n_constraints, 2);
	assert_int_equal(r->files.n, 2);
	assert_string_equal(r->files.items[1], "a/there.txt");
	cuv_requirements_free(r);
	f = (struct cuv_requirements_files){
		.items = {{"r.txt", "-r a/other.txt", 14}}, .n = 1, .load = load, .arg = &calls};
	assert_int_equal(cuv_requirements_parse_files(&f, &r, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_REQUIREMENTS_FILE_MISSING);
}

static void lines(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r =
		parse_files(FILES("r.txt", "# x\nzoo\n-c c.txt\n-r b.txt\n--pre\n", "b.txt", "\n\nfoo \\\n  >=1\nZoo\n",
				  "c.txt", "zoo<3"));
	static const struct {
		uint32_t file, number;
		const char *text, *became;
	} expected[] = {
		{0, 2, "zoo", "zoo"}, {2, 1, "zoo<3", "zoo<3"}, {1, 3, "foo \\", "foo>=1"}, {1, 5, "Zoo", "zoo"}};

	(void)state;
	assert_int_equal(r->n_lines, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct cuv_requirements_line *l = &r->lines[i];

		assert_int_equal(l->file, expected[i].file);
		assert_int_equal(l->number, expected[i].number);
		assert_string_equal(l->text, expected[i].text);
		assert_string_equal((l->constraint ? r->constraints : r->items)[l->item].text, expected[i].became);
	}
	assert_int_equal(r->n_ignored, 1);
	assert_int_equal(r->ignored[0].line, 5);
}

static void relocated(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r =
		parse_files(FILES("r.txt", "\nzoo\n-r b.txt\n-c c.txt", "b.txt", "#\n  foo # here", "c.txt",
				  "bar\n --extra-index-url https://h.invalid"));
	static const struct {
		uint32_t canonical;
		const char *file;
		uint32_t line;
		const char *excerpt;
	} cases[] = {{1, "b.txt", 2, "  foo # here"},
		     {2, "", 2, "zoo"},
		     {3, "c.txt", 1, "bar"},
		     {4, "c.txt", 2, " --extra-index-url https://h.invalid"},
		     {5, "", 5, ""},
		     {0, "", 0, ""}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_error err = {.line = cases[i].canonical};

		cuv_requirements_relocate(r, &err);
		assert_int_equal(err.line, cases[i].line);
		assert_string_equal(err.file, cases[i].file);
		assert_string_equal(err.excerpt, cases[i].excerpt);
	}
}

static void hashes(void **state)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = parse_files(
		FILES("r.txt",
		      "a==1 ; os_name=='nt' --hash=sha256:" HEX64 "\na==2 --hash=sha256:" HEX64_B "\n"
		      "b --hash=sha256:" HEX64 "\nb\nc\n-c c.txt",
		      "c.txt", "b --hash=sha256:" HEX64_B "\nc --hash=sha256:" HEX64 "\nd --hash=sha256:" HEX64));

	(void)state;
	assert_true(cuv_requirements_allow_hash(r, "a", "sha256:" HEX64));
	assert_true(cuv_requirements_allow_hash(r, "A", "sha256:" HEX64_B));
	assert_false(cuv_requirements_allow_hash(r, "a", "sha512:" HEX64));
	/* Requirement and constraint list different ones: neither satisfies both. */
	assert_false(cuv_requirements_allow_hash(r, "b", "sha256:" HEX64));
	assert_false(cuv_requirements_allow_hash(r, "b", "sha256:" HEX64_B));
	assert_true(cuv_requirements_allow_hash(r, "c", "sha256:" HEX64));
	assert_false(cuv_requirements_allow_hash(r, "c", "sha256:" HEX64_B));
	/* A constraint is about what others bring, too. */
	assert_false(cuv_requirements_allow_hash(r, "d", "sha256:" HEX64_B));
	assert_true(cuv_requirements_allow_hash(r, "e", "sha256:" HEX64_B));
}

static void canonical_only(void **state)
{
	static const char *const wrong[] = {
		"Foo\n",
		"foo",
		"foo\nbar\n",
		"--constraint foo\n",
		"--constraint foo\nbar\n",
		"bar\n--constraint Foo\n",
		"bar\n--constraint foo\nzoo\n",
		"-r a.txt\n",
		"--index-url https://h.invalid/s\n",
		"bar\n--extra-index-url https://h.invalid/s\n--index-url https://h.invalid/s\n",
		"bar\n--index-url https://h.invalid/s/\n",
		"--index-url https://h.invalid/s\nbar\n",
		"bar\n-i https://h.invalid/s\n",
		"bar\n-c foo\n",
		"# x\n"};
	struct cuv_requirements *r = NULL;
	struct cuv_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(cuv_requirements_parse_canonical(wrong[i], strlen(wrong[i]), &r, &err), -EINVAL);
	assert_int_equal(cuv_requirements_parse_canonical("", 0, &r, &err), 0);
	cuv_requirements_free(r);
}

static void names(void **state)
{
	static const char *const good[] = {"a", "a.txt", "a/b.txt", "a-b_c+d@e", "..a", "a/b/c/d/e/f/g/h", "..."};
	static const char *const bad[] = {"",		"/a",  "a/",  "a//b", ".",    "..",
					  "a/../b",	"./a", "a b", "a\\b", "a\nb", "a/b/c/d/e/f/g/h/i",
					  "caf\xc3\xa9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(cuv_requirements_file_name_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(cuv_requirements_file_name_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(included),  cmocka_unit_test(constraints), cmocka_unit_test(refused),
		cmocka_unit_test(bounded),   cmocka_unit_test(loaded),	    cmocka_unit_test(lines),
		cmocka_unit_test(relocated), cmocka_unit_test(hashes),	    cmocka_unit_test(canonical_only),
		cmocka_unit_test(names),     cmocka_unit_test(indexes),
	};

	return cmocka_run_group_tests_name("requirements files", tests, NULL, NULL);
}
