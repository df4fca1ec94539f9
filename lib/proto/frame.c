/* SPDX-License-Identifier: MIT */
#include "lib/proto/frame.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SPARE_MAX 4

void cuv_writer_init(struct cuv_writer *w, uint16_t type)
{
	cuv_buf_init(&w->buf, CUV_FRAME_MAX);
	cuv_put_u16(w, CUV_PROTO_VERSION);
	cuv_put_u16(w, type);
	cuv_put_u32(w, 0); /* the length, known when sent */
}

void cuv_writer_done(struct cuv_writer *w)
{
	cuv_buf_done(&w->buf);
}

static void put_le(struct cuv_writer *w, uint64_t v, size_t n)
{
	uint8_t bytes[8];
	size_t i;

	for (i = 0; i < n; i++)
		bytes[i] = (uint8_t)(v >> (8 * i));
	cuv_buf_add(&w->buf, bytes, n);
}

void cuv_put_u8(struct cuv_writer *w, uint8_t v)
{
	put_le(w, v, 1);
}

void cuv_put_u16(struct cuv_writer *w, uint16_t v)
{
	put_le(w, v, 2);
}

void cuv_put_u32(struct cuv_writer *w, uint32_t v)
{
	put_le(w, v, 4);
}

void cuv_put_u64(struct cuv_writer *w, uint64_t v)
{
	put_le(w, v, 8);
}

void cuv_put_bytes(struct cuv_writer *w, const void *data, size_t len)
{
	if (len > CUV_FRAME_MAX) {
		w->buf.err = w->buf.err ? w->buf.err : -E2BIG;
		return;
	}
	cuv_put_u32(w, (uint32_t)len);
	cuv_buf_add(&w->buf, data, len);
}

void cuv_put_str(struct cuv_writer *w, const char *s)
{
	cuv_put_bytes(w, s, strlen(s));
}

void cuv_put_strv(struct cuv_writer *w, const struct cuv_strv *v)
{
	size_t i;

	cuv_put_u32(w, (uint32_t)v->n);
	for (i = 0; i < v->n; i++)
		cuv_put_str(w, v->items[i]);
}

int cuv_writer_send(struct cuv_writer *w, int sock, const int *fds, size_t n_fds)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * CUV_FRAME_FDS_MAX)];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	uint32_t body;
	size_t i;

	if (cuv_buf_err(&w->buf) < 0)
		return cuv_buf_err(&w->buf);
	cuv_assert(n_fds <= CUV_FRAME_FDS_MAX);
	body = (uint32_t)(w->buf.len - CUV_FRAME_HEADER);
	for (i = 0; i < 4; i++)
		w->buf.data[4 + i] = (char)(body >> (8 * i));
	iov = (struct iovec){.iov_base = w->buf.data, .iov_len = w->buf.len};
	if (n_fds) {
		struct cmsghdr *c;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	for (;;) {
		if (sendmsg(sock, &msg, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
}

/* Room for frames that were read: a request has several, one after the other, and each would
 * be too much for malloc to have at hand. Any thread takes and leaves some. */
static _Atomic(uint8_t *) spare[SPARE_MAX];

static uint8_t *take_room(void)
{
	uint8_t *room = NULL;
	size_t i;

	for (i = 0; !room && i < SPARE_MAX; i++)
		room = atomic_exchange(&spare[i], NULL);
	return room ? room : malloc(CUV_FRAME_MAX);
}

static void leave_room(uint8_t *room)
{
	size_t i;

	for (i = 0; room && i < SPARE_MAX; i++) {
		uint8_t *none = NULL;

		if (atomic_compare_exchange_strong(&spare[i], &none, room))
			return;
	}
	free(room);
}

void cuv_frame_done(struct cuv_frame *f)
{
	size_t i;

	for (i = 0; i < f->n_fds; i++)
		cuv_close(f->fds[i]);
	leave_room(f->data);
	*f = CUV_FRAME_INIT;
}

void cuv_frame_forget(struct cuv_frame *f)
{
	if (f->data)
		memset(f->data, 0, (size_t)(f->body.at + f->body.left - f->data));
	cuv_frame_done(f);
}

void cuv_frame_prepare(void)
{
	leave_room(take_room());
}

int cuv_frame_take_fd(struct cuv_frame *f, size_t i)
{
	return i < f->n_fds ? TAKE_FD(f->fds[i]) : -1;
}

/* Keeps the descriptors of all control messages; false when there were more
 * than fit (those are closed, none may leak). */
static bool keep_fds(struct msghdr *msg, struct cuv_frame *f)
{
	struct cmsghdr *c;
	bool fit = !(msg->msg_flags & MSG_CTRUNC);

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t i, n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (f->n_fds < CUV_FRAME_FDS_MAX) {
				f->fds[f->n_fds++] = fd;
			} else {
				cuv_close(fd);
				fit = false;
			}
		}
	}
	return fit;
}

int cuv_frame_recv(int sock, struct cuv_frame *f)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * CUV_FRAME_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov;
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	bool reset = false;
	ssize_t n;
	int r;

	cuv_assert(!f->data && f->n_fds == 0);
	f->data = take_room();
	if (!f->data)
		return -ENOMEM;
	iov = (struct iovec){.iov_base = f->data, .iov_len = CUV_FRAME_MAX};
	do {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
		/* Told once when the other side closed without reading all of ours; what
		 * it sent before that, a refusal for instance, is still to be read. */
	} while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !reset && (reset = true))));
	if (n <= 0) {
		r = n == 0 || errno == ECONNRESET ? 1 : -errno;
		cuv_frame_done(f);
		return r;
	}
	if (!keep_fds(&msg, f) || (msg.msg_flags & MSG_TRUNC)) {
		cuv_frame_done(f);
		return -EBADMSG;
	}
	r = cuv_frame_parse(f->data, (size_t)n, &f->type, &f->body);
	if (r < 0)
		cuv_frame_done(f);
	return r;
}

