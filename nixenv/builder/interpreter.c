/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/interpreter.h"

#include "lib/base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX (64u * CUV_MIB)

static bool is_whole(const char *path, const struct stat *original)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == original->st_size;
}

static int copy(int from, const char *path)
{
	_cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);

	return to < 0 ? -errno : cuv_copy_file(from, to, BYTES_MAX);
}

int cuv_interpreter_own(const struct cuv_builder *b, const struct cuv_pinned *pinned, char ret[PATH_MAX])
{
	char original[PATH_MAX], relative[CUV_STORE_NAME_SIZE + 64], tmp[PATH_MAX];
	_cleanup_close_ int from = -1;
	struct stat st;
	int r;

	(void)snprintf(relative, sizeof(relative), "%s/usr/bin/python%s", pinned->image.store_name,
		       pinned->python->version);
	cuv_path_join(b->state.store, relative, original);
	cuv_path_join(b->state.interpreters, pinned->image.store_name, ret);
	from = open(original, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	if (is_whole(ret, &st))
		return 0;
	(void)snprintf(relative, sizeof(relative), "python-%d", (int)getpid());
	cuv_path_join(b->state.tmp, relative, tmp);
	(void)unlink(tmp);
	/* What a crash left half written goes; of two that come at once the first stays. */
	r = copy(from, tmp);
	if (r == 0 && access(ret, F_OK) == 0)
		(void)unlink(ret);
	if (r == 0 && renameat2(AT_FDCWD, tmp, AT_FDCWD, ret, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(tmp);
	return r == -EEXIST && is_whole(ret, &st) ? 0 : r;
}

void cuv_interpreters_forget(const struct cuv_builder *b)
{
	DIR *d = opendir(b->state.interpreters);
	char path[PATH_MAX];
	struct dirent *e;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || cuv_builder_has_path(&b->state, e->d_name))
			continue;
		cuv_path_join(b->state.interpreters, e->d_name, path);
		(void)unlink(path);
	}
	if (d)
		(void)closedir(d);
}
