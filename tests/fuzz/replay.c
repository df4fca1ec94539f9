/* SPDX-License-Identifier: MIT */
/*
 * Feeds each file of the given folders to a fuzz target once: a corpus is a
 * regression test, also without libFuzzer and under any compiler or checker.
 * Prints one TAP line a file. A crash ends the program; the line before it says
 * which input it was.
 */
#include "lib/base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES_MAX (16u << 20)
#define INPUT_SECONDS 60 /* a hang is a finding too; room for valgrind */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int not_hidden(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* 0, or -errno; *ret_data is the caller's to free. */
static int read_input(int dir, const char *name, uint8_t **ret_data, size_t *ret_size)
{
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > INPUT_BYTES_MAX) {
		close(fd);
		return -EINVAL;
	}
	size_t size = (size_t)st.st_size, got = 0;
	/* Exactly as large as the input, so that a read past its end is seen. */
	uint8_t *data = malloc(size ? size : 1);
	while (data && got < size) {
		ssize_t n = read(fd, data + got, size - got);
		if (n <= 0)
			break;
		got += (size_t)n;
	}
	close(fd);
	if (!data || got < size) {
		free(data);
		return -EIO;
	}
	*ret_data = data;
	*ret_size = size;
	return 0;
}

static int replay_folder(const char *path)
{
	struct dirent **names = NULL;
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = dir < 0 ? -1 : scandirat(dir, ".", &names, not_hidden, alphasort);
	int failed = 0;

	if (n <= 0) {
		printf("not ok - %s: no corpus\n", path);
		failed = 1;
	}
	for (int i = 0; i < n; i++) {
		uint8_t *data = NULL;
		size_t size = 0;
		int r = read_input(dir, names[i]->d_name, &data, &size);
		if (r < 0) {
			printf("not ok - %s: %s\n", names[i]->d_name, strerror(-r));
			failed++;
		} else {
			printf("# input %s (%zu bytes)\n", names[i]->d_name, size);
			fflush(stdout);
			alarm(INPUT_SECONDS);
			LLVMFuzzerTestOneInput(data, size);
			alarm(0);
			printf("ok - %s\n", names[i]->d_name);
		}
		free(data);
		free(names[i]);
	}
	free(names);
	if (dir >= 0)
		close(dir);
	return failed;
}

int main(int argc, char **argv)
{
	int failed = 0;
	if (argc < 2) {
		fprintf(stderr, "usage: %s CORPUS-FOLDER...\n", argv[0]);
		return 2;
	}
	for (int i = 1; i < argc; i++)
		failed += replay_folder(argv[i]);
	return failed ? 1 : 0;
}