int cuv_frame_recv_until(int sock, uint64_t deadline_ns, struct cuv_frame *f)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};

	for (;;) {
		int r = poll(&p, 1, cuv_deadline_poll_ms(deadline_ns));

		if (r > 0)
			return cuv_frame_recv(sock, f);
		if (r == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

static uint64_t get_le(struct cuv_reader *r, size_t n)
{
	uint64_t v = 0;
	size_t i;

	if (r->err || r->left < n) {
		r->err = r->err ? r->err : -EBADMSG;
		return 0;
	}
	for (i = 0; i < n; i++)
		v |= (uint64_t)r->at[i] << (8 * i);
	r->at += n;
	r->left -= n;
	return v;
}

int cuv_frame_parse(const uint8_t *data, size_t len, uint16_t *ret_type, struct cuv_reader *ret_body)
{
	struct cuv_reader r = {.at = data, .left = len};
	uint16_t version = cuv_get_u16(&r), type = cuv_get_u16(&r);
	uint32_t body = cuv_get_u32(&r);

	if (r.err || version != CUV_PROTO_VERSION || body != r.left || len > CUV_FRAME_MAX)
		return -EBADMSG;
	*ret_type = type;
	*ret_body = r;
	return 0;
}

uint8_t cuv_get_u8(struct cuv_reader *r)
{
	return (uint8_t)get_le(r, 1);
}

uint16_t cuv_get_u16(struct cuv_reader *r)
{
	return (uint16_t)get_le(r, 2);
}

uint32_t cuv_get_u32(struct cuv_reader *r)
{
	return (uint32_t)get_le(r, 4);
}

uint64_t cuv_get_u64(struct cuv_reader *r)
{
	return get_le(r, 8);
}

const uint8_t *cuv_get_bytes(struct cuv_reader *r, size_t max, size_t *ret_len)
{
	size_t len = cuv_get_u32(r);
	const uint8_t *at = r->at;

	if (!r->err && (len > r->left || len > max))
		r->err = -EBADMSG;
	if (r->err) {
		*ret_len = 0;
		return NULL;
	}
	r->at += len;
	r->left -= len;
	*ret_len = len;
	return at;
}

void cuv_get_str(struct cuv_reader *r, char *dst, size_t size)
{
	size_t len;
	const uint8_t *at = cuv_get_bytes(r, size - 1, &len);

	dst[0] = '\0';
	if (!at)
		return;
	if (memchr(at, '\0', len)) {
		r->err = -EBADMSG;
		return;
	}
	memcpy(dst, at, len);
	dst[len] = '\0';
}

void cuv_get_strv(struct cuv_reader *r, size_t max_n, size_t max_len, struct cuv_strv *v)
{
	size_t i, len, n = cuv_get_u32(r);

	if (!r->err && n > max_n)
		r->err = -EBADMSG;
	for (i = 0; i < n && !r->err; i++) {
		const uint8_t *at = cuv_get_bytes(r, max_len, &len);

		if (!at)
			return;
		if (memchr(at, '\0', len))
			r->err = -EBADMSG;
		else if (cuv_strv_add_len(v, (const char *)at, len) < 0)
			r->err = -ENOMEM;
	}
}

int cuv_reader_end(const struct cuv_reader *r)
{
	if (r->err)
		return r->err;
	return r->left ? -EBADMSG : 0;
}
