/* SPDX-License-Identifier: MIT */
/* Which zygote the builder takes the store's link to name. */
#include "nixenv/builder/pins.h"
#include "nixenv/storepath.h"
#include "tests/unit/unit.h"

#include <errno.h>
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

static void put_link_called(const struct cuv_builder_state *s, const char *name, const char *target)
{
	char link[PATH_MAX];

	cuv_path_join(s->roots, name, link);
	(void)unlink(link);
	assert_ok(symlink(target, link));
}

static void put_link(const struct cuv_builder_state *s, const char *target)
{
	put_link_called(s, "zygote", target);
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

	assert_false(cuv_pins_zygote(cuv_pythons, s, name));
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
	assert_true(cuv_pins_zygote(cuv_pythons, &s, name));
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
	assert_true(cuv_pins_zygote(cuv_pythons, &s, name));
	assert_ok(cuv_remove_tree(s.nix));
}

TEST(each_python_has_a_zygote_of_its_own)
{
	const struct cuv_python *other = cuv_python_find("3.13");
	struct cuv_builder_state s = folders();
	char name[CUV_STORE_NAME_SIZE];

	put_path(&s, NAME);
	put_path(&s, NAME "-python313");
	put_link(&s, "/nix/store/" NAME);
	assert_false(cuv_pins_zygote(other, &s, name));
	/* One that was linked with another image's libraries is none. */
	put_link_called(&s, "zygote-python313", "/nix/store/" NAME);
	assert_false(cuv_pins_zygote(other, &s, name));
	put_link_called(&s, "zygote-python313", "/nix/store/" NAME "-python313");
	assert_true(cuv_pins_zygote(other, &s, name));
	assert_string_equal(name, NAME "-python313");
	assert_ok(cuv_remove_tree(s.nix));
}

TEST(the_pins_hold_an_image_for_each_python)
{
	struct cuv_error err;
	struct cuv_pins p;

	assert_ok(cuv_pins_read(&p, &err));
	assert_int_equal(p.n_pythons, cuv_pythons_n);
	for (size_t i = 0; i < cuv_pythons_n; i++) {
		assert_ptr_equal(cuv_pins_find(&p, cuv_pythons[i].version), &p.pythons[i]);
		assert_string_equal(p.tools.pythons[i].python, cuv_pythons[i].full);
		assert_string_equal(p.tools.pythons[i].image, p.pythons[i].image.store_name);
	}
	assert_null(cuv_pins_find(&p, "3.12"));
	/* What is not in the store is said with the command that makes it. */
	struct cuv_builder_state s = folders();
	assert_int_equal(cuv_pins_check_image(&p.pythons[1], &s, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_UNAVAILABLE);
	assert_string_equal(err.message, "the store lacks the image of Python 3.13 (run: make store PYTHON=3.13)");
	assert_ok(cuv_remove_tree(s.nix));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_to_a_path_that_is_there),
		cmocka_unit_test(other_links_name_none),
		cmocka_unit_test(each_python_has_a_zygote_of_its_own),
		cmocka_unit_test(the_pins_hold_an_image_for_each_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
