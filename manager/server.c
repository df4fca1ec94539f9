/* SPDX-License-Identifier: MIT */
#include "manager/server.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "manager/accept.h"
#include "manager/metrics.h"
#include "manager/prewarm.h"
#include "manager/runs/runs.h"
#include "manager/sessions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THREADS_WAIT_S 30
#define KEEP_ALIVE "1000"
/* What is listened on until a Unix socket takes its place. */
#define UNIX_STAND_IN "127.0.0.1:0"

static struct cuv_server *server_of(const struct mg_context *ctx)
{
	struct cuv_server *s = mg_get_user_data(ctx);

	cuv_assert(s && s->magic == CUV_SERVER_MAGIC);
	return s;
}

/* --- the gate --- */

void cuv_server_wait_open(struct cuv_server *s)
{
	pthread_mutex_lock(&s->gate_lock);
	while (!s->gate_open)
		pthread_cond_wait(&s->gate_moved, &s->gate_lock);
	pthread_mutex_unlock(&s->gate_lock);
}

static void *on_thread(const struct mg_context *ctx, int type)
{
	struct cuv_server *s = server_of(ctx);

	(void)type;
	pthread_mutex_lock(&s->gate_lock);
	s->threads_ready++;
	pthread_cond_broadcast(&s->gate_moved);
	pthread_mutex_unlock(&s->gate_lock);
	cuv_server_wait_open(s);
	return NULL;
}

/* All workers and the accepting thread have to be there before the seal. */
static int wait_for_threads(struct cuv_server *s)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += THREADS_WAIT_S;
	pthread_mutex_lock(&s->gate_lock);
	while (r == 0 && s->threads_ready < s->settings->clients + 1)
		r = pthread_cond_timedwait(&s->gate_moved, &s->gate_lock, &until);
	pthread_mutex_unlock(&s->gate_lock);
	return -r;
}

void cuv_server_open(struct cuv_server *s)
{
	struct cuv_health_state state;

	cuv_health_get(&s->health, UINT32_MAX, &state);
	cuv_ruff_pool_open(&s->ruff, &s->peers, &state.tools);
	cuv_runs_open(s->runs_later);
	pthread_mutex_lock(&s->gate_lock);
	s->gate_open = true;
	pthread_cond_broadcast(&s->gate_moved);
	pthread_mutex_unlock(&s->gate_lock);
}

/* --- requests --- */

static void log_request(const struct cuv_http *h)
{
	const char *code = h->code == CUV_E_NONE ? "" : cuv_error_name(h->code);
	const uint64_t took_ns = cuv_now_ns() - h->start_ns;
	int fd;

	cuv_metrics_request(h->operation, h->status, h->code, took_ns, h->body_bytes, h->sent_bytes);
	cuv_log(CUV_LOG_INFO, "request", CUV_S("request_id", h->request_id), CUV_S("run_id", h->run_id),
		CUV_S("remote", cuv_accept_is_unix(h->info, &fd) ? "unix" : h->info->remote_addr),
		CUV_S("method", h->head.method ? h->head.method : ""), CUV_S("path", h->head.path),
		CUV_I("status", h->status ? h->status : 499), CUV_S("code", code), CUV_I("bytes_in", h->body_bytes),
		CUV_I("bytes_out", h->sent_bytes), CUV_I("took_us", took_ns / 1000));
}

static int connection_fd(struct cuv_server *s, struct mg_connection *conn)
{
	intptr_t known = (intptr_t)mg_get_user_connection_data(conn);
	const struct mg_request_info *info = mg_get_request_info(conn);
	int fd;

	if (known > 0)
		return (int)known;
	if (!cuv_accept_is_unix(info, &fd))
		fd = cuv_accept_find(info);
	if (fd < 0)
		fd = cuv_http_find_fd(info, s->fd_max, s->any_address);
	if (fd > 0)
		mg_set_user_connection_data(conn, (void *)(intptr_t)fd);
	return fd;
}

