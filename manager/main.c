/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation. The manager is the only process that reads what clients
 * send, and the one with the least rights. It is started by the supervisor with
 * four descriptors that matter: 3 to the supervisor, 4 to the launcher, 5 to the
 * builder, and 2 for its log. It binds its port, makes all its threads, and
 * then gives up the rest (seal.h): no file but its database and what goes with it, which are open by then,
 * no program, no new connection to anywhere. Jobs reach launcher and builder by socket pairs whose other end it
 * sends over 4 and 5.
 *
 * Threads: one for each client held at once (civetweb's workers; a job runs
 * wholly in the thread of its request), one that accepts, one that cuts off slow
 * clients (watch.h), one for each kept ruff (ruff/pool.h), a few that carry out runs that are answered
 * later (runs.h), and this one, which waits for SIGTERM or for the
 * supervisor's end.
 *
 * Memory is bounded: what is received, what runs print and the answers made of
 * it are charged to one budget (budget.h) before they are kept.
 *
 * At SIGTERM new runs are refused with 503, running ones are answered, then the
 * process ends; at the deadline their connections are cut, which cancels them.
 */
#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "manager/held.h"
#include "manager/openapi.h"
#include "manager/pages.h"
#include "manager/run_lock.h"
#include "manager/seal.h"
#include "manager/server.h"
#include "manager/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SUPERVISOR_FD = 3, LAUNCHER_FD = 4, BUILDER_FD = 5 };

/* A request's connection, its sessions and what is sent over them. */
#define FDS_PER_CLIENT 12
#define FDS_OTHER (64 + 2 * CUV_HELD_MAX)
#define FIRST_ASK_MS 60000
#define ARENAS 4 /* of malloc: many threads, each with little to keep */
/* What is larger has pages of its own, which are there when they are written to and go back when it is
 * freed: room for a frame above all, of which little is used, and which would leave holes. */
#define MMAP_BYTES (64 * 1024)
#define DRAIN_TICK_MS 20
#define CUT_WAIT_MS 2000

/* The server outlives main's frame: its threads run to the very end. */
static struct cuv_server server;
static struct cuv_clients clients;
static struct cuv_backends backends; /* without a store there is a cache alone */

_noreturn_ static void die(const struct cuv_error *err)
{
	cuv_log(CUV_LOG_ERROR, "start-failed", CUV_S("code", cuv_error_name(err->code)),
		CUV_S("message", err->message));
	(void)cuv_failure_send(SUPERVISOR_FD, err);
	_exit(1);
}

static int check_descriptors(struct cuv_error *err)
{
	int fd;

	for (fd = SUPERVISOR_FD; fd <= BUILDER_FD; fd++) {
		int type = 0;
		socklen_t len = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
			return cuv_error_set(err, CUV_E_UNAVAILABLE,
					     "descriptor %d is not a control socket; use `cuvette serve`", fd);
		if (cuv_set_cloexec(fd, true) < 0 || (fd != SUPERVISOR_FD && cuv_set_nonblock(fd, true) < 0))
			return cuv_error_set(err, CUV_E_UNAVAILABLE, "descriptor %d can't be set up", fd);
	}
	return 0;
}

/* Blocks the signals that end the service, in all threads to come. */
static int open_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The two questions without whose answers no run can be served. */
static int ask_first(struct cuv_error *err)
{
	struct cuv_health_state state;

	cuv_health_ask(&server.health, FIRST_ASK_MS);
	cuv_health_get(&server.health, UINT32_MAX, &state);
	if (state.layers_error.code != CUV_E_NONE)
		*err = state.layers_error;
	else if (state.tools_error.code != CUV_E_NONE)
		*err = state.tools_error;
	else if (!cuv_health_is_serving(&state))
		cuv_error_set(err, CUV_E_UNAVAILABLE, "a layer of isolation is missing");
	return err->code == CUV_E_NONE ? 0 : -1;
}

/* Our files are opened as who we shall be: the folder is the manager's own, and root
 * follows no path in it. No thread is there yet. */
static int open_store(const struct cuv_manager_settings *settings, struct cuv_store **ret, struct cuv_error *err)
{
	const bool change = settings->uid != (uid_t)-1;
	int r;

	if (!settings->store)
		return 0;
	if (change && (setgroups(0, NULL) < 0 || setegid(settings->gid) < 0 || seteuid(settings->uid) < 0))
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the manager can't change its ids: %s", strerror(errno));
	(void)umask(0077);
	r = cuv_store_open(settings->store, ret, err);
	if (r == 0)
		r = cuv_backends_open_local(*ret, settings->store, settings->runs_queue, &backends, err);
	if (change && (seteuid(0) < 0 || setegid(0) < 0) && r == 0)
		r = cuv_error_set(err, CUV_E_UNAVAILABLE, "the manager can't change its ids: %s", strerror(errno));
	return r;
}

