/* SPDX-License-Identifier: MIT */
/* Derivations against values that Nix gave once, here and in its own documentation;
 * the random corpus is tests/nixenv/test_storepath.py. */
#include "nixenv/derivation.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static struct cuv_sha256 hash_of(const char *hex)
{
	struct cuv_sha256 h;

	assert_ok(cuv_unhex(hex, sizeof(h.bytes), h.bytes));
	return h;
}

/* derivation { name = "myname"; builder = "mybuilder"; system = "mysystem"; }, the
 * first one that the Nix Pills write. */
TEST(the_smallest)
{
	static const char text[] =
		"Derive([(\"out\",\"/nix/store/40s0qmrfb45vlh6610rk29ym318dswdr-myname\",\"\",\"\")],"
		"[],[],\"mysystem\",\"mybuilder\",[],[(\"builder\",\"mybuilder\"),"
		"(\"name\",\"myname\"),"
		"(\"out\",\"/nix/store/40s0qmrfb45vlh6610rk29ym318dswdr-myname\"),"
		"(\"system\",\"mysystem\")])";
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(4096);

	assert_ok(cuv_derivation_init(&d, "myname", "mysystem", "mybuilder"));
	assert_ok(cuv_derivation_finish(&d));
	assert_string_equal(d.self.out, "40s0qmrfb45vlh6610rk29ym318dswdr-myname");
	assert_string_equal(d.self.drv, "z3hhlxbckx4g3n9sw91nnvlkjvyw754p-myname.drv");
	assert_ok(cuv_derivation_text(&d, &b));
	assert_string_equal(cuv_buf_str(&b), text);
}

/* And the one whose builder is a file of the store. */
TEST(a_source)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;
	static const char file[] = "xv2iccirbrvklck36f1g7vldn5v58vck-myfile";

	assert_ok(cuv_derivation_init(&d, "foo", "x86_64-linux", "/nix/store/xv2iccirbrvklck36f1g7vldn5v58vck-myfile"));
	assert_ok(cuv_strv_add(&d.sources, file));
	assert_ok(cuv_derivation_finish(&d));
	assert_string_equal(d.self.out, "hs0yi5n5nw6micqhy8l1igkbhqdkzqa1-foo");
	assert_string_equal(d.self.drv, "y4h73bmrc9ii5bxg6i7ck6hsf5gqv8ck-foo.drv");
}

/* The Pills' fixed output: its path does not depend on how it is made. */
TEST(a_fixed_output)
{
	struct cuv_sha256 h = hash_of("f3f3c4763037e059b4d834eaf68595bbc02ba19f6d2a500dce06d124e2cd99bb");

	for (int i = 0; i < 2; i++) {
		_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;

		assert_ok(cuv_derivation_init(&d, "bar", "x86_64-linux", i ? "this" : "that"));
		assert_ok(cuv_derivation_fix(&d, false, &h));
		assert_ok(cuv_derivation_finish(&d));
		assert_string_equal(d.self.out, "a00d5f71k0vp5a6klkls0mvr1f7sx6ch-bar");
	}
}

static void fixed(bool recursive, const char *name, struct cuv_derivation_ref *ret)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;
	struct cuv_sha256 h = hash_of("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");

	assert_ok(cuv_derivation_init(&d, name, "s", "b"));
	assert_ok(cuv_derivation_fix(&d, recursive, &h));
	assert_ok(cuv_derivation_finish(&d));
	*ret = d.self;
}

/* derivation { name = "d-1.0"; args = [ "-c" "a\"b\\c\nd\te\rf" ]; … } with a
 * text, a flat and a recursive fixed output as inputs; and one that uses it. */
TEST(inputs_and_their_order)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT, e = CUV_DERIVATION_INIT;
	struct cuv_derivation_ref flat, root;

	fixed(false, "a.whl", &flat);
	fixed(true, "root", &root);
	assert_ok(cuv_derivation_init(&d, "d-1.0", "x86_64-linux", "/bin/sh"));
	assert_ok(cuv_strv_add(&d.args, "-c"));
	assert_ok(cuv_strv_add(&d.args, "a\"b\\c\nd\te\rf"));
	assert_ok(cuv_strv_add(&d.env, "zoo=z=1"));
	assert_ok(cuv_strv_add(&d.env, "Zed="));
	assert_ok(cuv_strv_add(&d.env, "src=/nix/store/zn7cigjq2q2h8biadzny73m4g8nz979m-a.whl"));
	assert_ok(cuv_strv_add(&d.env, "root=/nix/store/v8xx33l7qmbkgfvsnmy85c2sp12pnrb5-root"));
	assert_ok(cuv_strv_add(&d.env, "text=/nix/store/nj4j70xcnmcdh9y4yfs0ddw3hhli4880-t.txt"));
	assert_ok(cuv_strv_add(&d.sources, "nj4j70xcnmcdh9y4yfs0ddw3hhli4880-t.txt"));
	assert_ok(cuv_derivation_add_input(&d, &root));
	assert_ok(cuv_derivation_add_input(&d, &flat));
	assert_ok(cuv_derivation_finish(&d));
	assert_string_equal(d.self.out, "nc964ayjfmkq0sdan9ykdpxc85yiy7m1-d-1.0");

	assert_ok(cuv_derivation_init(&e, "e", "x86_64-linux", "/bin/sh"));
	assert_ok(cuv_strv_add(&e.env, "parts=/nix/store/nc964ayjfmkq0sdan9ykdpxc85yiy7m1-d-1.0 "
				       "/nix/store/nc964ayjfmkq0sdan9ykdpxc85yiy7m1-d-1.0 "
				       "/nix/store/v8xx33l7qmbkgfvsnmy85c2sp12pnrb5-root"));
	/* The same input twice is one. */
	assert_ok(cuv_derivation_add_input(&e, &d.self));
	assert_ok(cuv_derivation_add_input(&e, &root));
	assert_ok(cuv_derivation_add_input(&e, &d.self));
	assert_ok(cuv_derivation_finish(&e));
	assert_string_equal(e.self.out, "ay9kj37wvs4x5mskszximxi5cqmyxayd-e");
}

TEST(names_that_can_not_be_one)
{
	_cleanup_derivation_ struct cuv_derivation d = CUV_DERIVATION_INIT;

	assert_ok(cuv_derivation_init(&d, "a/b", "x86_64-linux", "/bin/sh"));
	assert_int_equal(cuv_derivation_finish(&d), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest),
		cmocka_unit_test(a_source),
		cmocka_unit_test(a_fixed_output),
		cmocka_unit_test(inputs_and_their_order),
		cmocka_unit_test(names_that_can_not_be_one),
	};

	return cmocka_run_group_tests_name("derivation", tests, NULL, NULL);
}