/* An answer to what could not be understood: nothing may follow on this
 * connection, and what does is thrown away. */
static void refuse(struct cuv_http *h, const struct cuv_error *err)
{
	h->head.keep_alive = false;
	h->head.body = CUV_BODY_LENGTH;
	h->body_done = false;
	cuv_http_reply_error(h, err, NULL);
}

/* Not in the frame of what waits for a run: an error is large. */
static __attribute__((noinline)) bool read_head(struct cuv_http *h)
{
	struct cuv_error err = CUV_ERROR_INIT;

	if (cuv_http_head_read(h->info, &h->head, &err) == 0)
		return true;
	if (h->info->local_uri_raw)
		cuv_route_words(h, h->info->local_uri_raw);
	refuse(h, &err);
	return false;
}

static int on_request(struct mg_connection *conn)
{
	struct cuv_server *s = server_of(mg_get_context(conn));
	int fd = connection_fd(s, conn);
	struct cuv_http h;

	if (fd < 0) {
		mg_disable_connection_keep_alive(conn);
		return 499;
	}
	atomic_fetch_add(&s->active, 1);
	cuv_http_init(&h, conn, &s->watch, fd);
	if (read_head(&h))
		cuv_route(s, &h);
	if (h.status == 0)
		mg_disable_connection_keep_alive(conn);
	log_request(&h);
	cuv_http_done(&h);
	atomic_fetch_sub(&s->active, 1);
	return h.status ? h.status : 499;
}

/* What civetweb itself could not read. */
static int on_error(struct mg_connection *conn, int status, const char *message)
{
	struct cuv_server *s = server_of(mg_get_context(conn));
	struct cuv_error err = CUV_ERROR_INIT;
	int fd = connection_fd(s, conn);
	struct cuv_http h;

	if (fd < 0)
		return 0;
	atomic_fetch_add(&s->active, 1);
	cuv_http_init(&h, conn, &s->watch, fd);
	if (status == 413)
		cuv_error_set(&err, CUV_E_TOO_LARGE, "the request's head is larger than %d bytes", CUV_HTTP_HEAD_MAX);
	else if (strcmp(message, "Malformed message") == 0)
		cuv_error_set(&err, CUV_E_BAD_REQUEST,
			      "the request's head is not HTTP, larger than %d bytes, or did not come in within %d s",
			      CUV_HTTP_HEAD_MAX, CUV_HTTP_STALL_MS / 1000);
	else
		cuv_error_set(&err, CUV_E_BAD_REQUEST, "the request is not well-formed HTTP/1.1 (%s)", message);
	refuse(&h, &err);
	log_request(&h);
	cuv_http_done(&h);
	atomic_fetch_sub(&s->active, 1);
	return 0;
}

static int on_log(const struct mg_connection *conn, const char *message)
{
	(void)conn;
	cuv_log(CUV_LOG_WARNING, "civetweb", CUV_S("message", message));
	return 1;
}

static int on_access_log(const struct mg_connection *conn, const char *message)
{
	(void)conn;
	(void)message;
	return 1;
}

/* --- starting --- */

