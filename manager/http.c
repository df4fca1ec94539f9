/* SPDX-License-Identifier: MIT */
#include "manager/http.h"

#include "lib/base/clock.h"
#include "manager/answer.h"
#include "manager/budget.h"
#include "manager/json_write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 16384
/* A body must come in faster than this, after a grace, all the time: what came faster before is
 * remembered for a while only, or who sends much at once could keep it here for minutes. */
#define BODY_RATE 8192u /* bytes a second */
#define BODY_GRACE_MS 6000u
#define BODY_WINDOW_MS 10000u
#define BODY_TOTAL_MS 300000u
/* The same for answers, which leave by the kernel's buffer. */
#define REPLY_RATE 65536u
#define REPLY_GRACE_MS 10000u
/* An origin of ALLOWED_ORIGINS and what stands around it; a longer one tells browsers nothing. */
#define ORIGIN_LINES_SIZE 1024
#define FILE_PIECE (128u * 1024u)
/* How long a refused upload is read and thrown away. */
#define DRAIN_TOTAL_MS 5000u
#define DRAIN_IDLE_MS 1000u
/* Of an answer that has no body, nor headers that speak of one. */
#define NO_CONTENT 204
#define DRAIN_BYTES_MAX (256ull << 20)

const struct cuv_http_errors cuv_http_errors = {cuv_error_http_status, cuv_answer_error};

static bool is_peer(int fd, const struct mg_request_info *info)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	char text[INET_ADDRSTRLEN];

	if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0 || peer.sin_family != AF_INET)
		return false;
	return ntohs(peer.sin_port) == info->remote_port && inet_ntop(AF_INET, &peer.sin_addr, text, sizeof(text)) &&
	       strcmp(text, info->remote_addr) == 0;
}

int cuv_http_find_fd(const struct mg_request_info *info, int fd_max, bool any_address)
{
	int fd, found = -ENOTCONN;

	for (fd = 3; fd < fd_max; fd++) {
		if (!is_peer(fd, info))
			continue;
		if (!any_address)
			return fd;
		if (found >= 0)
			return -ENOTUNIQ;
		found = fd;
	}
	return found;
}

void cuv_http_init(struct cuv_http *h, struct mg_connection *conn, struct cuv_watch *watch, int fd)
{
	*h = (struct cuv_http){.conn = conn,
			       .info = mg_get_request_info(conn),
			       .errors = &cuv_http_errors,
			       .watch = watch,
			       .fd = fd,
			       .start_ns = cuv_now_ns()};
	cuv_random_id(h->request_id);
	h->slot = cuv_watch_enter(watch, fd);
}

/* Closing a socket with unread bytes in it resets the connection, and the
 * answer may be lost with it. So the other side is told that we are done, and
 * gets a moment to notice. */
static void drain(struct cuv_http *h)
{
	uint64_t deadline = cuv_deadline_ms(DRAIN_TOTAL_MS), bytes = 0;
	char buf[READ_SIZE];

	(void)shutdown(h->fd, SHUT_WR);
	while (bytes < DRAIN_BYTES_MAX) {
		struct pollfd p = {.fd = h->fd, .events = POLLIN};
		int wait_ms = CUV_MIN(cuv_deadline_poll_ms(deadline), (int)DRAIN_IDLE_MS);
		ssize_t n;

		if (wait_ms <= 0 || poll(&p, 1, wait_ms) <= 0)
			return;
		n = recv(h->fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			return;
		bytes += (uint64_t)n;
	}
}

void cuv_http_done(struct cuv_http *h)
{
	if (!h->body_done && h->head.body != CUV_BODY_NONE && h->status != 0)
		drain(h);
	cuv_watch_leave(h->watch, h->slot);
}

static int ended_early(struct cuv_http *h, uint64_t last_ns, struct cuv_error *err)
{
	/* civetweb gives up by itself when nothing at all has come in for a while. */
	bool stalled = cuv_now_ns() - last_ns >= (CUV_HTTP_STALL_MS - 500) * CUV_NS_PER_MS;

	if (stalled || cuv_watch_was_cut(h->watch, h->slot))
		return cuv_error_set(err, CUV_E_REQUEST_TIMEOUT,
				     "the body came in too slowly, %llu bytes in %llu s: it has to come at %u bytes a "
				     "second all the time, and be there after %u s",
				     (unsigned long long)h->body_bytes,
				     (unsigned long long)((cuv_now_ns() - h->start_ns) / CUV_NS_PER_S), BODY_RATE,
				     BODY_TOTAL_MS / 1000);
	if (h->head.body == CUV_BODY_CHUNKED)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "the chunked body is not well-formed or ends too early");
	return cuv_error_set(err, CUV_E_BAD_REQUEST, "the body ends after %llu of %llu bytes",
			     (unsigned long long)h->body_bytes, (unsigned long long)h->head.length);
}

