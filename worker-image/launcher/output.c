/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/output.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <unistd.h>

void cuv_pump_init(struct cuv_pump *p, int session, int out, int err, const struct cuv_limits *l)
{
	*p = (struct cuv_pump){
		.session = session,
		.pending_fd = -1,
		.stream = {{.fd = out, .limit = l->value[CUV_LIMIT_STDOUT]},
			   {.fd = err, .limit = l->value[CUV_LIMIT_STDERR]}},
	};
}

static void drop_pending(struct cuv_pump *p)
{
	if (p->has_pending)
		cuv_writer_done(&p->pending);
	p->pending_fd = cuv_close(p->pending_fd);
	p->has_pending = false;
}

void cuv_pump_done(struct cuv_pump *p)
{
	size_t i;

	drop_pending(p);
	for (i = 0; i < CUV_STREAMS; i++)
		p->stream[i].fd = cuv_close(p->stream[i].fd);
}

void cuv_pump_abandon(struct cuv_pump *p)
{
	drop_pending(p);
	p->session = -1;
}

void cuv_pump_flush(struct cuv_pump *p)
{
	int r;

	if (!p->has_pending)
		return;
	r = cuv_writer_send(&p->pending, p->session, &p->pending_fd, p->pending_fd >= 0);
	if (r == -EAGAIN)
		return;
	drop_pending(p);
	if (r < 0)
		cuv_pump_abandon(p);
}

void cuv_pump_send(struct cuv_pump *p, struct cuv_writer *w, int fd)
{
	cuv_assert(!p->has_pending);
	if (p->session < 0) {
		cuv_close(fd);
		cuv_writer_done(w);
		return;
	}
	p->pending = *w;
	p->pending_fd = fd;
	p->has_pending = true;
	cuv_pump_flush(p);
}

static void send_chunk(struct cuv_pump *p, size_t i, const uint8_t *data, size_t len)
{
	const struct cuv_output m = {
		.stream = i == 0 ? CUV_STREAM_STDOUT : CUV_STREAM_STDERR, .data = data, .len = len};
	struct cuv_writer w;

	if (p->session < 0)
		return;
	cuv_writer_init(&w, CUV_MSG_RUN_OUTPUT);
	cuv_output_put(&w, &m);
	cuv_pump_send(p, &w, -1);
}

void cuv_pump_step(struct cuv_pump *p, size_t i)
{
	struct cuv_pump_stream *s = &p->stream[i];
	uint8_t data[CUV_OUTPUT_CHUNK_MAX];
	uint64_t room = s->limit - s->sent;
	ssize_t n;

	cuv_assert(s->fd >= 0 && !p->has_pending && s->sent <= s->limit);
	n = read(s->fd, data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		p->broken = n < 0 ? -errno : p->broken;
		s->fd = cuv_close(s->fd);
		return;
	}
	if ((uint64_t)n > room) {
		s->truncated = true;
		n = (ssize_t)room;
	}
	s->sent += (uint64_t)n;
	if (n > 0)
		send_chunk(p, i, data, (size_t)n);
}

void cuv_pump_end(struct cuv_pump *p, size_t i)
{
	p->stream[i].fd = cuv_close(p->stream[i].fd);
}

bool cuv_pump_truncated(const struct cuv_pump *p)
{
	return p->stream[0].truncated || p->stream[1].truncated;
}

bool cuv_pump_finished(const struct cuv_pump *p)
{
	return p->stream[0].fd < 0 && p->stream[1].fd < 0 && !p->has_pending;
}
