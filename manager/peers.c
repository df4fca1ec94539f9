/* SPDX-License-Identifier: MIT */
/* Sessions with launcher and builder, and the two questions about them. */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/proto/session.h"
#include "manager/job.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* How long a control socket may be full: the other process reads it always. */
#define OPEN_WAIT_MS 5000
#define RETRY_AFTER_S 5

static int unavailable(struct cuv_error *err, const char *who, const char *why)
{
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the %s can't be reached (%s); try again", who, why);
	if (err)
		err->retry_after_s = RETRY_AFTER_S;
	return -EHOSTUNREACH;
}

/* How a session begins. */
struct first {
	struct cuv_writer *message; /* NULL: with nothing */
	const int *fds;
	size_t n_fds;
};

static int connect_session(const char *path, const struct first *first)
{
	_cleanup_close_ int fd = cuv_session_connect(path);
	int r = fd;

	if (fd >= 0 && first->message)
		r = cuv_writer_send(first->message, fd, first->fds, first->n_fds);
	return r < 0 ? r : TAKE_FD(fd);
}

static int open_session(int control, const char *path, const char *who, const struct first *first,
			struct cuv_error *err)
{
	uint64_t deadline = cuv_deadline_ms(OPEN_WAIT_MS);
	int fd;

	if (control < 0 && !path)
		return unavailable(err, who, "no address");
	for (;;) {
		struct pollfd p = {.fd = control, .events = POLLOUT};

		fd = control < 0 ? connect_session(path, first)
				 : cuv_session_open_with(control, first->message, first->fds, first->n_fds);
		if (control < 0 || fd != -EAGAIN)
			break;
		if (poll(&p, 1, cuv_deadline_poll_ms(deadline)) <= 0)
			return unavailable(err, who, "it does not answer");
	}
	return fd >= 0 || fd == -E2BIG ? fd : unavailable(err, who, strerror(-fd));
}

int cuv_peers_launcher(const struct cuv_peers *p, struct cuv_error *err)
{
	return cuv_peers_tell_launcher(p, NULL, NULL, 0, err);
}

int cuv_peers_builder(const struct cuv_peers *p, struct cuv_error *err)
{
	return cuv_peers_tell_builder(p, NULL, NULL, 0, err);
}

int cuv_peers_tell_launcher(const struct cuv_peers *p, struct cuv_writer *first, const int *fds, size_t n_fds,
			    struct cuv_error *err)
{
	const struct first f = {first, fds, n_fds};

	return open_session(p->launcher_control, p->launcher_path, "launcher", &f, err);
}

int cuv_peers_tell_builder(const struct cuv_peers *p, struct cuv_writer *first, const int *fds, size_t n_fds,
			   struct cuv_error *err)
{
	const struct first f = {first, fds, n_fds};

	return open_session(p->builder_control, p->builder_path, "builder", &f, err);
}

/* Sends one question and receives its answer; a FAILURE becomes err. */
static int ask(int fd, const char *who, enum cuv_msg question, enum cuv_msg answer, uint32_t timeout_ms,
	       struct cuv_frame *ret, struct cuv_error *err)
{
	int r = cuv_msg_send_plain(fd, question, NULL, 0);

	if (r == 0)
		r = cuv_frame_recv_until(fd, cuv_deadline_ms(timeout_ms), ret);
	if (r != 0)
		return unavailable(err, who, r == 1 ? "it closed the connection" : strerror(-r));
	if (ret->type == CUV_MSG_FAILURE) {
		struct cuv_error said;

		if (cuv_failure_get(&ret->body, &said) < 0)
			return unavailable(err, who, "it sent a broken message");
		if (err)
			*err = said;
		return -EIO;
	}
	return ret->type == answer ? 0 : unavailable(err, who, "it sent an unexpected message");
}

int cuv_peers_layers(const struct cuv_peers *p, uint32_t timeout_ms, struct cuv_layers *ret, struct cuv_error *err)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_close_ int fd = cuv_peers_launcher(p, err);
	int r;

	if (fd < 0)
		return fd;
	r = ask(fd, "launcher", CUV_MSG_LAYERS_ASK, CUV_MSG_LAYERS, timeout_ms, &f, err);
	if (r == 0 && cuv_layers_get(&f.body, ret) < 0)
		return unavailable(err, "launcher", "it sent a broken message");
	return r;
}

int cuv_peers_tools(const struct cuv_peers *p, uint32_t timeout_ms, struct cuv_tools *ret, struct cuv_error *err)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_close_ int fd = cuv_peers_builder(p, err);
	int r;

	if (fd < 0)
		return fd;
	r = ask(fd, "builder", CUV_MSG_TOOLS_ASK, CUV_MSG_TOOLS, timeout_ms, &f, err);
	if (r == 0 && cuv_tools_get(&f.body, ret) < 0)
		return unavailable(err, "builder", "it sent a broken message");
	return r;
}
