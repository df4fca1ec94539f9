/* SPDX-License-Identifier: MIT */
/* The order of versions, specifiers, and what markers come to. */
#include "nixenv/marker_eval.h"

#include "nixenv/pep440_compare.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static struct cuv_version version(const char *text)
{
	struct cuv_version v;

	assert_int_equal(cuv_version_parse(text, strlen(text), &v), CUV_VERSION_OK);
	return v;
}

TEST(versions_are_ordered)
{
	/* each below the next */
	static const char *const order[] = {
		"1.dev0",    "1.0a1.dev2", "1.0a1", "1.0a1.post1", "1.0b1",   "1.0rc1", "1.0rc2",	"1",
		"1.0+a",     "1.0+a.b",	   "1.0+1", "1.0+1.a",	   "1.0+1.2", "1.0+10", "1.post0.dev1", "1.0.post0",
		"1.0.post1", "1.0.1",	   "1.10",  "2",	   "1!0.1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		for (size_t j = 0; j < ARRAY_SIZE(order); j++) {
			struct cuv_version a = version(order[i]), b = version(order[j]);
			int r = cuv_version_compare(&a, &b);

			if ((r > 0) - (r < 0) != (i > j) - (i < j))
				fail_msg("%s against %s is %d", order[i], order[j], r);
		}
	{
		struct cuv_version a = version("1.0.0"), b = version("1");

		assert_int_equal(cuv_version_compare(&a, &b), 0);
	}
}

TEST(specifiers_take)
{
	static const struct {
		const char *specifiers, *version;
		int takes; /* -1: no specifier */
	} cases[] = {
		{"", "3.11.2", 1},
		{">=3.11", "3.11.2", 1},
		{">=3.12", "3.11.2", 0},
		{" >= 3.8 , < 4 ", "3.11.2", 1},
		{">=3.8,!=3.11.*", "3.11.2", 0},
		{"==3.11.*", "3.11.2", 1},
		{"==3.11", "3.11.2", 0},
		{"==3.11.*", "3.11", 1},
		{"==3.1.*", "3.11.2", 0},
		{"~=3.11", "3.11.2", 1},
		{"~=3.11", "3.12", 1},
		{"~=3.11.1", "3.12", 0},
		{"~=3.10.0", "3.11.2", 0},
		{"<3.11", "3.11rc1", 0},
		{"<3.11rc2", "3.11rc1", 1},
		{">3.11", "3.11.post1", 0},
		{">3.11", "3.11.1.post1", 1},
		{"<=3.11.2", "3.11.2", 1},
		{"==1.0", "1.0+local", 1},
		{"==1.0+other", "1.0+local", 0},
		{"!=1.0", "1.0+local", 0},
		{"3.11", "3.11.2", -1},
		{">=", "3.11.2", -1},
		{">=x", "3.11.2", -1},
		{"===3.11.2", "3.11.2", -1},
		{">=3 <4", "3.11.2", -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_scan s = CUV_SCAN_INIT(cases[i].specifiers, strlen(cases[i].specifiers));
		struct cuv_version v = version(cases[i].version);
		bool got;
		int r = cuv_specifiers_take(&s, &v, &got);

		if ((r < 0 ? -1 : got) != cases[i].takes)
			fail_msg("%s and %s: %d", cases[i].specifiers, cases[i].version, r < 0 ? r : got);
	}
}

static int eval(const char *marker, const struct cuv_strv *extras, const struct cuv_strv *groups, bool *ret,
		struct cuv_scan *s)
{
	struct cuv_marker_env env = {.python_full = "3.11.2", .extras = extras, .groups = groups};

	*s = CUV_SCAN_INIT(marker, strlen(marker));
	return cuv_marker_eval(s, &env, ret);
}

TEST(markers_come_to)
{
	static const struct {
		const char *marker;
		bool value;
	} cases[] = {
		{"python_version == '3.11'", true},
		{"python_version<\"3.9\"", false},
		{"python_version >= '3.9' and sys_platform == 'linux'", true},
		{"python_full_version >= '3.11.0' and python_full_version < '3.12'", true},
		{"implementation_version == '3.11.2'", true},
		{"'3.10' <= python_version", true},
		{"python_version in '3.10 3.11'", true},
		{"python_version not in '3.10, 3.12'", true},
		{"python_version ~= '3.9'", true},
		{"sys_platform == 'win32' or platform_machine == 'x86_64'", true},
		{"sys_platform == 'win32' or platform_machine == 'arm64' and os_name == 'posix'", false},
		{"(sys_platform == 'win32' or platform_machine == 'x86_64') and os_name == 'nt'", false},
		{"platform_system == 'Linux' and implementation_name == 'cpython'", true},
		{"platform_python_implementation != 'PyPy'", true},
		{"python_implementation == 'CPython' and os.name == 'posix'", true},
		{"'linux' in sys_platform", true},
		{"'win' not in sys_platform", true},
		{"platform_release == ''", true},
		{"platform_machine < 'z'", true},
		{"extra == 'test'", false},
		{"extra != 'test'", true},
		{"'cli' in extras", false},
		{"\"Foo_Bar\" in extras", true},
		{"'dev' in dependency_groups", true},
		{"'foo-bar' in extras and 'docs' not in dependency_groups", true},
		{"platform_machine == 'x' or (('default' in dependency_groups))", false},
	};
	_cleanup_strv_ struct cuv_strv extras = CUV_STRV_INIT, groups = CUV_STRV_INIT;

	assert_ok(cuv_strv_add(&extras, "foo-bar"));
	assert_ok(cuv_strv_add(&groups, "dev"));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_scan s;
		bool got;

		if (eval(cases[i].marker, &extras, &groups, &got, &s) < 0 || got != cases[i].value)
			fail_msg("%s: %s", cases[i].marker, s.code ? s.message : "the other way round");
	}
}

TEST(markers_that_are_refused)
{
	static const struct {
		const char *marker;
		size_t at;
	} cases[] = {
		{"", 0},
		{"python_version", 14},
		{"python_version = '3'", 15},
		{"python_version == 3", 18},
		{"python_version == '3", 18},
		{"pythonversion == '3'", 0},
		{"'a' == 'a'", 0},
		{"(os_name == 'nt'", 0},
		{"os_name == 'nt')", 15},
		{"os_name == 'nt' os_name == 'nt'", 16},
		{"os_name == 'nt' and", 19},
		{"os_name not 'nt'", 8},
		{"os_name ~= 'nt'", 0},
		{"extra in 'a'", 0},
		{"extras == 'a'", 10},
		{"'?' in extras", 0},
		{"os_name in extras", 0},
		{"((((((((((((((((((os_name == 'nt'))))))))))))))))))", 16},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_scan s;
		bool got;

		assert_int_equal(eval(cases[i].marker, NULL, NULL, &got, &s), -EINVAL);
		if (s.fail_pos != cases[i].at)
			fail_msg("%s: at %zu: %s", cases[i].marker, s.fail_pos, s.message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_ordered),
		cmocka_unit_test(specifiers_take),
		cmocka_unit_test(markers_come_to),
		cmocka_unit_test(markers_that_are_refused),
	};

	return cmocka_run_group_tests_name("marker_eval", tests, NULL, NULL);
}
