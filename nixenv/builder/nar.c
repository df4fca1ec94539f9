/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/nar.h"

#include "lib/base/fd.h"
#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (256u * 1024u)

struct nar {
	int (*write)(void *arg, const void *data, size_t len);
	void *arg;
	char *chunk;
	unsigned depth;
};

static int put(struct nar *n, const void *data, size_t len)
{
	return len ? n->write(n->arg, data, len) : 0;
}

static int put_u64(struct nar *n, uint64_t value)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	return put(n, bytes, sizeof(bytes));
}

static int pad(struct nar *n, uint64_t len)
{
	static const char zeros[8];

	return put(n, zeros, (8 - len % 8) % 8);
}

static int put_text(struct nar *n, const char *text)
{
	size_t len = strlen(text);
	int r = put_u64(n, len);

	r = r ? r : put(n, text, len);
	return r ? r : pad(n, len);
}

static int put_texts(struct nar *n, const char *const *texts)
{
	int r = 0;

	for (; r == 0 && *texts; texts++)
		r = put_text(n, *texts);
	return r;
}
#define PUT(n, ...) put_texts(n, (const char *const[]){__VA_ARGS__, NULL})

static int put_node(struct nar *n, int folder, const char *name);

static int put_content(struct nar *n, int fd, uint64_t size)
{
	uint64_t left = size;
	int r = put_u64(n, size);

	while (r == 0 && left > 0) {
		ssize_t got = read(fd, n->chunk, CUV_MIN(left, (uint64_t)CHUNK));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		r = put(n, n->chunk, (size_t)got);
		left -= (uint64_t)got;
	}
	return r ? r : pad(n, size);
}

static int put_file(struct nar *n, int folder, const char *name)
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	r = PUT(n, "type", "regular");
	if (r == 0 && (st.st_mode & S_IXUSR))
		r = PUT(n, "executable", "");
	r = r ? r : put_text(n, "contents");
	return r ? r : put_content(n, fd, (uint64_t)st.st_size);
}

static int put_link(struct nar *n, int folder, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(folder, name, target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return PUT(n, "type", "symlink", "target", target);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What is in a folder, in the order of its bytes. Takes fd over. */
static int list_folder(int fd, struct cuv_strv *names)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int r = 0;

	if (!d) {
		r = -errno;
		(void)cuv_close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, e = readdir(d))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		r = names->n < CUV_NAR_ENTRIES_MAX ? cuv_strv_add(names, e->d_name) : -E2BIG;
	}
	if (r == 0 && errno)
		r = -errno;
	(void)closedir(d);
	if (r == 0 && names->n > 1)
		qsort(names->items, names->n, sizeof(names->items[0]), by_name);
	return r;
}

static int put_folder(struct nar *n, int folder, const char *name)
{
	_cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
	int again, r;

	if (fd < 0 || (again = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
		return -errno;
	r = list_folder(again, &names);
	r = r ? r : PUT(n, "type", "directory");
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		r = PUT(n, "entry", "(", "name", names.items[i], "node");
		r = r ? r : put_node(n, fd, names.items[i]);
		r = r ? r : put_text(n, ")");
	}
	return r;
}

static int put_kind(struct nar *n, int folder, const char *name)
{
	struct stat st;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISREG(st.st_mode))
		return put_file(n, folder, name);
	if (S_ISLNK(st.st_mode))
		return put_link(n, folder, name);
	return S_ISDIR(st.st_mode) ? put_folder(n, folder, name) : -EBADMSG;
}

static int put_node(struct nar *n, int folder, const char *name)
{
	int r;

	if (n->depth >= CUV_NAR_DEPTH_MAX)
		return -ELOOP;
	n->depth++;
	r = put_text(n, "(");
	r = r ? r : put_kind(n, folder, name);
	r = r ? r : put_text(n, ")");
	n->depth--;
	return r;
}

int cuv_nar_write(int folder, const char *name, int (*write)(void *arg, const void *data, size_t len), void *arg)
{
	_cleanup_free_ char *chunk = malloc(CHUNK);
	struct nar n = {.write = write, .arg = arg, .chunk = chunk};
	int r = chunk ? put_text(&n, "nix-archive-1") : -ENOMEM;

	return r ? r : put_node(&n, folder, name);
}
