/* SPDX-License-Identifier: MIT */
#include "lib/base/fd.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE (3 * 1024 * 1024 + 17)

static int file_of(size_t len)
{
	static char data[LARGE];
	size_t i;

	for (i = 0; i < len; i++)
		data[i] = (char)(i * 7 + i / 251);
	return cuv_memfd("from", data, len);
}

static void assert_same_start(int from, int to, size_t len)
{
	static char a[LARGE], b[LARGE];

	assert_int_equal(pread(from, a, len, 0), (ssize_t)len);
	assert_int_equal(pread(to, b, sizeof(b), 0), (ssize_t)len); /* and no more */
	assert_memory_equal(a, b, len);
}

TEST(copies_all_of_a_file_and_leaves_its_offset)
{
	const size_t sizes[] = {0, 1, 4096, LARGE};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_close_ int from = file_of(sizes[i]), to = memfd_create("to", MFD_CLOEXEC);

		assert_true(from >= 0 && to >= 0);
		assert_int_equal(lseek(from, (off_t)sizes[i] / 2, SEEK_SET), (off_t)sizes[i] / 2);
		assert_ok(cuv_copy_file(from, to, LARGE));
		assert_same_start(from, to, sizes[i]);
		assert_int_equal(lseek(from, 0, SEEK_CUR), (off_t)sizes[i] / 2);
	}
}

TEST(copies_no_more_than_it_may)
{
	_cleanup_close_ int from = file_of(5000), to = memfd_create("to", MFD_CLOEXEC);

	assert_ok(cuv_copy_file(from, to, 4999));
	assert_same_start(from, to, 4999);
	assert_ok(cuv_copy_file(from, to, 0));
	assert_int_equal(lseek(to, 0, SEEK_END), 4999);
}

TEST(says_what_is_wrong)
{
	_cleanup_close_ int from = file_of(5000), sealed = file_of(0), null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(cuv_copy_file(-1, sealed, 1), -EBADF);
	assert_int_equal(cuv_copy_file(from, sealed, 5000), -EPERM);
	assert_int_equal(cuv_copy_file(from, null, 5000), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_all_of_a_file_and_leaves_its_offset),
		cmocka_unit_test(copies_no_more_than_it_may),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
