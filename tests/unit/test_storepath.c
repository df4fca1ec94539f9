/* SPDX-License-Identifier: MIT */
/* Store paths against values that nix-instantiate gave once; the random corpus is
 * tests/nixenv/test_storepath.py. */
#include "nixenv/storepath.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static struct cuv_sha256 abc(void)
{
	struct cuv_sha256 h;

	assert_ok(cuv_unhex(ABC, sizeof(h.bytes), h.bytes));
	return h;
}

TEST(fixed_outputs)
{
	char name[CUV_STORE_NAME_SIZE];
	struct cuv_sha256 h = abc();

	assert_ok(cuv_storepath_fixed(false, &h, "a.whl", name));
	assert_string_equal(name, "zn7cigjq2q2h8biadzny73m4g8nz979m-a.whl");
	assert_ok(cuv_storepath_fixed(true, &h, "root", name));
	assert_string_equal(name, "v8xx33l7qmbkgfvsnmy85c2sp12pnrb5-root");
}

TEST(texts)
{
	char name[CUV_STORE_NAME_SIZE];

	assert_ok(cuv_storepath_text("hello\n", 6, "t.txt", name));
	assert_string_equal(name, "nj4j70xcnmcdh9y4yfs0ddw3hhli4880-t.txt");
}

/* derivation { name = "d-1.0"; args = [ "-c" "a\"b\\c\nd\te\rf" ]; … } with a
 * text, a flat and a recursive fixed output as inputs; and one that uses it. */
TEST(derivations)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT, e = CUV_DERIVATION_INIT;
	char name[CUV_STORE_NAME_SIZE];
	struct cuv_sha256 h = abc(), flat, root, d_modulo, e_modulo;

	assert_ok(cuv_modulo_fixed(false, &h, "a.whl", &flat));
	assert_ok(cuv_modulo_fixed(true, &h, "root", &root));
	d.name = "d-1.0";
	d.system = "x86_64-linux";
	d.builder = "/bin/sh";
	assert_ok(cuv_strv_add(&d.args, "-c"));
	assert_ok(cuv_strv_add(&d.args, "a\"b\\c\nd\te\rf"));
	assert_ok(cuv_strv_add(&d.env, "zoo=z=1"));
	assert_ok(cuv_strv_add(&d.env, "Zed="));
	assert_ok(cuv_strv_add(&d.env, "name=d-1.0"));
	assert_ok(cuv_strv_add(&d.env, "builder=/bin/sh"));
	assert_ok(cuv_strv_add(&d.env, "system=x86_64-linux"));
	assert_ok(cuv_strv_add(&d.env, "src=/nix/store/zn7cigjq2q2h8biadzny73m4g8nz979m-a.whl"));
	assert_ok(cuv_strv_add(&d.env, "root=/nix/store/v8xx33l7qmbkgfvsnmy85c2sp12pnrb5-root"));
	assert_ok(cuv_strv_add(&d.env, "text=/nix/store/nj4j70xcnmcdh9y4yfs0ddw3hhli4880-t.txt"));
	assert_ok(cuv_strv_add(&d.sources, "nj4j70xcnmcdh9y4yfs0ddw3hhli4880-t.txt"));
	assert_ok(cuv_derivation_add_input(&d, &root));
	assert_ok(cuv_derivation_add_input(&d, &flat));
	assert_ok(cuv_derivation_output(&d, name, &d_modulo));
	assert_string_equal(name, "nc964ayjfmkq0sdan9ykdpxc85yiy7m1-d-1.0");

	e.name = "e";
	e.system = "x86_64-linux";
	e.builder = "/bin/sh";
	assert_ok(cuv_strv_add(&e.env, "name=e"));
	assert_ok(cuv_strv_add(&e.env, "builder=/bin/sh"));
	assert_ok(cuv_strv_add(&e.env, "system=x86_64-linux"));
	assert_ok(cuv_strv_add(&e.env, "parts=/nix/store/nc964ayjfmkq0sdan9ykdpxc85yiy7m1-d-1.0 "
				       "/nix/store/nc964ayjfmkq0sdan9ykdpxc85yiy7m1-d-1.0 "
				       "/nix/store/v8xx33l7qmbkgfvsnmy85c2sp12pnrb5-root"));
	/* The same input twice is one. */
	assert_ok(cuv_derivation_add_input(&e, &d_modulo));
	assert_ok(cuv_derivation_add_input(&e, &root));
	assert_ok(cuv_derivation_add_input(&e, &d_modulo));
	assert_ok(cuv_derivation_output(&e, name, &e_modulo));
	assert_string_equal(name, "ay9kj37wvs4x5mskszximxi5cqmyxayd-e");
}

TEST(names_that_can_not_stand_in_a_path)
{
	static const char *const bad[] = {"", ".hidden", "a/b", "a b", "a!b", "ä", "a\n"};
	char name[CUV_STORE_NAME_SIZE], longest[CUV_STORE_NAME_PART_MAX + 2];
	struct cuv_sha256 h = abc();

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cuv_storepath_fixed(false, &h, bad[i], name), -EINVAL);
	memset(longest, 'a', sizeof(longest));
	longest[CUV_STORE_NAME_PART_MAX + 1] = '\0';
	assert_int_equal(cuv_storepath_fixed(false, &h, longest, name), -EINVAL);
	longest[CUV_STORE_NAME_PART_MAX] = '\0';
	assert_ok(cuv_storepath_fixed(false, &h, longest, name));
	assert_true(cuv_store_name_valid(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixed_outputs),
		cmocka_unit_test(texts),
		cmocka_unit_test(derivations),
		cmocka_unit_test(names_that_can_not_stand_in_a_path),
	};

	return cmocka_run_group_tests_name("storepath", tests, NULL, NULL);
}
