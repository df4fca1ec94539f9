/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/task.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define PAGE_BYTES 4096u
#define BUNDLE_BYTES_MAX (CUV_BUNDLE_BYTES_MAX + CUV_BUNDLE_ENTRIES_MAX * (CUV_BUNDLE_NAME_SIZE + 16))

void cuv_task_done(struct cuv_task *t)
{
	size_t i;

	for (i = 0; i < t->n_fds; i++)
		cuv_close(t->fds[i]);
	cuv_close(t->session);
	cuv_run_done(&t->run);
	*t = (struct cuv_task){.session = -1};
}

void cuv_task_free(struct cuv_task *t)
{
	if (t)
		cuv_task_done(t);
	free(t);
}

static void take_fds(struct cuv_frame *f, size_t from, struct cuv_task *t)
{
	for (t->n_fds = 0; from + t->n_fds < f->n_fds; t->n_fds++)
		t->fds[t->n_fds] = cuv_frame_take_fd(f, from + t->n_fds);
}

int cuv_task_from_frame(struct cuv_frame *f, int session, struct cuv_task *ret)
{
	struct cuv_task t = {.session = -1, .came_ns = cuv_now_ns()};

	if (cuv_run_get(&f->body, &t.run) < 0 || f->n_fds != cuv_run_fds(&t.run)) {
		cuv_task_done(&t);
		return -EBADMSG;
	}
	take_fds(f, 0, &t);
	t.session = session;
	*ret = t;
	return 0;
}

int cuv_task_send(const struct cuv_task *t, int sock)
{
	_cleanup_writer_ struct cuv_writer w;
	int fds[3 + CUV_FILES_MAX];
	size_t i, n = 0;

	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_put_u64(&w, t->came_ns);
	cuv_put_str(&w, t->why_cold);
	cuv_run_put(&w, &t->run);
	fds[n++] = t->session;
	for (i = 0; i < t->n_fds; i++)
		fds[n++] = t->fds[i];
	return cuv_writer_send(&w, sock, fds, n);
}

int cuv_task_recv(int sock, struct cuv_task *ret)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct cuv_task t = {.session = -1};
	int r = cuv_frame_recv(sock, &f);

	if (r != 0)
		return r;
	t.came_ns = cuv_get_u64(&f.body);
	cuv_get_str(&f.body, t.why_cold, sizeof(t.why_cold));
	r = cuv_run_get(&f.body, &t.run);
	if (r == 0 && f.n_fds != 1 + cuv_run_fds(&t.run))
		r = -EBADMSG;
	if (r < 0) {
		cuv_task_done(&t);
		return r;
	}
	t.session = cuv_frame_take_fd(&f, 0);
	take_fds(&f, 1, &t);
	*ret = t;
	return 0;
}

/* One of a pair that is connected: nothing can be reached by it but its other end. */
static bool is_stream(int fd)
{
	int type = 0, family = 0;
	socklen_t len = sizeof(type), name_len = sizeof(struct sockaddr_un);
	struct sockaddr_un name;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family == AF_UNIX &&
	       getpeername(fd, (struct sockaddr *)&name, &name_len) == 0;
}

int cuv_task_check_fds(const struct cuv_task *t, struct cuv_error *err)
{
	uint64_t total = 0, pages = 0;
	size_t i;

	for (i = 0; i < t->n_fds; i++) {
		const int flags = fcntl(t->fds[i], F_GETFL);
		const bool bundle = i > t->run.files.n;
		uint64_t bytes;
		struct stat st;

		if (i == 0 && t->run.stream) {
			if (!is_stream(t->fds[i]))
				return cuv_error_set(err, CUV_E_BAD_REQUEST,
						     "the stream must be a connected Unix stream socket");
			continue;
		}
		if (flags < 0 || fstat(t->fds[i], &st) < 0)
			return cuv_error_set_errno(err, -errno, "stdin or a file can't be looked at: %s",
						   strerror(errno));
		if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY || !S_ISREG(st.st_mode))
			return cuv_error_set(err, CUV_E_BAD_REQUEST,
					     "stdin and files must be regular files open for reading");
		bytes = (uint64_t)st.st_size;
		if (bytes > (i == 0 ? CUV_STDIN_BYTES_MAX : bundle ? BUNDLE_BYTES_MAX : CUV_UPLOAD_BYTES_MAX))
			return cuv_error_set(err, CUV_E_TOO_LARGE, "%s is too large",
					     i == 0   ? "stdin"
					     : bundle ? "the files' bundle"
						      : t->run.files.items[i - 1]);
		/* What is in a bundle is counted where it is unpacked. */
		if (i == 0 || bundle)
			continue;
		total += bytes;
		pages += (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
	}
	if (total > CUV_UPLOAD_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the files are too large together");
	/* The folder itself is an inode too. */
	if (pages * PAGE_BYTES > t->run.limits.value[CUV_LIMIT_WORK] ||
	    t->run.files.n + 1 > t->run.limits.value[CUV_LIMIT_WORK_INODES])
		return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "the files don't fit into the work folder");
	return 0;
}