static int open_access(const struct cuv_manager_settings *settings, struct cuv_error *err)
{
	struct cuv_store *store = NULL; /* to the end of the process */
	int r = cuv_backends_open_cache(&backends, err);

	if (r == 0)
		r = open_store(settings, &store, err);
	if (r == 0)
		r = cuv_clients_init(&clients, settings->api_key, store, err);
	if (r == 0 && cuv_clients_is_open(&clients))
		r = cuv_manager_settings_check_open(settings, err);
	return r;
}

static int start(const struct cuv_manager_settings *settings, struct cuv_error *err)
{
	struct cuv_peers peers = CUV_PEERS_INIT;
	rlim_t descriptors = 0;
	bool landlock = false;
	uint16_t port = 0;
	int r;

	peers.launcher_control = LAUNCHER_FD;
	peers.builder_control = BUILDER_FD;
	cuv_run_lock_allow(settings->lock_kinds);
	r = open_access(settings, err);
	if (r < 0)
		return r;
	cuv_pages_open(settings->pages);
	r = cuv_seal_early((rlim_t)(settings->clients + settings->runs_at_once) * FDS_PER_CLIENT + FDS_OTHER,
			   settings->landlock_may_miss, &descriptors, &landlock, err);
	if (r == 0)
		r = cuv_server_start(&server, settings, &clients, &backends, &peers, landlock, (int)descriptors, &port,
				     err);
	if (r == 0)
		r = cuv_seal_late(settings->uid, settings->gid, err);
	if (r == 0)
		r = ask_first(err);
	if (r < 0)
		return r;
	cuv_server_open(&server);
	if (cuv_listening_send(SUPERVISOR_FD, port) < 0 ||
	    cuv_msg_send_plain(SUPERVISOR_FD, CUV_MSG_READY, NULL, 0) < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the supervisor went away");
	cuv_log(CUV_LOG_INFO, "listening", CUV_S("address", settings->address), CUV_I("port", port),
		CUV_I("clients", settings->clients), CUV_I("descriptors", (int64_t)descriptors),
		CUV_I("landlock", landlock), CUV_I("open", cuv_clients_is_open(&clients)));
	return 0;
}

static bool supervisor_is_gone(void)
{
	struct pollfd p = {.fd = SUPERVISOR_FD, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void drain(uint64_t deadline_ns)
{
	while (cuv_server_active(&server) > 0 && cuv_now_ns() < deadline_ns && !supervisor_is_gone())
		poll(NULL, 0, DRAIN_TICK_MS);
}

static void wait_for_end(int signals, const struct cuv_manager_settings *settings)
{
	struct pollfd p[] = {{.fd = signals, .events = POLLIN}, {.fd = SUPERVISOR_FD, .events = POLLIN}};

	/* The supervisor has nothing to say to us: whatever it is, it is the end. */
	while (poll(p, ARRAY_SIZE(p), -1) <= 0)
		;
	if (p[1].revents)
		return;
	cuv_server_drain(&server);
	cuv_log(CUV_LOG_INFO, "draining", CUV_I("active", cuv_server_active(&server)));
	drain(cuv_deadline_ms(settings->drain_ms));
	if (cuv_server_active(&server) == 0)
		return;
	cuv_log(CUV_LOG_WARNING, "drain-deadline", CUV_I("active", cuv_server_active(&server)));
	cuv_watch_cut_all(&server.watch);
	drain(cuv_deadline_ms(CUT_WAIT_MS));
}

int main(int argc, char **argv)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct cuv_manager_settings settings;
	int signals;

	cuv_log_setup("manager", CUV_LOG_INFO);
	if (cuv_manager_settings_read(argc, argv, &settings, &err) < 0)
		die(&err);
	if (settings.help) {
		fputs(cuv_manager_settings_help(), stdout);
		return 0;
	}
	if (check_descriptors(&err) < 0)
		die(&err);
	signals = open_signals();
	if (sodium_init() < 0 || signals < 0) {
		cuv_error_set(&err, CUV_E_UNAVAILABLE, "the manager can't set itself up: %s", strerror(errno));
		die(&err);
	}
	/* strftime would look for the zone's file each time, and we say UTC only. */
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	cuv_upload_setup();
	cuv_openapi_setup();
	mallopt(M_ARENA_MAX, ARENAS);
	mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
	if (start(&settings, &err) < 0)
		die(&err);
	wait_for_end(signals, &settings);
	cuv_holdings_flush(&server.holdings);
	cuv_log(CUV_LOG_INFO, "stopped", CUV_I("active", cuv_server_active(&server)));
	_exit(0); /* civetweb's threads are still there, and have nothing to lose */
}