static int start_civetweb(struct cuv_server *s, struct cuv_error *err)
{
	static const struct mg_callbacks callbacks = {.begin_request = on_request,
						      .http_error = on_error,
						      .log_message = on_log,
						      .log_access = on_access_log,
						      .init_thread = on_thread};
	char listen[64], threads[16], stall[16], head[16];
	const char *options[] = {"listening_ports",
				 listen,
				 "num_threads",
				 threads,
				 "connection_queue",
				 threads,
				 "request_timeout_ms",
				 stall,
				 "keep_alive_timeout_ms",
				 KEEP_ALIVE,
				 "enable_keep_alive",
				 "yes",
				 "max_request_size",
				 head,
				 "decode_url",
				 "no",
				 "allow_sendfile_call",
				 "no",
				 "enable_directory_listing",
				 "no",
				 "access_control_allow_origin",
				 "",
				 "access_control_allow_methods",
				 "",
				 "access_control_allow_headers",
				 "",
				 NULL};
	struct mg_init_data init = {.callbacks = &callbacks, .user_data = s, .configuration_options = options};
	char text[256] = "";
	struct mg_error_data error = {.text = text, .text_buffer_size = sizeof(text)};

	snprintf(listen, sizeof(listen), "%s:%u%s", s->settings->address, s->settings->port,
		 s->settings->listen_fd >= 0 ? "," UNIX_STAND_IN : "");
	snprintf(threads, sizeof(threads), "%u", s->settings->clients);
	snprintf(stall, sizeof(stall), "%d", CUV_HTTP_STALL_MS);
	snprintf(head, sizeof(head), "%d", CUV_HTTP_HEAD_MAX);
	mg_init_library(MG_FEATURES_DEFAULT);
	s->ctx = mg_start2(&init, &error);
	if (s->ctx)
		return 0;
	return cuv_error_set(err, CUV_E_UNAVAILABLE, "can't listen on %s (%s); is the port taken?", listen, text);
}

/* While no thread waits on a listener. */
static int find_ports(struct cuv_server *s, uint16_t *ret_port, struct cuv_error *err)
{
	const int want = s->settings->listen_fd >= 0 ? 2 : 1;
	struct mg_server_port ports[2];

	if (wait_for_threads(s) < 0 || mg_get_server_ports(s->ctx, want, ports) != want)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the threads did not start; lower --clients (%u)",
				     s->settings->clients);
	*ret_port = (uint16_t)ports[0].port;
	return want == 1 ? 0 : cuv_accept_replace((uint16_t)ports[1].port, s->settings->listen_fd, s->fd_max, err);
}

int cuv_server_start(struct cuv_server *s, const struct cuv_manager_settings *settings, struct cuv_clients *clients,
		     const struct cuv_backends *backends, const struct cuv_peers *peers, bool landlock, int fd_max,
		     uint16_t *ret_port, struct cuv_error *err)
{
	int r;

	*s = (struct cuv_server){.magic = CUV_SERVER_MAGIC,
				 .settings = settings,
				 .clients = clients,
				 .peers = *peers,
				 .start_s = cuv_wall_s(),
				 .fd_max = fd_max,
				 .any_address = strcmp(settings->address, "0.0.0.0") == 0,
				 .runs_max = settings->clients - CUV_MAX(settings->clients / 8, 1u)};
	pthread_mutex_init(&s->gate_lock, NULL);
	pthread_cond_init(&s->gate_moved, NULL);
	cuv_health_init(&s->health, &s->peers, landlock);
	s->peers.held = &s->held;
	s->peers.ruff = settings->lint_servers > 0 ? &s->ruff : NULL;
	cuv_holdings_init(&s->holdings, clients->store);
	cuv_budget_init(&s->budget, settings->memory_bytes);
	cuv_jobe_files_init(&s->jobe_files, backends->cache);
	r = cuv_watch_start(&s->watch, settings->clients);
	if (r == 0)
		r = cuv_held_start(&s->held, &s->peers);
	if (r == 0)
		r = cuv_ruff_pool_start(&s->ruff, settings->lint_servers);
	if (r == 0 && settings->prewarm)
		r = cuv_prewarm_start(s);
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "no thread can be made: %s", strerror(-r));
	if (clients->store)
		r = cuv_sessions_new(clients->store, backends->files, &s->sessions, err);
	if (r == 0)
		r = cuv_runs_start(s, backends, &s->runs_later, err);
	if (r == 0)
		r = start_civetweb(s, err);
	return r < 0 ? r : find_ports(s, ret_port, err);
}

void cuv_server_drain(struct cuv_server *s)
{
	atomic_store(&s->draining, true);
	cuv_runs_drain(s->runs_later);
}

unsigned cuv_server_active(struct cuv_server *s)
{
	return atomic_load(&s->active) + cuv_runs_active(s->runs_later);
}