/* Until when it is enough that these bytes more have come now. */
static uint64_t enough_until(uint64_t until_ns, uint64_t now_ns, uint64_t bytes)
{
	return CUV_MIN(until_ns + bytes * CUV_NS_PER_S / BODY_RATE, now_ns + BODY_WINDOW_MS * CUV_NS_PER_MS);
}

/* By then the next READ_SIZE bytes must be there, which are given all at once. */
static void set_body_deadline(struct cuv_http *h, uint64_t until_ns)
{
	cuv_watch_set(
		h->watch, h->slot,
		CUV_MIN(until_ns + READ_SIZE * CUV_NS_PER_S / BODY_RATE, h->start_ns + BODY_TOTAL_MS * CUV_NS_PER_MS),
		SHUT_RD);
}

int cuv_http_read_body(struct cuv_http *h, uint64_t max_bytes,
		       int (*take)(void *arg, const char *data, size_t len, struct cuv_error *err), void *arg,
		       struct cuv_error *err)
{
	static const char proceed[] = "HTTP/1.1 100 Continue\r\n\r\n";
	/* Not on the stack, whose pages the thread would keep while its client waits. */
	_cleanup_free_ char *buf = NULL;
	uint64_t last_ns = cuv_now_ns(), until_ns = h->start_ns + BODY_GRACE_MS * CUV_NS_PER_MS;
	int r = 0;

	if (h->head.body == CUV_BODY_LENGTH && h->head.length > max_bytes)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the body has %llu bytes, at most %llu are taken",
				     (unsigned long long)h->head.length, (unsigned long long)max_bytes);
	buf = malloc(READ_SIZE);
	if (!buf)
		return cuv_budget_exhausted(err, "request");
	set_body_deadline(h, until_ns);
	if (h->head.expect_continue)
		mg_write(h->conn, proceed, sizeof(proceed) - 1);
	while (h->head.body != CUV_BODY_LENGTH || h->body_bytes < h->head.length) {
		int n = mg_read(h->conn, buf, READ_SIZE);

		/* 0 is the end of a chunked body, and of a client that went away */
		h->body_done = n == 0 && h->head.body == CUV_BODY_CHUNKED;
		if (h->body_done)
			break;
		if (n <= 0)
			return ended_early(h, last_ns, err);
		last_ns = cuv_now_ns();
		h->body_bytes += (uint64_t)n;
		if (h->body_bytes > max_bytes)
			return cuv_error_set(err, CUV_E_TOO_LARGE, "the body is larger than %llu bytes",
					     (unsigned long long)max_bytes);
		r = take(arg, buf, (size_t)n, err);
		if (r < 0)
			return r;
		/* A read that was cut off still gives what had come before. */
		if (cuv_watch_was_cut(h->watch, h->slot))
			return ended_early(h, last_ns, err);
		until_ns = enough_until(until_ns, last_ns, (uint64_t)n);
		set_body_deadline(h, until_ns);
	}
	h->body_done = true;
	cuv_watch_set(h->watch, h->slot, CUV_NEVER, SHUT_RD);
	return 0;
}

