/* SPDX-License-Identifier: MIT */
#include "cli/command.h"
#include "cli/env.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cuv_env_peer_open(struct cuv_env_peer *p, const char *state, struct cuv_error *err)
{
	struct cuv_attach_spec to = {
		.state = state, .builder_only = !p->builds, .may_build = p->builds, .chores = true};
	int r = cuv_cancel_init(&p->cancel);

	if (r < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "signals can't be set up: %s", strerror(-r));
	to.cancel_fd = p->cancel.fd;
	return cuv_attach_open(&to, &p->attach, err);
}

void cuv_env_peer_close(struct cuv_env_peer *p)
{
	int sig;

	cuv_progress_clear(&p->progress);
	cuv_attach_close(&p->attach);
	sig = p->cancel.fd >= 0 ? cuv_cancel_signal(&p->cancel) : 0;
	cuv_cancel_done(&p->cancel);
	if (sig)
		cuv_cancel_die(sig);
}

/* The next frame that is not progress. 0 or negative with err set. */
static int receive(struct cuv_env_peer *p, int fd, struct cuv_frame *ret, struct cuv_error *err)
{
	for (;;) {
		_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
		struct cuv_env_progress progress;
		int r = cuv_cancel_wait(&p->cancel, fd, POLLIN);

		if (r == 0)
			r = cuv_frame_recv(fd, &f);
		if (r < 0 && r != -ECANCELED)
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder: %s", strerror(-r));
		if (r < 0)
			return cuv_error_set(err, CUV_E_CANCELLED, "cancelled");
		if (r > 0)
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder closed the connection; try again");
		if (f.type == CUV_MSG_ENV_PROGRESS && cuv_env_progress_get(&f.body, &progress) == 0) {
			cuv_progress_show(&p->progress, &progress);
			continue;
		}
		cuv_progress_clear(&p->progress);
		if (f.type == CUV_MSG_FAILURE) {
			if (cuv_failure_get(&f.body, err) < 0)
				cuv_error_set(err, CUV_E_INTERNAL, "the builder sent a broken message");
			return -EIO;
		}
		*ret = f;
		f = CUV_FRAME_INIT;
		return 0;
	}
}

static int broken(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_INTERNAL, "the builder sent a broken message");
}

static int send_ask(struct cuv_env_peer *p, struct cuv_writer *w, int fd, struct cuv_error *err)
{
	struct cuv_peers peers = cuv_attach_peers(&p->attach);
	_cleanup_close_ int session = cuv_peers_builder(&peers, err);
	int r;

	if (session < 0)
		return session;
	r = cuv_writer_send(w, session, &fd, 1);
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder: %s", strerror(-r));
	return TAKE_FD(session);
}

json_t *cuv_env_peer_chore(struct cuv_env_peer *p, const struct cuv_chore_ask *ask, int fd, struct cuv_error *err)
{
	_cleanup_close_ int nothing = open("/dev/null", O_RDWR | O_CLOEXEC), session = -1;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_CHORE_ANSWER_MAX);
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;
	json_t *answer;

	cuv_writer_init(&w, CUV_MSG_CHORE_ASK);
	cuv_chore_ask_put(&w, ask);
	session = send_ask(p, &w, fd >= 0 ? fd : nothing, err);
	if (session < 0 || receive(p, session, &f, err) < 0)
		return NULL;
	answer = f.type == CUV_MSG_CHORE_ANSWER && f.n_fds == 1 && cuv_pread_all(f.fds[0], &text) == 0
			 ? json_loadb(cuv_buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL)
			 : NULL;
	if (!answer)
		(void)broken(err);
	return answer;
}

int cuv_env_peer_ask(struct cuv_env_peer *p, const struct cuv_env_ask *ask, const void *text, size_t len,
		     struct cuv_environment *ret, int *ret_lease, int *ret_lock, struct cuv_error *err)
{
	_cleanup_close_ int memory = cuv_memfd("environment", text, len), session = -1;
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;

	if (memory < 0)
		return cuv_error_set_errno(err, memory, "no memory");
	cuv_writer_init(&w, CUV_MSG_ENV_ASK);
	cuv_env_ask_put(&w, ask);
	session = send_ask(p, &w, memory, err);
	if (session < 0)
		return session;
	if (receive(p, session, &f, err) < 0)
		return -EIO;
	if (f.type != CUV_MSG_ENV_READY || cuv_environment_get(&f.body, ret) < 0)
		return broken(err);
	if (ret_lock)
		*ret_lock = cuv_frame_take_fd(&f, 0);
	*ret_lease = cuv_frame_take_fd(&f, 1);
	return 0;
}
