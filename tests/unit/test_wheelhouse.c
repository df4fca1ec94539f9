/* SPDX-License-Identifier: MIT */
/* tests/run: not under valgrind (openat2) */
/* What is taken from an operator's folder of files, and what is left there. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/builder/wheelhouse.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char top[] = "/tmp/cuvette-house-XXXXXX";
static char house[64], out[64];
static const char data[] = "the bytes of a wheel";

static void make_file(const char *folder, const char *name)
{
	_cleanup_close_ int fd = -1;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_ok(cuv_write_all(fd, data, sizeof(data) - 1));
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	(void)snprintf(house, sizeof(house), "%s/house", top);
	(void)snprintf(out, sizeof(out), "%s/out", top);
	if (mkdir(house, 0755) < 0)
		return -1;
	make_file(house, "a.whl");
	make_file(top, "secret");
	return chdir(house) < 0 || symlink("a.whl", "link.whl") < 0 || symlink("../secret", "out.whl") < 0 ||
	       mkdir("folder.whl", 0755) < 0 || mkfifo("fifo.whl", 0644) < 0 || mkdir("below", 0755) < 0 ||
	       link("a.whl", "below/b.whl") < 0 || chdir("/") < 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = {"below/b.whl", "below", "fifo.whl",	 "folder.whl", "out.whl",
					    "link.whl",	   "a.whl", "../secret", "../out"};

	(void)state;
	if (chdir(house) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		(void)remove(files[i]);
	return chdir("/") < 0 || rmdir(house) < 0 || rmdir(top) < 0;
}

static int take(const char *name, uint64_t bytes_max, int cancel_fd, struct cuv_error *err)
{
	struct cuv_sha256 hash;
	const struct cuv_wheelhouse_copy c = {
		.folder = house,
		.name = name,
		.what = "the wheel of a 1.0",
		.path = out,
		.sha256 = &hash,
		.bytes_max = bytes_max,
		.deadline_ns = cuv_deadline_ms(60000),
		.cancel_fd = cancel_fd,
	};
	uint64_t size = 0;
	int r;

	*err = CUV_ERROR_INIT;
	cuv_sha256(data, sizeof(data) - 1, &hash);
	r = cuv_wheelhouse_copy(&c, &size, err);
	if (r == 0)
		assert_int_equal(size, sizeof(data) - 1);
	return r;
}

TEST(a_plain_file_by_its_name)
{
	struct cuv_error err;
	struct cuv_buf copy = CUV_BUF_INIT(100);

	assert_ok(take("a.whl", sizeof(data) - 1, -1, &err));
	assert_ok(cuv_read_file(AT_FDCWD, out, &copy));
	assert_string_equal(cuv_buf_str(&copy), data);
	cuv_buf_done(&copy);
}

TEST(nothing_else_is_there)
{
	static const char *const names[] = {
		"",	   ".",	       "..",	     "../secret", "below/b.whl",   "./a.whl", "link.whl",
		"out.whl", "fifo.whl", "folder.whl", "none.whl",  "/etc/hostname", "a.whl/",  "/dev/stdin"};
	struct cuv_error err;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(take(names[i], 1000, -1, &err), -EINVAL);
		assert_int_equal(err.code, CUV_E_WHEEL_UNAVAILABLE);
		assert_null(strstr(err.message, house));
	}
}

TEST(bounds)
{
	const struct cuv_wheelhouse_copy none = {.name = "a.whl", .what = "a", .path = out, .cancel_fd = -1};
	struct cuv_error err;
	uint64_t size;
	int ends[2];

	assert_int_equal(take("a.whl", sizeof(data) - 2, -1, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_ENVIRONMENT_TOO_LARGE);
	assert_ok(pipe2(ends, O_CLOEXEC));
	assert_ok(take("a.whl", 1000, ends[0], &err));
	cuv_close(ends[1]);
	assert_int_equal(take("a.whl", 1000, ends[0], &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_CANCELLED);
	cuv_close(ends[0]);
	assert_int_equal(cuv_wheelhouse_copy(&none, &size, &err), -EINVAL);
	assert_int_equal(err.code, CUV_E_LOCK_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_file_by_its_name),
		cmocka_unit_test(nothing_else_is_there),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
