/* SPDX-License-Identifier: MIT */
#include "worker-image/image/tree.h"

#include "lib/base/fd.h"
#include "worker-image/image/member.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct cuv_error *err, const char *what, const char *path, int r)
{
	(void)cuv_error_set(err, CUV_E_BUILD_FAILED, "%s %.300s: %s", what, path, strerror(-r));
	return r;
}

int cuv_tree_init(struct cuv_tree *t, const char *path, struct cuv_error *err)
{
	if (mkdir(path, 0755) < 0)
		return failed(err, "cannot make the folder", path, -errno);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return failed(err, "cannot open the folder", path, -errno);
	*t = (struct cuv_tree){.root_fd = fd};
	return 0;
}

void cuv_tree_done(struct cuv_tree *t)
{
	t->root_fd = cuv_close(t->root_fd);
}

/* Opens the folder of a path's last part, making what is missing, and points
 * ret_last at that part. The descriptor is the caller's. */
static int open_parent(struct cuv_tree *t, const char *path, int *ret_fd, const char **ret_last, struct cuv_error *err)
{
	char part[CUV_MEMBER_NAME_MAX];
	const char *s = path, *slash;
	_cleanup_close_ int at = fcntl(t->root_fd, F_DUPFD_CLOEXEC, 3);

	if (at < 0)
		return failed(err, "cannot open", path, -errno);
	for (; (slash = strchr(s, '/')); s = slash + 1) {
		size_t len = (size_t)(slash - s);

		if (len == 0 || len >= sizeof(part))
			return failed(err, "not a clean name:", path, -EINVAL);
		memcpy(part, s, len);
		part[len] = '\0';
		if (mkdirat(at, part, 0755) < 0 && errno != EEXIST)
			return failed(err, "cannot make the folder of", path, -errno);
		int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return failed(err, "cannot open the folder of", path, -errno);
		(void)cuv_close(at);
		at = next;
	}
	if (*s == '\0' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return failed(err, "not a clean name:", path, -EINVAL);
	*ret_fd = TAKE_FD(at);
	*ret_last = s;
	return 0;
}

static int count_file(struct cuv_tree *t, const char *path, struct cuv_error *err)
{
	if (t->n_files >= CUV_TREE_FILES_MAX)
		return failed(err, "too many files at", path, -E2BIG);
	t->n_files++;
	return 0;
}

int cuv_tree_add_folder(struct cuv_tree *t, const char *path, struct cuv_error *err)
{
	_cleanup_close_ int at = -1;
	const char *last;

	int r = count_file(t, path, err);
	if (r == 0)
		r = open_parent(t, path, &at, &last, err);
	if (r < 0)
		return r;
	if (mkdirat(at, last, 0755) < 0 && errno != EEXIST)
		return failed(err, "cannot make the folder", path, -errno);
	_cleanup_close_ int fd = openat(at, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? failed(err, "not a folder:", path, -errno) : 0;
}

int cuv_tree_add_file(struct cuv_tree *t, const char *path, bool executable, int *ret_fd, struct cuv_error *err)
{
	_cleanup_close_ int at = -1;
	const char *last;

	int r = count_file(t, path, err);
	if (r == 0)
		r = open_parent(t, path, &at, &last, err);
	if (r < 0)
		return r;
	_cleanup_close_ int fd = openat(at, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return failed(err, "cannot make", path, -errno);
	/* Not by open's mode: the caller's umask must not matter. */
	if (fchmod(fd, executable ? 0755 : 0644) < 0)
		return failed(err, "cannot set the mode of", path, -errno);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int cuv_tree_write(struct cuv_tree *t, int fd, const void *data, size_t len, struct cuv_error *err)
{
	if (len > CUV_TREE_BYTES_MAX - t->size_bytes)
		return failed(err, "the archives unpack to more than is allowed", "", -EFBIG);
	t->size_bytes += len;
	int r = cuv_write_all(fd, data, len);
	return r < 0 ? failed(err, "cannot write a file", "", r) : 0;
}

int cuv_tree_add_text(struct cuv_tree *t, const char *path, const char *text, struct cuv_error *err)
{
	_cleanup_close_ int fd = -1;

	int r = cuv_tree_add_file(t, path, false, &fd, err);
	return r < 0 ? r : cuv_tree_write(t, fd, text, strlen(text), err);
}

int cuv_tree_add_link(struct cuv_tree *t, const char *path, const char *target, struct cuv_error *err)
{
	_cleanup_close_ int at = -1;
	const char *last;

	int r = count_file(t, path, err);
	if (r == 0)
		r = open_parent(t, path, &at, &last, err);
	if (r < 0)
		return r;
	return symlinkat(target, at, last) < 0 ? failed(err, "cannot make the link", path, -errno) : 0;
}

int cuv_tree_add_hardlink(struct cuv_tree *t, const char *path, const char *existing, struct cuv_error *err)
{
	_cleanup_close_ int at = -1, from = -1;
	const char *last, *from_last;
	struct stat st;

	int r = count_file(t, path, err);
	if (r == 0)
		r = open_parent(t, path, &at, &last, err);
	if (r == 0)
		r = open_parent(t, existing, &from, &from_last, err);
	if (r < 0)
		return r;
	if (fstatat(from, from_last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return failed(err, "a hard link's file is not in the tree:", existing, -ENOENT);
	return linkat(from, from_last, at, last, 0) < 0 ? failed(err, "cannot link", path, -errno) : 0;
}
