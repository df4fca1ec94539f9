/* SPDX-License-Identifier: MIT */
/* Which zygote the builder takes the store's link to name. */
#include "nixenv/builder/pins.h"
#include "nixenv/storepath.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH "x0gjsnyad2xzvpgcc9rmgqrcsq7m9yjp"
#define NAME HASH "-cuvette-zygote"

static struct cuv_builder_state folders(void)
{
	static char top[] = "/tmp/cuvette-pins-XXXXXX";
	struct cuv_builder_state s = {0};

	memcpy(top + sizeof(top) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(top));
	(void)snprintf(s.roots, sizeof(s.roots), "%s/roots", top);
	(void)snprintf(s.store, sizeof(s.store), "%s/store", top);
	(void)snprintf(s.nix, sizeof(s.nix), "%s", top);
	assert_ok(mkdir(s.roots, 0755));
	assert_ok(mkdir(s.store, 0755));
	return s;
}

static void put_link(const struct cuv_builder_state *s, const char *target)
{
	char link[PATH_MAX];

	cuv_path_join(s->roots, "zygote", link);
	(void)unlink(link);
	assert_ok(symlink(target, link));
}

static void put_path(const struct cuv_builder_state *s, const char *name)
{
	char path[PATH_MAX];

	cuv_path_join(s->store, name, path);
	assert_ok(mkdir(path, 0755));
}

static void assert_none(const struct cuv_builder_state *s)
{
	char name[CUV_STORE_NAME_SIZE] = "old";

	assert_false(cuv_pins_zygote(s, name));
	assert_string_equal(name, "");
}

TEST(a_link_to_a_path_that_is_there)
{
	struct cuv_builder_state s = folders();
	char name[CUV_STORE_NAME_SIZE];

	assert_none(&s);
	put_link(&s, "/nix/store/" NAME);
	assert_none(&s);
	put_path(&s, NAME);
	assert_true(cuv_pins_zygote(&s, name));
	assert_string_equal(name, NAME);
	assert_ok(cuv_remove_tree(s.nix));
}

TEST(other_links_name_none)
{
	struct cuv_builder_state s = folders();
	char longer[CUV_STORE_PATH_SIZE + 64];

	put_path(&s, NAME);
	put_path(&s, HASH "-cuvette-zygote-old");
	put_path(&s, HASH "-uv");
	put_path(&s, "short-cuvette-zygote");
	put_path(&s, "E0gjsnyad2xzvpgcc9rmgqrcsq7m9yjp-cuvette-zygote");
	const char *const targets[] = {
		"/",
		"/nix/store/",
		"/nix/store/-cuvette-zygote",
		NAME,
		"/nix/stor/" NAME,
		"/nix/store/../store/" NAME,
		"/nix/store/" HASH "-cuvette-zygote-old",
		"/nix/store/" HASH "-uv",
		"/nix/store/short-cuvette-zygote",
		"/nix/store/E0gjsnyad2xzvpgcc9rmgqrcsq7m9yjp-cuvette-zygote",
		"/nix/store/" NAME "/",
	};
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		put_link(&s, targets[i]);
		assert_none(&s);
	}
	(void)snprintf(longer, sizeof(longer), "/nix/store/%0*d-cuvette-zygote", (int)CUV_STORE_NAME_SIZE, 0);
	put_link(&s, longer);
	assert_none(&s);
	put_link(&s, "/nix/store/" NAME);
	char name[CUV_STORE_NAME_SIZE];
	assert_true(cuv_pins_zygote(&s, name));
	assert_ok(cuv_remove_tree(s.nix));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_to_a_path_that_is_there),
		cmocka_unit_test(other_links_name_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
