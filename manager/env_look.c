/* SPDX-License-Identifier: MIT */
#include "manager/env_look.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 10000
#define RETRY_AFTER_S 5
/* A buffer doubles when it grows, and the answer has a copy. */
#define LOCK_FACTOR 3

static int unavailable(struct cuv_error *err)
{
	(void)cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder does not answer; try again");
	err->retry_after_s = RETRY_AFTER_S;
	return -EHOSTUNREACH;
}

static int ask(const struct cuv_peers *p, struct cuv_writer *w, enum cuv_msg answer, struct cuv_frame *ret,
	       struct cuv_error *err)
{
	_cleanup_close_ int session = cuv_peers_builder(p, err);
	int r;

	if (session < 0)
		return session;
	r = cuv_writer_send(w, session, NULL, 0);
	if (r == 0)
		r = cuv_frame_recv_until(session, cuv_deadline_ms(LOOK_MS), ret);
	if (r == 0 && ret->type == CUV_MSG_FAILURE && cuv_failure_get(&ret->body, err) == 0)
		return -EINVAL;
	return r == 0 && ret->type == answer ? 0 : unavailable(err);
}

int cuv_env_look(const struct cuv_peers *p, const char *digest, struct cuv_charge *charge, struct cuv_look *ret,
		 struct cuv_buf *lock, struct cuv_error *err)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int fd = -1;
	struct cuv_look_ask look = {0};
	off_t len;
	int r;

	cuv_assert(cuv_env_digest_valid(digest));
	memcpy(look.digest, digest, sizeof(look.digest));
	cuv_writer_init(&w, CUV_MSG_LOOK_ASK);
	cuv_look_ask_put(&w, &look);
	r = ask(p, &w, CUV_MSG_LOOK, &f, err);
	if (r < 0)
		return r;
	if (cuv_look_get(&f.body, ret) < 0)
		return unavailable(err);
	fd = cuv_frame_take_fd(&f, 0);
	len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END); /* no stat for the sealed */
	if (len < 0 || len > (off_t)lock->max)
		return 0;
	if (!cuv_charge_add(charge, LOCK_FACTOR * (size_t)len))
		return cuv_budget_exhausted(err, "request");
	if (cuv_pread_all(fd, lock) < 0)
		cuv_buf_reset(lock);
	return 0;
}

int cuv_env_which(const struct cuv_peers *p, const struct cuv_which *asked, struct cuv_which *ret,
		  struct cuv_error *err)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	_cleanup_writer_ struct cuv_writer w;
	int r;

	cuv_writer_init(&w, CUV_MSG_WHICH_ASK);
	cuv_which_put(&w, asked);
	r = ask(p, &w, CUV_MSG_WHICH, &f, err);
	if (r == 0 && cuv_which_get(&f.body, ret) < 0)
		r = unavailable(err);
	return r;
}
