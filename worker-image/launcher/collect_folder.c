/* SPDX-License-Identifier: MIT */
/* First the folder is walked and what matches is noted, then it is copied in the order
 * of names: so what is left out for its size does not depend on the file system. */
#include "worker-image/launcher/collect.h"

#include "lib/base/error.h"
#include "lib/base/fd.h"
#include "lib/proto/bundle.h"
#include "lib/proto/glob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOKED_MAX 200000
#define FOUND_MAX 1024
#define LEFT_MAX 100
#define CHUNK 65536
#define HELD (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

struct found {
	char *name;
	uint64_t size;
	enum cuv_left why; /* 0: to be copied */
};

struct walk {
	const struct cuv_run *run;
	int folder; /* of all */
	struct found *found;
	size_t n, looked;
	uint64_t left_out;
	bool more;
};

static int open_below(int folder, const char *name, uint64_t flags)
{
	const struct open_how how = {.flags = flags | O_NOFOLLOW | O_CLOEXEC, .resolve = HELD};
	const long fd = syscall(SYS_openat2, folder, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static bool matches(const struct cuv_run *run, const char *path)
{
	for (size_t i = 0; i < run->artifacts.n; i++)
		if (cuv_glob_match(run->artifacts.items[i], path))
			return true;
	return false;
}

/* A folder is meant by a pattern that is its very name. */
static bool is_named(const struct cuv_run *run, const char *path)
{
	return cuv_strv_has(&run->artifacts, path);
}

static bool enters(const struct cuv_run *run, const char *path)
{
	for (size_t i = 0; i < run->artifacts.n; i++)
		if (cuv_glob_enters(run->artifacts.items[i], path))
			return true;
	return false;
}

static int note(struct walk *w, const char *path, uint64_t size, enum cuv_left why)
{
	if (w->n == FOUND_MAX) {
		w->more = true;
		return 0;
	}
	w->found[w->n] = (struct found){.name = strdup(path), .size = size, .why = why};
	return w->found[w->n++].name ? 0 : -ENOMEM;
}

static int walk(struct walk *w, int folder, char *path, size_t len, unsigned depth);

static int look_at(struct walk *w, int folder, const char *name, char *path, size_t len, unsigned depth)
{
	struct stat st;
	int fd;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (S_ISDIR(st.st_mode)) {
		if (is_named(w->run, path))
			return note(w, path, 0, CUV_LEFT_FOLDER);
		if (!enters(w->run, path))
			return 0;
		if (depth == CUV_BUNDLE_DEPTH_MAX) {
			w->more = true;
			return 0;
		}
		fd = open_below(folder, name, O_RDONLY | O_DIRECTORY);
		return fd < 0 ? note(w, path, 0, CUV_LEFT_UNREADABLE) : walk(w, fd, path, len, depth + 1);
	}
	if (!matches(w->run, path))
		return 0;
	return note(w, path, (uint64_t)st.st_size,
		    !S_ISREG(st.st_mode)		? CUV_LEFT_KIND
		    : !cuv_bundle_name_valid(path, len) ? CUV_LEFT_NAME
							: _CUV_LEFT_NONE);
}

/* Takes over the folder's descriptor; path, of len bytes, is where it is. */
static int walk(struct walk *w, int folder, char *path, size_t len, unsigned depth)
{
	DIR *dir = fdopendir(folder);
	const struct dirent *e;
	int r = 0;

	if (!dir) {
		cuv_close(folder);
		return -ENOMEM;
	}
	while (r == 0 && (e = readdir(dir))) {
		const size_t n = strlen(e->d_name), from = len ? len + 1 : 0;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (++w->looked > LOOKED_MAX || from + n >= CUV_BUNDLE_NAME_SIZE) {
			w->more = true;
			continue;
		}
		if (len)
			path[len] = '/';
		memcpy(path + from, e->d_name, n + 1);
		r = look_at(w, folder, e->d_name, path, from + n, depth);
		path[len] = '\0';
	}
	(void)closedir(dir);
	return r;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct found *)a)->name, ((const struct found *)b)->name);
}

/* The names of what is left out are shown as well as they can be. */
static int leave(struct walk *w, struct cuv_bundle_writer *out, const struct found *f, enum cuv_left why)
{
	char name[CUV_BUNDLE_NAME_SIZE];

	if (w->left_out == LEFT_MAX) {
		w->more = true;
		return 0;
	}
	w->left_out++;
	cuv_error_copy_text(name, sizeof(name), f->name, strlen(f->name));
	return cuv_bundle_left(out, why, f->size, cuv_bundle_name_valid(name, strlen(name)) ? name : "");
}

/* Nobody writes to it any more; still it ends where it was said to. */
static int copy(int from, uint64_t size, struct cuv_bundle_writer *out)
{
	char chunk[CHUNK];
	int r = 0;

	while (r == 0 && size > 0) {
		const ssize_t n = read(from, chunk, CUV_MIN(size, (uint64_t)sizeof(chunk)));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size -= (uint64_t)n;
		r = cuv_bundle_data(out, chunk, (size_t)n);
	}
	return r;
}

static int take(struct walk *w, struct cuv_bundle_writer *out, struct found *f, uint64_t *files)
{
	const struct cuv_limits *l = &w->run->limits;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (f->why)
		return leave(w, out, f, f->why);
	fd = open_below(w->folder, f->name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return leave(w, out, f, CUV_LEFT_UNREADABLE);
	f->size = (uint64_t)st.st_size;
	if (*files == l->value[CUV_LIMIT_ARTIFACTS])
		return leave(w, out, f, CUV_LEFT_COUNT);
	if (f->size > l->value[CUV_LIMIT_ARTIFACTS_SIZE] - out->total)
		return leave(w, out, f, CUV_LEFT_SIZE);
	r = cuv_bundle_begin(out, CUV_BUNDLE_FILE, 0, f->name);
	if (r == 0)
		r = copy(fd, f->size, out);
	if (r == -EIO) {
		r = cuv_bundle_drop(out);
		return r == 0 ? leave(w, out, f, CUV_LEFT_UNREADABLE) : r;
	}
	++*files;
	return r == 0 ? cuv_bundle_end(out) : r;
}

int cuv_collect_folder(int folder, const struct cuv_run *run, struct cuv_bundle_writer *out)
{
	struct walk w = {.run = run, .folder = folder, .found = calloc(FOUND_MAX, sizeof(*w.found))};
	char path[CUV_BUNDLE_NAME_SIZE] = "";
	int fd = fcntl(folder, F_DUPFD_CLOEXEC, 0), r = fd < 0 ? -errno : 0;
	uint64_t files = 0;

	if (!w.found) {
		cuv_close(fd);
		return -ENOMEM;
	}
	if (r == 0)
		r = walk(&w, fd, path, 0, 1);
	if (r == 0)
		qsort(w.found, w.n, sizeof(*w.found), by_name);
	for (size_t i = 0; r == 0 && i < w.n; i++)
		r = take(&w, out, &w.found[i], &files);
	if (r == 0 && w.more)
		r = cuv_bundle_left(out, CUV_LEFT_MORE, 0, "");
	for (size_t i = 0; i < w.n; i++)
		free(w.found[i].name);
	free(w.found);
	return r;
}
