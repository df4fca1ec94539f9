/* SPDX-License-Identifier: MIT */
#include "cli/run_work.h"

#include "cli/command.h"
#include "lib/base/fd.h"
#include "lib/proto/glob.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HELD (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static int read_whole(const char *path, struct cuv_buf *b, struct cuv_error *err)
{
	int r = cuv_read_file(AT_FDCWD, path, b);

	if (r == -E2BIG)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "%s is larger than %zu MiB", path, b->max >> 20);
	if (r < 0)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "%s can't be read (%s)%s", path, strerror(-r),
				     r == -EISDIR ? "; a folder is sent as an archive: --archive" : "");
	return 0;
}

/* Where a file goes that was given without a name. */
static const char *own_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	while (strncmp(path, "./", 2) == 0)
		path += 2;
	return slash && !cuv_bundle_name_valid(path, strlen(path)) ? slash + 1 : path;
}

static int add_file(const char *text, struct cuv_upload *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf data = CUV_BUF_INIT(CUV_BUNDLE_BYTES_MAX);
	const char *equals = strchr(text, '='), *path = equals ? equals + 1 : text;
	_cleanup_free_ char *name = equals ? strndup(text, (size_t)(equals - text)) : strdup(own_name(text));
	int r = read_whole(path, &data, err);

	if (r < 0)
		return r;
	if (!name)
		return cuv_error_set(err, CUV_E_INTERNAL, "no memory for the files");
	return cuv_upload_file(ret, name, cuv_buf_str(&data), data.len, err);
}

static int add_archive(const char *path, struct cuv_upload *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf data = CUV_BUF_INIT(CUV_BUNDLE_BYTES_MAX);
	int r = read_whole(path, &data, err);

	return r < 0 ? r : cuv_upload_archive(ret, cuv_buf_str(&data), data.len, err);
}

int cuv_run_work_files(const struct cuv_strv *files, const char *archive, const struct cuv_limits *limits,
		       struct cuv_upload *ret, struct cuv_error *err)
{
	int r = 0;

	cuv_upload_setup();
	ret->where = "--file";
	for (size_t i = 0; r == 0 && i < files->n; i++)
		r = add_file(files->items[i], ret, err);
	ret->where = archive;
	if (r == 0 && archive)
		r = add_archive(archive, ret, err);
	return r == 0 ? cuv_upload_finish(ret, limits, err) : r;
}

const char *cuv_run_work_bad_pattern(const struct cuv_strv *patterns)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (i == CUV_GLOBS_MAX || !cuv_glob_valid(patterns->items[i]))
			return patterns->items[i];
	return NULL;
}

static int open_below(int folder, const char *name, uint64_t flags, uint64_t mode)
{
	const struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC, .mode = mode, .resolve = HELD};
	const long fd = syscall(SYS_openat2, folder, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* Makes the folders that the name is in, and opens the last of them. */
static int open_parent(int folder, const char *name, const char **ret_last)
{
	_cleanup_close_ int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	char path[CUV_BUNDLE_NAME_SIZE], *from = path;

	memcpy(path, name, strlen(name) + 1);
	for (char *slash = strchr(from, '/'); slash; slash = strchr(from, '/')) {
		int next;

		*slash = '\0';
		if (mkdirat(at, from, 0777) < 0 && errno != EEXIST)
			return -errno;
		next = open_below(at, from, O_PATH | O_DIRECTORY, 0);
		if (next < 0)
			return next;
		cuv_close(at);
		at = next;
		from = slash + 1;
	}
	*ret_last = name + (from - path);
	return TAKE_FD(at);
}

static int write_one(int folder, const struct cuv_bundle_entry *e)
{
	const char *last = e->name;
	_cleanup_close_ int parent = open_parent(folder, e->name, &last), fd = -1;

	if (parent < 0)
		return parent;
	/* Whoever reads what is there goes on reading that, be it a pipe. */
	if (unlinkat(parent, last, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = open_below(parent, last, O_WRONLY | O_CREAT | O_EXCL, 0666);
	return fd < 0 ? fd : cuv_write_all(fd, e->data, (size_t)e->size);
}

static int failed(int r, const char *folder, const char *name)
{
	cuv_say("--out: %s%s%s can't be written: %s", folder, name[0] ? "/" : "", name, strerror(-r));
	return r;
}

int cuv_run_work_write(const struct cuv_buf *bundle, const char *folder)
{
	struct cuv_bundle_reader b = {.at = (const uint8_t *)bundle->data, .left = bundle->len};
	_cleanup_close_ int fd = -1;
	struct cuv_bundle_entry e;
	int r;

	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return failed(-errno, folder, "");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed(-errno, folder, "");
	while ((r = cuv_bundle_next(&b, &e)) > 0) {
		r = e.kind == CUV_BUNDLE_FILE ? write_one(fd, &e) : 0;
		if (r < 0)
			return failed(r, folder, e.name);
		if (e.kind == CUV_BUNDLE_LEFT)
			cuv_say("--artifact: %s%sleft out: %s", e.name, e.name[0] ? " " : "", cuv_left_text(e.why));
	}
	return r < 0 ? failed(r, folder, "") : 0;
}