static bool send_bytes(struct cuv_http *h, const void *data, size_t len)
{
	int n;

	if (len == 0)
		return true;
	n = mg_write(h->conn, data, len);
	if (n > 0)
		h->sent_bytes += (uint64_t)n;
	if (n >= 0 && (size_t)n == len)
		return true;
	/* Only the connection's end can say that this is not all. */
	mg_disable_connection_keep_alive(h->conn);
	(void)shutdown(h->fd, SHUT_RDWR);
	return false;
}

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} reasons[] = {
		{200, "OK"},
		{202, "Accepted"},
		{204, "No Content"},
		{206, "Partial Content"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{408, "Request Timeout"},
		{411, "Length Required"},
		{413, "Content Too Large"},
		{415, "Unsupported Media Type"},
		{416, "Range Not Satisfiable"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{503, "Service Unavailable"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Internal Server Error";
}

/* Status line and headers, ready to send in front of len bytes of body. UNKNOWN: they go
 * on until the connection ends. */
#define UNKNOWN SIZE_MAX
static int build_head(struct cuv_http *h, int status, const char *headers, const char *content_type, size_t len,
		      struct cuv_buf *out)
{
	char origin[ORIGIN_LINES_SIZE] = "";
	bool keep = h->head.keep_alive && len != UNKNOWN && (h->body_done || h->head.body == CUV_BODY_NONE);

	if (!keep)
		mg_disable_connection_keep_alive(h->conn);
	h->status = status;
	if (h->allow_origin)
		(void)snprintf(origin, sizeof(origin),
			       "Access-Control-Allow-Origin: %s\r\nVary: Origin\r\n"
			       "Access-Control-Expose-Headers: X-Request-Id, Retry-After\r\n",
			       h->allow_origin);
	cuv_buf_addf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
	if (status != NO_CONTENT)
		cuv_buf_addf(out, "Content-Type: %s\r\n", content_type);
	if (status != NO_CONTENT && len != UNKNOWN)
		cuv_buf_addf(out, "Content-Length: %zu\r\n", len);
	cuv_buf_addf(out,
		     "X-Request-Id: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		     "Connection: %s\r\n%s%s\r\n",
		     h->request_id, keep ? "keep-alive" : "close", origin, headers ? headers : "");
	if (len != UNKNOWN)
		cuv_watch_set(h->watch, h->slot, cuv_deadline_ms(REPLY_GRACE_MS + (uint64_t)len * 1000 / REPLY_RATE),
			      SHUT_RDWR);
	return cuv_buf_err(out);
}

void cuv_http_reply(struct cuv_http *h, int status, const char *headers, const char *content_type, const char *body,
		    size_t len)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4096 + len);

	if (build_head(h, status, headers, content_type, len, &out) < 0)
		return;
	if (!h->head.is_head)
		cuv_buf_add(&out, body, len);
	if (cuv_buf_err(&out) == 0)
		send_bytes(h, out.data, out.len);
}

void cuv_http_reply_file(struct cuv_http *h, int status, const char *headers, const char *content_type, int fd,
			 uint64_t first, uint64_t len)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4096);
	_cleanup_free_ char *piece = malloc(FILE_PIECE);
	uint64_t at = first;

	if (!piece || build_head(h, status, headers, content_type, len, &out) < 0 || !send_bytes(h, out.data, out.len))
		return;
	while (!h->head.is_head && at < first + len) {
		ssize_t n = pread(fd, piece, CUV_MIN(first + len - at, (uint64_t)FILE_PIECE), (off_t)at);

		/* Less than was promised: only the connection's end can say so. */
		if (n <= 0)
			(void)shutdown(h->fd, SHUT_RDWR);
		if (n <= 0 || !send_bytes(h, piece, (size_t)n))
			return;
		at += (uint64_t)n;
	}
}

void cuv_http_reply_parts(struct cuv_http *h, int status, const char *headers, const char *content_type,
			  const struct iovec *parts, size_t n)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4096);
	size_t i, len = 0;

	for (i = 0; i < n; i++)
		len += parts[i].iov_len;
	if (build_head(h, status, headers, content_type, len, &out) < 0 || !send_bytes(h, out.data, out.len))
		return;
	for (i = 0; !h->head.is_head && i < n; i++)
		if (!send_bytes(h, parts[i].iov_base, parts[i].iov_len))
			return;
}

