/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/deliver.h"

#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int cuv_deliver_receive(int sock, struct cuv_frame *order, struct cuv_run *ret)
{
	int r = cuv_frame_recv(sock, order);

	if (r == 0)
		r = cuv_run_get(&order->body, ret);
	return r == 0 && order->n_fds != 1 + ret->files.n ? -EBADMSG : r;
}

static int copy_file(int from, const char *name)
{
	_cleanup_close_ int to = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return to < 0 ? -errno : cuv_copy_file(from, to, CUV_UPLOAD_BYTES_MAX);
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
