/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/deliver.h"

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/proto/bundle.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int cuv_deliver_receive(int sock, struct cuv_frame *order, struct cuv_run *ret)
{
	int r = cuv_frame_recv(sock, order);

	if (r == 0)
		r = cuv_run_get(&order->body, ret);
	return r == 0 && order->n_fds != cuv_run_fds(ret) ? -EBADMSG : r;
}

static int copy_file(int from, const char *name)
{
	_cleanup_close_ int to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return to < 0 ? -errno : cuv_copy_file(from, to, CUV_UPLOAD_BYTES_MAX);
}

/* The folders that this is in; with whole, itself too. */
static int make_folders(const char *name, bool whole)
{
	char path[CUV_BUNDLE_NAME_SIZE];
	size_t i, len = strlen(name);

	memcpy(path, name, len + 1);
	for (i = 1; i <= len; i++) {
		if (i == len ? !whole : path[i] != '/')
			continue;
		path[i] = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		path[i] = name[i];
	}
	return 0;
}

static int write_entry(const struct cuv_bundle_entry *e)
{
	_cleanup_close_ int to = -1;
	int r = make_folders(e->name, e->kind == CUV_BUNDLE_FOLDER);

	if (r < 0 || e->kind != CUV_BUNDLE_FILE)
		return r;
	to = open(e->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, e->executable ? 0755 : 0644);
	return to < 0 ? -errno : cuv_write_all(to, e->data, (size_t)e->size);
}

static int note_first(struct cuv_strv *files, const char *name)
{
	char first[CUV_FILE_NAME_SIZE];
	const size_t len = strcspn(name, "/");

	/* A longer one is no module. */
	if (len >= sizeof(first))
		return 0;
	memcpy(first, name, len);
	first[len] = '\0';
	return files->n && strcmp(files->items[files->n - 1], first) == 0 ? 0 : cuv_strv_add(files, first);
}

static int unpack(struct cuv_bundle_reader *b, struct cuv_strv *files)
{
	struct cuv_bundle_entry e;
	int r;

	while ((r = cuv_bundle_next(b, &e)) > 0) {
		r = e.kind == CUV_BUNDLE_LEFT ? -EBADMSG : write_entry(&e);
		if (r == 0)
			r = note_first(files, e.name);
		if (r < 0)
			return r;
	}
	return r;
}

/* Read here, with the run's own rights: a bundle is what a client sent. */
static int unpack_bundle(int fd, struct cuv_strv *files)
{
	struct cuv_bundle_reader b = {0};
	struct stat st;
	void *data;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size == 0)
		return 0;
	data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	b.at = data;
	b.left = (size_t)st.st_size;
	r = unpack(&b, files);
	(void)munmap(data, (size_t)st.st_size);
	return r;
}

int cuv_deliver_files(struct cuv_run *run, const struct cuv_frame *order)
{
	const size_t n = run->files.n;
	size_t i;
	int r = 0;

	if (chdir(CUV_BOX_WORK) < 0)
		return -errno;
	for (i = 0; r == 0 && i < n; i++)
		r = copy_file(order->fds[1 + i], run->files.items[i]);
	return r == 0 && run->bundle ? unpack_bundle(order->fds[1 + n], &run->files) : r;
}

int cuv_deliver_streams(const struct cuv_frame *order, int out, int err, int *keep, size_t n_keep)
{
	if (dup2(order->fds[0], 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		return -errno;
	return cuv_close_others(keep, n_keep);
}
