/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/metadata.h"

#include "lib/base/fd.h"
#include "nixenv/requires.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Nothing that a wheel brought leads anywhere else. */
static int open_below(int folder, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* An installation has exactly one such folder (nixenv/nix/install.py). */
static int find_info(int site, char ret[NAME_MAX + 1])
{
	static const char suffix[] = ".dist-info";
	DIR *d = fdopendir(site);
	struct dirent *entry;
	int r = -ENOENT;

	if (!d) {
		(void)close(site);
		return -errno;
	}
	while (r < 0 && (entry = readdir(d))) {
		size_t len = strlen(entry->d_name);

		if (len <= strlen(suffix) || strcmp(entry->d_name + len - strlen(suffix), suffix) != 0)
			continue;
		(void)snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
		r = 0;
	}
	(void)closedir(d);
	return r;
}

/* The beginning of it, where the headers are. */
static int read_metadata(const char *store, const char *install, const char *python, struct cuv_buf *ret)
{
	char path[PATH_MAX], site[64], name[NAME_MAX + 1], file[PATH_MAX], chunk[16384];
	_cleanup_close_ int root = -1, fd = -1;
	struct stat st;
	ssize_t n;
	int r;

	cuv_path_join(store, install, path);
	root = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return -errno;
	(void)snprintf(site, sizeof(site), "lib/python%s/site-packages", python);
	r = open_below(root, site, O_RDONLY | O_DIRECTORY);
	if (r < 0 || (r = find_info(r, name)) < 0)
		return r;
	(void)snprintf(file, sizeof(file), "%s/%s/METADATA", site, name);
	fd = open_below(root, file, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	while (ret->len + sizeof(chunk) <= CUV_METADATA_BYTES_MAX && (n = read(fd, chunk, sizeof(chunk))) > 0)
		cuv_buf_add(ret, chunk, (size_t)n);
	return cuv_buf_err(ret);
}

void cuv_metadata_note(const struct cuv_builder_state *s, const struct cuv_strv *installs, struct cuv_lock *l)
{
	size_t bytes = 0;

	cuv_assert(installs->n == l->n);
	for (size_t i = 0; i < l->n; i++) {
		_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_METADATA_BYTES_MAX);
		struct cuv_locked *p = &l->packages[i];
		int r;

		cuv_strv_done(&p->requires);
		r = read_metadata(s->store, installs->items[i], l->python, &text);
		if (r == 0)
			r = cuv_requires_read(cuv_buf_str(&text), text.len, l, &p->requires);
		for (size_t k = 0; r == 0 && k < p->requires.n; k++)
			bytes += strlen(p->requires.items[k]) + 4;
		p->requires_known = r == 0 && bytes <= CUV_REQUIRES_BYTES_MAX;
		if (!p->requires_known)
			cuv_strv_done(&p->requires);
	}
}
