/* SPDX-License-Identifier: MIT */
/* Locks: canonical form, invariants, and the way from a pylock.toml. */
#include "nixenv/pylock.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define H1 "1111111111111111111111111111111111111111111111111111111111111111"
#define H2 "2222222222222222222222222222222222222222222222222222222222222222"
#define H3 "3333333333333333333333333333333333333333333333333333333333333333"
#define HEAD "lock-version = \"1.0\"\ncreated-by = \"uv\"\nrequires-python = \">=3.11\"\n"
#define WHEEL(file, hash) "{ url = \"https://example.invalid/p/" file "\", hashes = { sha256 = \"" hash "\" } }"

static int read_pylock(const char *text, const struct cuv_requirements *reqs, struct cuv_lock *l, struct cuv_error *err)
{
	*err = CUV_ERROR_INIT;
	*l = CUV_LOCK_INIT;
	return cuv_pylock_read(text, strlen(text), "3.11", reqs, l, NULL, err);
}

TEST(from_the_resolver)
{
	static const char text[] = HEAD
		"\n[[packages]]\nname = \"zope-x\"\nversion = \"1.0\"\n"
		"wheels = [\n"
		"    { url = \"https://example.invalid/zope_x-1.0-cp311-cp311-win32.whl\", hashes = { sha256 = \"" H1
		"\" } },\n"
		"    { url = \"https://example.invalid/zope_x-1.0-py3-none-any.whl\", upload-time = "
		"2026-10-18T16:21:06Z, "
		"size = 77, hashes = { sha256 = \"" H2 "\" } },\n"
		"    { url = \"https://example.invalid/zope_x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl?x=1#f\", size "
		"= 12, "
		"hashes = { sha256 = \"" H3 "\" } },\n]\n"
		"\n[[packages]]\nname = \"a\"\nversion = \"1!2.0\"\nmarker = \"python_version > '3'\"\n"
		"wheels = [" WHEEL("a-1%212.0-py3-none-any.whl", H1) "]\n";
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(65536);
	struct cuv_error err;
	char name[CUV_STORE_NAME_SIZE];
	struct cuv_lock l;

	assert_ok(read_pylock(text, NULL, &l, &err));
	assert_int_equal(l.n, 2);
	assert_string_equal(l.packages[0].file, "a-1!2.0-py3-none-any.whl");
	assert_ok(cuv_lock_wheel_name(&l.packages[0], name));
	assert_string_equal(name, "a-1_2.0-py3-none-any.whl");
	assert_ok(cuv_lock_install_name(&l.packages[0], name));
	assert_string_equal(name, "a-1_2.0");
	assert_string_equal(l.packages[1].file, "zope_x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl");
	assert_int_equal(l.packages[1].size_bytes, 12);
	assert_ok(cuv_lock_canonical(&l, &out));
	assert_string_equal(
		cuv_buf_str(&out),
		"{\"format\":1,\"packages\":[{\"file\":\"a-1!2.0-py3-none-any.whl\",\"name\":\"a\",\"sha256\":\"" H1
		"\",\"version\":\"1!2.0\"},{\"file\":\"zope_x-1.0-cp311-cp311-manylinux_2_17_x86_64.whl\","
		"\"name\":\"zope-x\",\"sha256\":\"" H3
		"\",\"version\":\"1.0\"}],\"platform\":\"x86_64-linux\",\"python\":\"3.11\"}");
	cuv_lock_done(&l);
}

