/* SPDX-License-Identifier: MIT */
/* What a wheel's METADATA requires of the other packages of a lock. */
#include "nixenv/requires.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void lock_of(struct cuv_lock *l, const char *const *names)
{
	static const struct cuv_sha256 hash;

	*l = CUV_LOCK_INIT;
	(void)snprintf(l->python, sizeof(l->python), "3.11");
	for (; *names; names++)
		assert_ok(cuv_lock_add(l, *names, "1", "a-1-py3-none-any.whl", NULL, &hash, 0));
}

/* The requirements with commas between them. */
static const char *read_all(const char *metadata, char ret[1024])
{
	static const char *const names[] = {"idna", "urllib3", "win", "py-socks", NULL};
	_cleanup_strv_ struct cuv_strv found = CUV_STRV_INIT;
	struct cuv_lock l;
	size_t n = 0;

	lock_of(&l, names);
	assert_ok(cuv_requires_read(metadata, strlen(metadata), &l, &found));
	ret[0] = '\0';
	for (size_t i = 0; i < found.n; i++) {
		assert_true(cuv_requires_valid(found.items[i]));
		n += (size_t)snprintf(ret + n, 1024 - n, "%s%s", i ? ", " : "", found.items[i]);
	}
	cuv_lock_done(&l);
	return ret;
}

TEST(of_the_others)
{
	char text[1024];

	assert_string_equal(read_all("Metadata-Version: 2.1\nRequires-Dist: urllib3 (<3,>=1.21.1)\n"
				     "requires-dist: IDNA[All]<4\r\nRequires-Dist: not-locked\nRequires-Dist: urllib3\n"
				     "Requires-Dist: win ; sys_platform == 'win32'\n\nRequires-Dist: win\n",
				     text),
			    "idna[all], urllib3");
}

TEST(for_extras)
{
	char text[1024];

	assert_string_equal(
		read_all("Requires-Dist: Py.Socks!=1.5.7 ; extra == 'socks'\nProvides-Extra: Socks\n"
			 "Provides-Extra: both-\nProvides-Extra: all_of_it\n"
			 "Requires-Dist: idna ; extra == 'all.of-it' and python_version < '3'\n"
			 "Requires-Dist: urllib3[x] ; extra == 'all.of-it' or extra == 'socks'\n"
			 "Requires-Dist: win ; extra == 'unheard-of'\n",
			 text),
		"py-socks ; extra == \"socks\", urllib3[x] ; extra == \"all-of-it\", urllib3[x] ; extra == \"socks\"");
}

TEST(what_is_not_understood_says_nothing)
{
	char text[1024];

	assert_string_equal(read_all("", text), "");
	assert_string_equal(read_all("Requires-Dist: idna ; spam == 1\nRequires-Dist:\nRequires-Dist: ==\n"
				     "Requires-Dist: win >= one\nRequires-Distance: win\nRequires-Dist: urllib3",
				     text),
			    "urllib3");
}

TEST(bounds)
{
	_cleanup_strv_ struct cuv_strv found = CUV_STRV_INIT;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(65536);
	static const char *const names[] = {"a", NULL};
	struct cuv_lock l;

	lock_of(&l, names);
	for (int i = 0; i < 300; i++)
		cuv_buf_addf(&text, "Requires-Dist: a[x%d]\n", i);
	assert_int_equal(cuv_requires_read(cuv_buf_str(&text), text.len, &l, &found), -E2BIG);
	cuv_lock_done(&l);
}

TEST(parts)
{
	static const char *const bad[] = {"",
					  "A",
					  "a[",
					  "a[]",
					  "a[b",
					  "a ",
					  "a ; extra == \"",
					  "a ; extra == \"\"",
					  "a ; extra == \"b\" ",
					  "a\nb",
					  "a ; os == \"b\""};
	struct cuv_required p;

	assert_ok(cuv_requires_split("a-b[c,d] ; extra == \"e\"", &p));
	assert_int_equal(p.name_len, 3);
	assert_memory_equal(p.extras, "c,d", p.extras_len);
	assert_memory_equal(p.when, "e", p.when_len);
	assert_ok(cuv_requires_split("a", &p));
	assert_null(p.when);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cuv_requires_split(bad[i], &p), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(of_the_others), cmocka_unit_test(for_extras),
					   cmocka_unit_test(what_is_not_understood_says_nothing),
					   cmocka_unit_test(bounds), cmocka_unit_test(parts)};

	return cmocka_run_group_tests_name("requires", tests, NULL, NULL);
}
