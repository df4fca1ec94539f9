/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/deliver.h"

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_BYTES 65536

int cuv_deliver_receive(int sock, struct cuv_frame *order, struct cuv_run *ret)
{
	int r = cuv_frame_recv(sock, order);

	if (r == 0)
		r = cuv_run_get(&order->body, ret);
	return r == 0 && order->n_fds != 1 + ret->files.n ? -EBADMSG : r;
}

/* Copies what the file holds now, and never more than an upload may be. */
static int copy_file(int from, const char *name)
{
	static char buf[COPY_BYTES]; /* one copy at a time in this process */
	_cleanup_close_ int to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	uint64_t at = 0, bytes;
	struct stat st;

	if (to < 0 || fstat(from, &st) < 0)
		return -errno;
	bytes = CUV_MIN((uint64_t)st.st_size, CUV_UPLOAD_BYTES_MAX);
	while (at < bytes) {
		ssize_t n = pread(from, buf, CUV_MIN(bytes - at, sizeof(buf)), (off_t)at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		r = cuv_write_all(to, buf, (size_t)n);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	return 0;
}

int cuv_deliver_files(const struct cuv_run *run, const struct cuv_frame *order)
{
	size_t i;
	int r = 0;

	if (chdir(CUV_BOX_WORK) < 0)
		return -errno;
	for (i = 0; r == 0 && i < run->files.n; i++)
		r = copy_file(order->fds[1 + i], run->files.items[i]);
	return r;
}

int cuv_deliver_streams(const struct cuv_frame *order, int out, int err, int *keep, size_t n_keep)
{
	if (dup2(order->fds[0], 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		return -errno;
	return cuv_close_others(keep, n_keep);
}
