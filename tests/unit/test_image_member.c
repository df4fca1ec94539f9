/* SPDX-License-Identifier: MIT */
/* Names of archive members: what is refused, where the rest goes. */
#include "worker-image/image/member.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *cleaned(const char *name)
{
	static struct cuv_member_name out;
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_member_clean(name, &out, &err) < 0) {
		assert_int_equal(err.code, CUV_E_BUILD_FAILED);
		assert_true(err.message[0] != '\0');
		return NULL;
	}
	return out.path;
}

static const char *merged(const char *path)
{
	static struct cuv_member_name out;

	return cuv_member_merge(path, &out, NULL) < 0 ? NULL : out.path;
}

static const char *linked(const char *path, const char *target)
{
	static struct cuv_member_name out;

	return cuv_member_link(path, target, &out, NULL) < 0 ? NULL : out.path;
}

static void names_are_cleaned(void **state)
{
	(void)state;
	assert_string_equal(cleaned("./usr/bin/x"), "usr/bin/x");
	assert_string_equal(cleaned("usr//bin/./x"), "usr/bin/x");
	assert_string_equal(cleaned("./usr/bin/"), "usr/bin");
	assert_string_equal(cleaned("./"), "");
	assert_string_equal(cleaned("."), "");
	assert_string_equal(cleaned("a..b/..c/d.."), "a..b/..c/d..");
	assert_string_equal(cleaned("usr/F\xc5\x91.crt"), "usr/F\xc5\x91.crt");
}

static void names_that_leave_the_root_are_refused(void **state)
{
	(void)state;
	assert_null(cleaned(""));
	assert_null(cleaned("/etc/passwd"));
	assert_null(cleaned("//etc"));
	assert_null(cleaned(".."));
	assert_null(cleaned("../x"));
	assert_null(cleaned("a/../b"));
	assert_null(cleaned("a/.."));
	assert_null(cleaned("./../x"));
	assert_null(cleaned("a\nb"));
	assert_null(cleaned("a\x1b[0m"));
	assert_null(cleaned("a\x7f"));
}

static void names_are_bounded(void **state)
{
	char name[4 * CUV_MEMBER_NAME_MAX];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[255] = '\0';
	assert_non_null(cleaned(name));
	name[255] = 'a';
	name[256] = '\0';
	assert_null(cleaned(name));

	/* As many folders as there may be, and one more. */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '/' : 'a';
	name[2 * CUV_MEMBER_DEPTH_MAX - 1] = '\0';
	assert_non_null(cleaned(name));
	name[2 * CUV_MEMBER_DEPTH_MAX - 1] = '/';
	name[2 * CUV_MEMBER_DEPTH_MAX + 1] = '\0';
	assert_null(cleaned(name));

	/* Long as a whole: parts of 101 bytes. */
	memset(name, 'a', sizeof(name));
	for (size_t i = 100; i < sizeof(name); i += 101)
		name[i] = '/';
	name[CUV_MEMBER_NAME_MAX - 1] = '\0';
	assert_non_null(cleaned(name));
	name[CUV_MEMBER_NAME_MAX - 1] = 'a';
	name[CUV_MEMBER_NAME_MAX] = '\0';
	assert_null(cleaned(name));
}

static void top_folders_are_merged_below_usr(void **state)
{
	(void)state;
	assert_string_equal(merged("lib/x86_64-linux-gnu/libc.so.6"), "usr/lib/x86_64-linux-gnu/libc.so.6");
	assert_string_equal(merged("lib64/ld-linux-x86-64.so.2"), "usr/lib64/ld-linux-x86-64.so.2");
	assert_string_equal(merged("bin"), "usr/bin");
	assert_string_equal(merged("sbin/x"), "usr/sbin/x");
	assert_string_equal(merged("usr/lib/x"), "usr/lib/x");
	assert_string_equal(merged("library/x"), "library/x");
	assert_string_equal(merged(""), "");

	char deep[2 * CUV_MEMBER_DEPTH_MAX + 8] = "lib";
	for (size_t i = 1; i < CUV_MEMBER_DEPTH_MAX; i++)
		memcpy(deep + strlen(deep), "/a", 3);
	assert_null(merged(deep));
}

static void links_become_relative(void **state)
{
	(void)state;
	assert_string_equal(linked("lib64/ld.so.2", "/lib/x86_64-linux-gnu/ld.so.2"),
			    "../lib/x86_64-linux-gnu/ld.so.2");
	assert_string_equal(linked("usr/lib/a/libz.so", "libz.so.1"), "libz.so.1");
	/* The package meant /usr/lib/b from /lib/a; merged, both are in one folder. */
	assert_string_equal(linked("lib/a/x", "../../usr/lib/a/y"), "y");
	assert_string_equal(linked("etc/os-release", "../usr/lib/os-release"), "../usr/lib/os-release");
	assert_string_equal(linked("usr/bin/ld.so", "/lib64/ld.so.2"), "../lib64/ld.so.2");
	assert_string_equal(linked("x", "/usr"), "usr");
	assert_string_equal(linked("usr/x", "."), ".");
	assert_string_equal(linked("usr/x", "/"), "..");
}

static void links_that_leave_the_root_are_refused(void **state)
{
	(void)state;
	assert_null(linked("x", ".."));
	assert_null(linked("usr/x", "../../etc/passwd"));
	assert_null(linked("usr/x", "/.."));
	assert_null(linked("usr/x", "a/../../../b"));
	assert_null(linked("usr/x", ""));
	assert_null(linked("usr/x", "a\nb"));
	/* Up to the root itself is inside. */
	assert_string_equal(linked("usr/x", "../etc/passwd"), "../etc/passwd");
}

static void an_image_holds_what_runs_need(void **state)
{
	(void)state;
	assert_true(cuv_member_wanted("usr/bin/python3.11"));
	assert_true(cuv_member_wanted("usr/lib/python3.11/unittest/case.py"));
	assert_true(cuv_member_wanted("usr/lib/python3.11/doctest.py"));
	assert_true(cuv_member_wanted("usr/lib/locale/C.utf8/LC_CTYPE"));
	assert_true(cuv_member_wanted("usr/share/zoneinfo/Europe/Berlin"));
	assert_true(cuv_member_wanted("usr/share/doc/zlib1g/copyright"));
	assert_true(cuv_member_wanted("usr/share/doc/libgcc-s1"));
	assert_false(cuv_member_wanted("usr/share/doc/zlib1g/changelog.gz"));
	assert_false(cuv_member_wanted("usr/share/man/man1/sh.1.gz"));
	assert_false(cuv_member_wanted("usr/share/locale/de/LC_MESSAGES/x.mo"));
	assert_false(cuv_member_wanted("usr/share/zoneinfo/right/Europe/Berlin"));
	assert_false(cuv_member_wanted("usr/lib/python3.11/test/test_os.py"));
	assert_false(cuv_member_wanted("usr/lib/python3.11/lib-dynload/_testcapi.cpython-311-x86_64-linux-gnu.so"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_cleaned),
		cmocka_unit_test(names_that_leave_the_root_are_refused),
		cmocka_unit_test(names_are_bounded),
		cmocka_unit_test(top_folders_are_merged_below_usr),
		cmocka_unit_test(links_become_relative),
		cmocka_unit_test(links_that_leave_the_root_are_refused),
		cmocka_unit_test(an_image_holds_what_runs_need),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
