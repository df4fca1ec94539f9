/* SPDX-License-Identifier: MIT */
/* What came of each line, as the answer tells it. */
#include "manager/explain.h"

#include "tests/unit/unit.h"

#include <string.h>

/* foo[full] asks for foo[all] by itself, but never for foo[test]. */
#define PACKAGE(name, requires)                                                                                        \
	"[[packages]]\nname = \"" name "\"\n[packages.tool.cuvette]\nrequires = [" requires "]\n"
#define LOCK                                                                                                           \
	PACKAGE("bar", "\"foo ; extra == \\\"x\\\"\"")                                                                 \
	PACKAGE("dep", "\"bar\"")                                                                                      \
	PACKAGE("foo", "\"dep\", \"bar ; extra == \\\"all\\\"\", \"foo[all] ; extra == \\\"full\\\"\", "               \
		       "\"dep ; extra == \\\"test\\\"\"")

static void explained(void **state)
{
	struct cuv_requirements_files files = {
		.items = {{"r.txt",
			   "--pre\nFoo>=1\nwin ; os_name == 'nt'\n-c "
			   "c.txt\nFoo[full]>=1  # again\nbar ; os_name == 'nt'",
			   82},
			  {"c.txt", "dep<2\nother<1\n--extra-index-url https://H.invalid/s/", 52}},
		.n = 2};
	static const char *const packages[] = {"bar 5", "dep 1.5", "foo 1.0"};
	struct cuv_environment e = {.python = "3.11.2"};
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(4096);
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;
	struct cuv_error err = CUV_ERROR_INIT;
	json_auto_t *found = NULL, *expected = NULL;
	static const char want[] =
		"{\"lines\": ["
		"{\"file\":\"r.txt\",\"line\":2,\"text\":\"Foo>=1\",\"package\":\"foo\",\"constraint\":false,"
		"\"version\":\"1.0\",\"reason\":null},"
		"{\"file\":\"r.txt\",\"line\":3,\"text\":\"win ; os_name == "
		"'nt'\",\"package\":\"win\",\"constraint\":false,"
		"\"version\":null,\"reason\":\"its marker is false on this platform\"},"
		"{\"file\":\"c.txt\",\"line\":1,\"text\":\"dep<2\",\"package\":\"dep\",\"constraint\":true,"
		"\"version\":\"1.5\",\"reason\":null},"
		"{\"file\":\"c.txt\",\"line\":2,\"text\":\"other<1\",\"package\":\"other\",\"constraint\":true,"
		"\"version\":null,\"reason\":\"nothing asks for this package\"},"
		"{\"file\":\"r.txt\",\"line\":5,\"text\":\"Foo[full]>=1  # "
		"again\",\"package\":\"foo\",\"constraint\":false,"
		"\"version\":\"1.0\",\"reason\":null},"
		"{\"file\":\"r.txt\",\"line\":6,\"text\":\"bar ; os_name == "
		"'nt'\",\"package\":\"bar\",\"constraint\":false,"
		"\"version\":null,\"reason\":\"its marker is false on this platform\"}],"
		"\"ignored\":[{\"file\":\"r.txt\",\"line\":1,\"what\":\"--pre\",\"reason\":\"pre-releases are taken "
		"where a "
		"specifier names one, as in name>=2.0rc1\"}],"
		"\"indexes\":[{\"file\":\"c.txt\",\"line\":3,\"what\":\"--extra-index-url\",\"url\":\"https://"
		"h.invalid/s\"}],"
		"\"brought\":[\"bar\",\"dep\"],\"packages\":["
		"{\"name\":\"bar\",\"version\":\"5\",\"lines\":[],\"required_by\":[\"dep\",\"foo[all]\"]},"
		"{\"name\":\"dep\",\"version\":\"1.5\",\"lines\":[],\"required_by\":[\"foo\"]},"
		"{\"name\":\"foo\",\"version\":\"1.0\",\"lines\":[{\"file\":\"r.txt\",\"line\":2},"
		"{\"file\":\"r.txt\",\"line\":5}],\"required_by\":[]}],\"truncated\":false}";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		assert_ok(cuv_strv_add(&e.packages, packages[i]));
	files.items[0].len = strlen(files.items[0].data);
	files.items[1].len = strlen(files.items[1].data);
	assert_int_equal(cuv_requirements_parse_files(&files, &r, &err), 0);
	assert_ok(cuv_buf_add_str(&lock, LOCK));
	found = cuv_explain(r, &e, &lock);
	expected = json_loads(want, 0, NULL);
	assert_non_null(expected);
	if (!json_equal(found, expected)) {
		char *text = json_dumps(found, JSON_SORT_KEYS);

		print_error("%s\n", text);
		free(text);
	}
	assert_true(json_equal(found, expected));
	cuv_environment_done(&e);
}

/* A lock of a package of which nothing is known. */
static void unknown_requirers(void **state)
{
	static const char *const locks[] = {"", "not toml", PACKAGE("foo", "") "[[packages]]\nname = \"bar\"\n"};
	struct cuv_environment e = {.python = "3.11.2"};
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *r = NULL;
	struct cuv_error err = CUV_ERROR_INIT;

	(void)state;
	assert_ok(cuv_strv_add(&e.packages, "foo 1.0"));
	assert_ok(cuv_requirements_parse("foo", 3, &r, &err));
	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(4096);
		json_auto_t *found = NULL;

		assert_ok(cuv_buf_add_str(&lock, locks[i]));
		found = cuv_explain(r, &e, i ? &lock : NULL);
		assert_true(json_is_null(
			json_object_get(json_array_get(json_object_get(found, "packages"), 0), "required_by")));
	}
	cuv_environment_done(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(explained), cmocka_unit_test(unknown_requirers)};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