TEST(both_forms_are_read_back)
{
	_cleanup_buf_ struct cuv_buf canonical = CUV_BUF_INIT(65536), complete = CUV_BUF_INIT(65536);
	char digest[CUV_LOCK_DIGEST_SIZE], again[CUV_LOCK_DIGEST_SIZE];
	struct cuv_lock l, back = CUV_LOCK_INIT;
	struct cuv_error err;

	assert_ok(read_pylock(
		HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL("a-1-py3-none-any.whl", H1) "]\n",
		NULL, &l, &err));
	assert_ok(cuv_lock_digest(&l, digest));
	assert_ok(cuv_lock_canonical(&l, &canonical));
	assert_ok(cuv_lock_complete(&l, &complete));
	assert_non_null(strstr(cuv_buf_str(&complete), "https://example.invalid/p/a-1"));
	assert_null(strstr(cuv_buf_str(&canonical), "https://"));
	cuv_lock_done(&l);
	assert_ok(cuv_lock_parse(canonical.data, canonical.len, &back, &err));
	assert_ok(cuv_lock_digest(&back, again));
	assert_string_equal(again, digest);
	cuv_lock_done(&back);
	assert_ok(cuv_lock_parse(complete.data, complete.len, &back, &err));
	assert_ok(cuv_lock_digest(&back, again));
	assert_string_equal(again, digest);
	assert_non_null(back.packages[0].url);
	cuv_lock_done(&back);
}

static int add_built(struct cuv_lock *l, const char *file, const struct cuv_origin *o)
{
	struct cuv_sha256 hash = {{1}};
	int r = cuv_lock_add(l, "a", "1", file, NULL, file ? &hash : NULL, 0);

	(void)snprintf(l->python, sizeof(l->python), "3.11");
	return r < 0 ? r : cuv_lock_set_origin(&l->packages[l->n - 1], o);
}

TEST(where_a_wheel_comes_from_does_not_change_the_digest)
{
	struct cuv_origin sdist = {.kind = CUV_ORIGIN_BUILT,
				   .file = (char[]){"a-1.tar.gz"},
				   .sha256 = {{2}},
				   .url = (char[]){"https://example.invalid/a-1.tar.gz"}};
	_cleanup_buf_ struct cuv_buf complete = CUV_BUF_INIT(65536);
	char digest[CUV_LOCK_DIGEST_SIZE], again[CUV_LOCK_DIGEST_SIZE];
	_cleanup_lock_ struct cuv_lock plain = CUV_LOCK_INIT, l = CUV_LOCK_INIT, back = CUV_LOCK_INIT;
	struct cuv_sha256 hash = {{1}};
	struct cuv_error err;

	(void)snprintf(plain.python, sizeof(plain.python), "3.11");
	assert_ok(cuv_lock_add(&plain, "a", "1", "a-1-py3-none-any.whl", NULL, &hash, 0));
	assert_ok(cuv_lock_seal(&plain, &err));
	assert_ok(cuv_lock_digest(&plain, digest));

	/* to be built: it can travel, but decides nothing */
	assert_ok(add_built(&l, NULL, &sdist));
	assert_ok(cuv_lock_seal(&l, &err));
	assert_int_equal(cuv_lock_pending(&l), 1);
	assert_int_equal(cuv_lock_digest(&l, again), -EINVAL);
	assert_ok(cuv_lock_complete(&l, &complete));
	assert_ok(cuv_lock_parse(complete.data, complete.len, &back, &err));
	assert_int_equal(cuv_lock_pending(&back), 1);
	assert_string_equal(back.packages[0].origin.file, "a-1.tar.gz");
	assert_memory_equal(&back.packages[0].origin.sha256, &sdist.sha256, sizeof(hash));

	assert_ok(cuv_lock_set_wheel(&back.packages[0], "a-1-py3-none-any.whl", &hash, 7));
	assert_ok(cuv_lock_seal(&back, &err));
	assert_int_equal(cuv_lock_pending(&back), 0);
	assert_ok(cuv_lock_digest(&back, again));
	assert_string_equal(again, digest);
}

