/* SPDX-License-Identifier: MIT */
#include "cli/run_files.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void cuv_run_files_init(struct cuv_run_files *f)
{
	*f = (struct cuv_run_files){.folder = -1};
}

void cuv_run_files_done(struct cuv_run_files *f)
{
	f->folder = cuv_close(f->folder);
	for (size_t i = 0; i < f->n; i++) {
		cuv_buf_done(&f->data[i]);
		free(f->names[i]);
	}
	f->n = 0;
}

/* Keeps what was read (r says how that went) into the next place, under this name. */
static int keep(struct cuv_run_files *f, int r, const char *name, struct cuv_requirements_file *ret)
{
	struct cuv_buf *data = &f->data[f->n];

	f->names[f->n] = r < 0 ? NULL : strdup(name);
	if (!f->names[f->n]) {
		cuv_buf_done(data);
		return r < 0 ? r : -ENOMEM;
	}
	*ret = (struct cuv_requirements_file){.name = f->names[f->n++], .data = cuv_buf_str(data), .len = data->len};
	return 0;
}

static int open_below(int folder, const char *name, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
}

static int load(void *arg, const char *name, struct cuv_requirements_file *ret)
{
	struct cuv_run_files *f = arg;
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (f->n == CUV_REQUIREMENTS_FILES_MAX)
		return -E2BIG;
	fd = open_below(f->folder, name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	cuv_buf_init(&f->data[f->n], CUV_REQUIREMENTS_BYTES_MAX);
	return keep(f, cuv_pread_all(fd, &f->data[f->n]), name, ret);
}

size_t cuv_run_files_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	_cleanup_close_ int fd = -1;

	if (!slash)
		return 0;
	if (cuv_requirements_file_name_valid(path))
		fd = open_below(AT_FDCWD, path, O_PATH);
	return fd >= 0 ? 0 : (size_t)(slash - path) + 1;
}

int cuv_run_files_open(struct cuv_run_files *f, const char *path, struct cuv_requirements_files *ret)
{
	size_t n = cuv_run_files_folder(path);
	_cleanup_free_ char *folder = n ? strndup(path, n) : strdup(".");

	if (!folder)
		return -ENOMEM;
	f->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0)
		return -errno;
	*ret = (struct cuv_requirements_files){.n = 1, .load = load, .arg = f};
	cuv_buf_init(&f->data[0], CUV_REQUIREMENTS_BYTES_MAX);
	/* This one may be a pipe. */
	return keep(f, cuv_read_file(AT_FDCWD, path, &f->data[0]), path + n, &ret->items[0]);
}