bool cuv_http_begin(struct cuv_http *h, int status, const char *headers, const char *content_type)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(4096);

	if (build_head(h, status, headers, content_type, UNKNOWN, &out) < 0)
		return false;
	return cuv_http_send(h, out.data, out.len);
}

bool cuv_http_send(struct cuv_http *h, const void *data, size_t len)
{
	bool sent;

	cuv_watch_set(h->watch, h->slot, cuv_deadline_ms(REPLY_GRACE_MS + (uint64_t)len * 1000 / REPLY_RATE),
		      SHUT_RDWR);
	sent = send_bytes(h, data, len) && !cuv_watch_was_cut(h->watch, h->slot);
	cuv_watch_set(h->watch, h->slot, CUV_NEVER, SHUT_RDWR);
	return sent;
}

bool cuv_http_is_gone(const struct cuv_http *h)
{
	struct pollfd p = {.fd = h->fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) > 0;
}

/* A large document is not put together in memory once more. */
#define REPLY_WHOLE_MAX 65536
/* Most are not longer than this. */
#define REPLY_MOST 8192
#define JSON_FLAGS (JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9))

struct pieces {
	struct cuv_http *h;
	struct cuv_buf buf;
};

static int send_piece(const char *data, size_t len, void *arg)
{
	struct pieces *p = arg;

	if (p->buf.len + len > READ_SIZE) {
		if (!send_bytes(p->h, p->buf.data, p->buf.len))
			return -1;
		cuv_buf_reset(&p->buf);
	}
	if (len > READ_SIZE)
		return send_bytes(p->h, data, len) ? 0 : -1;
	return cuv_buf_add(&p->buf, data, len);
}

static void stream_json(struct cuv_http *h, int status, const char *headers, const json_t *value, size_t len)
{
	struct pieces p = {.h = h, .buf = CUV_BUF_INIT(READ_SIZE + 4096)};

	if (build_head(h, status, headers, "application/json", len, &p.buf) == 0 &&
	    (h->head.is_head || json_dump_callback(value, send_piece, &p, JSON_FLAGS) == 0))
		send_bytes(h, p.buf.data, p.buf.len);
	cuv_buf_done(&p.buf);
}

void cuv_http_reply_json(struct cuv_http *h, int status, const char *headers, const json_t *value)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(REPLY_WHOLE_MAX);
	size_t len;

	(void)cuv_buf_room(&text, REPLY_MOST);
	if (cuv_json_add(&text, value) == 0) {
		cuv_http_reply(h, status, headers, "application/json", cuv_buf_str(&text), text.len);
		return;
	}
	cuv_buf_done(&text);
	len = json_dumpb(value, NULL, 0, JSON_FLAGS);
	if (len > 0)
		stream_json(h, status, headers, value, len);
	else
		mg_disable_connection_keep_alive(h->conn);
}

void cuv_http_reply_error(struct cuv_http *h, const struct cuv_error *err, const char *allow)
{
	int status = h->errors->status(err->code);
	_cleanup_buf_ struct cuv_buf headers = CUV_BUF_INIT(512);
	json_t *body = h->errors->body(err, h->request_id);

	h->code = err->code;
	if (status == 503 || status == 429)
		cuv_buf_addf(&headers, "Retry-After: %u\r\n", err->retry_after_s ? err->retry_after_s : 5);
	if (status == 401)
		cuv_buf_addf(&headers, "WWW-Authenticate: %s realm=\"cuvette\"\r\n", h->basic ? "Basic" : "Bearer");
	if (status == 405 && allow)
		cuv_buf_addf(&headers, "Allow: %s\r\n", allow);
	if (body)
		cuv_http_reply_json(h, status, cuv_buf_str(&headers), body);
	else
		mg_disable_connection_keep_alive(h->conn);
	json_decref(body);
}