TEST(refused_origins)
{
#define TEXT(s) ((char[]){s})
#define COMMIT "0123456789012345678901234567890123456789"
	const struct {
		bool wheel;
		struct cuv_origin origin;
	} cases[] = {
		{false, {.kind = CUV_ORIGIN_INDEX}},
		{false, {.kind = CUV_ORIGIN_URL}},
		{true, {.kind = CUV_ORIGIN_URL}}, /* without an address */
		{true, {.kind = CUV_ORIGIN_INDEX, .file = TEXT("a-1.tar.gz")}},
		{true, {.kind = CUV_ORIGIN_BUILT}},
		{true, {.kind = CUV_ORIGIN_BUILT, .file = TEXT("../a.tar.gz")}},
		{true, {.kind = CUV_ORIGIN_BUILT, .commit = TEXT(COMMIT)}}, /* of what? */
		{true, {.kind = CUV_ORIGIN_BUILT, .commit = TEXT("main"), .url = TEXT("https://e.invalid/a")}},
		{true, {.kind = CUV_ORIGIN_BUILT, .file = TEXT("a.zip"), .url = TEXT("a b")}},
		{true, {.kind = CUV_ORIGIN_BUILT, .file = TEXT("a.zip"), .subdirectory = TEXT("/etc")}},
		{true, {.kind = CUV_ORIGIN_BUILT, .file = TEXT("a.zip"), .subdirectory = TEXT("b/../../c")}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_lock_ struct cuv_lock l = CUV_LOCK_INIT;
		struct cuv_error err;

		assert_ok(add_built(&l, cases[i].wheel ? "a-1-py3-none-any.whl" : NULL, &cases[i].origin));
		assert_int_equal(cuv_lock_seal(&l, &err), -EINVAL);
		assert_int_equal(err.code, CUV_E_INTERNAL);
	}
}

TEST(no_packages)
{
	struct cuv_error err;
	struct cuv_lock l;

	assert_ok(read_pylock(HEAD, NULL, &l, &err));
	assert_int_equal(l.n, 0);
	assert_ok(read_pylock(HEAD "packages = []\n", NULL, &l, &err));
	cuv_lock_done(&l);
}

TEST(refused_locks)
{
	static const struct {
		const char *text;
		enum cuv_error_code code;
	} cases[] = {
		{"", CUV_E_INTERNAL},
		{"lock-version = \"2.0\"\n", CUV_E_INTERNAL},
		{HEAD "packages = 1\n", CUV_E_INTERNAL},
		{HEAD "[[packages]]\nname = \"a\"\n", CUV_E_INTERNAL},
		{HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nsdist = { url = \"a\" }\n",
		 CUV_E_WHEEL_UNAVAILABLE},
		{HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL("a-1-py2-none-any.whl", H1) "]\n",
		 CUV_E_WHEEL_UNAVAILABLE},
		{HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL("b-1-py3-none-any.whl", H1) "]\n",
		 CUV_E_INTERNAL},
		{HEAD "[[packages]]\nname = \"A\"\nversion = \"1\"\nwheels = [" WHEEL("a-1-py3-none-any.whl", H1) "]\n",
		 CUV_E_INTERNAL},
		{HEAD
		 "[[packages]]\nname = \"a\"\nversion = \"../1\"\nwheels = [" WHEEL("a-1-py3-none-any.whl", H1) "]\n",
		 CUV_E_INTERNAL},
		{HEAD
		 "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL("a-1-py3-none-any.whl", "12") "]\n",
		 CUV_E_INTERNAL},
		{HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL(
			 "a-1-py3-none-any.whl", H1) "]\n"
						     "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL(
							     "a-1-py3-none-any.whl", H1) "]\n",
		 CUV_E_INTERNAL},
		{HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [{ url = "
		      "\"https://e.invalid/a-1-py3-none-any.whl\", "
		      "size = 3000000000, hashes = { sha256 = \"" H1 "\" } }]\n",
		 CUV_E_ENVIRONMENT_TOO_LARGE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cuv_error err;
		struct cuv_lock l;

		assert_int_equal(read_pylock(cases[i].text, NULL, &l, &err), -EINVAL);
		assert_int_equal(err.code, cases[i].code);
		assert_null(l.packages);
	}
}

TEST(too_many_packages)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(1 << 20);
	struct cuv_error err;
	struct cuv_lock l;

	cuv_buf_add_str(&text, HEAD);
	for (int i = 0; i <= CUV_PACKAGES_MAX; i++)
		cuv_buf_addf(
			&text,
			"[[packages]]\nname = \"p%d\"\nversion = \"1\"\nwheels = [{ url = \"p%d-1-py3-none-any.whl\", "
			"hashes = { sha256 = \"" H1 "\" } }]\n",
			i, i);
	assert_int_equal(read_pylock(cuv_buf_str(&text), NULL, &l, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_ENVIRONMENT_TOO_LARGE);
}

TEST(listed_hashes_choose)
{
	static const char text[] = HEAD "[[packages]]\nname = \"a\"\nversion = \"1\"\nwheels = [" WHEEL(
		"a-1-cp311-cp311-manylinux_2_17_x86_64.whl", H1) ", " WHEEL("a-1-py3-none-any.whl", H2) "]\n";
	static const struct {
		const char *requirements;
		const char *file; /* NULL: no wheel */
	} cases[] = {
		{"a", "a-1-cp311-cp311-manylinux_2_17_x86_64.whl"},
		{"a==1 --hash=sha256:" H2, "a-1-py3-none-any.whl"},
		{"A==1 --hash=sha256:" H2 " --hash=sha256:" H1, "a-1-cp311-cp311-manylinux_2_17_x86_64.whl"},
		{"a==1 --hash=sha256:" H3, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(cuv_requirements_freep) struct cuv_requirements *reqs = NULL;
		struct cuv_error err;
		struct cuv_lock l;
		int r;

		assert_ok(cuv_requirements_parse(cases[i].requirements, strlen(cases[i].requirements), &reqs, &err));
		r = read_pylock(text, reqs, &l, &err);
		assert_int_equal(r, cases[i].file ? 0 : -EINVAL);
		if (cases[i].file)
			assert_string_equal(l.packages[0].file, cases[i].file);
		else
			assert_int_equal(err.code, CUV_E_HASH_MISMATCH);
		cuv_lock_done(&l);
	}
}

TEST(refused_json)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{}",
		"{\"format\":2,\"packages\":[],\"platform\":\"x86_64-linux\",\"python\":\"3.11\"}",
		"{\"format\":1,\"packages\":[],\"platform\":\"aarch64-linux\",\"python\":\"3.11\"}",
		"{\"format\":1,\"packages\":[],\"platform\":\"x86_64-linux\",\"python\":\"3.12\"}",
		"{\"format\":1,\"packages\":{},\"platform\":\"x86_64-linux\",\"python\":\"3.11\"}",
		"{\"format\":1,\"packages\":[{}],\"platform\":\"x86_64-linux\",\"python\":\"3.11\"}",
		"{\"format\":1,\"packages\":[],\"platform\":\"x86_64-linux\",\"python\":\"3.11\",\"more\":1}",
		"{\"format\":1,\"format\":1,\"packages\":[],\"platform\":\"x86_64-linux\",\"python\":\"3.11\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cuv_lock l = CUV_LOCK_INIT;
		struct cuv_error err;

		assert_int_equal(cuv_lock_parse(bad[i], strlen(bad[i]), &l, &err), -EINVAL);
		assert_null(l.packages);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_the_resolver),
		cmocka_unit_test(both_forms_are_read_back),
		cmocka_unit_test(where_a_wheel_comes_from_does_not_change_the_digest),
		cmocka_unit_test(refused_origins),
		cmocka_unit_test(no_packages),
		cmocka_unit_test(refused_locks),
		cmocka_unit_test(too_many_packages),
		cmocka_unit_test(listed_hashes_choose),
		cmocka_unit_test(refused_json),
	};

	return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
