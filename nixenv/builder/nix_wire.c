/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/nix_wire.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Kinds of messages; the protocol's own numbers. */
enum {
	MESSAGE_LAST = 0x616c7473,
	MESSAGE_ERROR = 0x63787470,
	MESSAGE_TEXT = 0x6f6c6d67,
	MESSAGE_START = 0x53545254,
	MESSAGE_STOP = 0x53544f50,
	MESSAGE_RESULT = 0x52534c54,
	RESULT_LOG_LINE = 101,
	FIELD_NUMBER = 0,
	FIELD_STRING = 1,
	FIELDS_MAX = 64,
	TEXT_MAX = 8192,
};

static int wait_for_more(const struct cuv_nix_wire *w)
{
	struct pollfd p = {.fd = w->fd, .events = POLLIN};
	int r;

	if (w->deadline_ns == CUV_NEVER)
		return 0;
	do
		r = poll(&p, 1, cuv_deadline_poll_ms(w->deadline_ns));
	while ((r < 0 && errno == EINTR) || (r == 0 && cuv_now_ns() < w->deadline_ns));
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* Takes up to len bytes of what is there; data may be NULL. Bytes taken, or negative. */
static ssize_t take(struct cuv_nix_wire *w, void *data, size_t len)
{
	if (w->at == w->end) {
		ssize_t n = wait_for_more(w);

		if (n < 0)
			return n;
		do
			n = read(w->fd, w->in, sizeof(w->in));
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		w->at = 0;
		w->end = (size_t)n;
	}
	len = CUV_MIN(len, w->end - w->at);
	if (data)
		memcpy(data, w->in + w->at, len);
	w->at += len;
	return (ssize_t)len;
}

static int take_all(struct cuv_nix_wire *w, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = take(w, data ? (char *)data + done : NULL, len - done);

		if (n < 0)
			return (int)n;
		done += (size_t)n;
	}
	return 0;
}

int cuv_nix_wire_u64(struct cuv_nix_wire *w, uint64_t *ret)
{
	uint64_t raw;
	int r = take_all(w, &raw, sizeof(raw));

	if (r == 0)
		*ret = le64toh(raw);
	return r;
}

int cuv_nix_wire_string(struct cuv_nix_wire *w, struct cuv_buf *out)
{
	uint64_t len = 0;
	size_t kept;
	char *room;
	int r = cuv_nix_wire_u64(w, &len);

	if (r < 0)
		return r;
	if (len > CUV_NIX_STRING_MAX)
		return -EPROTO;
	kept = CUV_MIN((size_t)len, out->max);
	cuv_buf_reset(out);
	room = cuv_buf_room(out, kept);
	if (!room)
		return -ENOMEM;
	if ((r = take_all(w, room, kept)) < 0)
		return r;
	cuv_buf_grew(out, kept);
	/* The rest, and what fills the last eight bytes. */
	return take_all(w, NULL, (size_t)(len - kept + (8 - len % 8) % 8));
}

/* --- messages --- */

static int skip_string(struct cuv_nix_wire *w)
{
	_cleanup_buf_ struct cuv_buf unused = CUV_BUF_INIT(64);

	return cuv_nix_wire_string(w, &unused);
}

/* Reads fields; the first string of them into text. */
static int read_fields(struct cuv_nix_wire *w, struct cuv_buf *text)
{
	uint64_t n = 0, kind = 0, number;
	bool found = false;
	int r = cuv_nix_wire_u64(w, &n);

	cuv_buf_reset(text);
	if (r == 0 && n > FIELDS_MAX)
		return -EPROTO;
	for (uint64_t i = 0; r == 0 && i < n; i++) {
		r = cuv_nix_wire_u64(w, &kind);
		if (r == 0 && kind == FIELD_NUMBER) {
			r = cuv_nix_wire_u64(w, &number);
		} else if (r == 0 && kind == FIELD_STRING) {
			r = found ? skip_string(w) : cuv_nix_wire_string(w, text);
			found = true;
		} else if (r == 0) {
			r = -EPROTO;
		}
	}
	return r;
}

/* Numbers that say nothing to us. */
static int skip_numbers(struct cuv_nix_wire *w, size_t n)
{
	uint64_t unused;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = cuv_nix_wire_u64(w, &unused);
	return r;
}

static int read_start(struct cuv_nix_wire *w, struct cuv_buf *text)
{
	int r = skip_numbers(w, 3); /* activity, level, kind */

	r = r ? r : skip_string(w);
	r = r ? r : read_fields(w, text);
	return r ? r : skip_numbers(w, 1); /* above it */
}

static int read_result(struct cuv_nix_wire *w, struct cuv_buf *text, struct cuv_nix_log *log)
{
	uint64_t kind = 0;
	int r = skip_numbers(w, 1);

	r = r ? r : cuv_nix_wire_u64(w, &kind);
	r = r ? r : read_fields(w, text);
	if (r == 0 && kind == RESULT_LOG_LINE)
		cuv_nix_log_line(log, cuv_buf_str(text));
	return r;
}

static int read_error(struct cuv_nix_wire *w, struct cuv_buf *text, struct cuv_nix_log *log)
{
	uint64_t traces = 0;
	int r = skip_string(w); /* "Error" */

	r = r ? r : skip_numbers(w, 1);
	r = r ? r : skip_string(w);
	r = r ? r : cuv_nix_wire_string(w, text);
	r = r ? r : skip_numbers(w, 1);
	r = r ? r : cuv_nix_wire_u64(w, &traces);
	if (r == 0 && traces > FIELDS_MAX)
		return -EPROTO;
	for (uint64_t i = 0; r == 0 && i < traces; i++)
		if ((r = skip_numbers(w, 1)) == 0)
			r = skip_string(w);
	if (r < 0)
		return r;
	cuv_nix_log_failure(log, cuv_buf_str(text));
	return -EREMOTEIO;
}

int cuv_nix_wire_messages(struct cuv_nix_wire *w, struct cuv_nix_log *log)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TEXT_MAX);
	uint64_t kind;
	int r;

	while ((r = cuv_nix_wire_u64(w, &kind)) == 0) {
		switch (kind) {
		case MESSAGE_LAST:
			return 0;
		case MESSAGE_ERROR:
			return read_error(w, &text, log);
		case MESSAGE_TEXT:
			r = cuv_nix_wire_string(w, &text);
			if (r == 0)
				cuv_nix_log_line(log, cuv_buf_str(&text));
			break;
		case MESSAGE_START:
			r = read_start(w, &text);
			break;
		case MESSAGE_STOP:
			r = skip_numbers(w, 1);
			break;
		case MESSAGE_RESULT:
			r = read_result(w, &text, log);
			break;
		default:
			return -EPROTO;
		}
		if (r < 0)
			return r;
	}
	return r;
}

/* --- requests --- */

void cuv_nix_put_u64(struct cuv_buf *b, uint64_t value)
{
	uint64_t raw = htole64(value);

	cuv_buf_add(b, &raw, sizeof(raw));
}

void cuv_nix_put_string(struct cuv_buf *b, const char *s, size_t len)
{
	static const char zeros[8];

	cuv_nix_put_u64(b, len);
	cuv_buf_add(b, s, len);
	cuv_buf_add(b, zeros, (8 - len % 8) % 8);
}
