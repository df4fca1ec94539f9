/* SPDX-License-Identifier: MIT */
/* How a run ended, as the client is told. */
#include "worker-image/launcher/watch.h"

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "worker-image/launcher/collect.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define DELIVER_MS 20000 /* for a slow client to take what is left */

enum cuv_run_status cuv_outcome_status(const struct cuv_outcome *o, bool *ret_cpu_timeout)
{
	*ret_cpu_timeout = false;
	/* Also where a child was its victim, and whatever came of it. */
	if (o->cause == CUV_CAUSE_OOM || o->oom)
		return CUV_RUN_OUT_OF_MEMORY;
	*ret_cpu_timeout = o->cause == CUV_CAUSE_CPU;
	if (o->cause == CUV_CAUSE_WALL || o->cause == CUV_CAUSE_CPU)
		return CUV_RUN_TIMEOUT;
	if (o->truncated)
		return CUV_RUN_OUTPUT_LIMIT;
	if (WIFSIGNALED(o->wait_status)) {
		/* RLIMIT_CPU strikes as SIGKILL too. */
		*ret_cpu_timeout = WTERMSIG(o->wait_status) == SIGKILL && o->cpu_ns >= o->cpu_limit_ns;
		return *ret_cpu_timeout ? CUV_RUN_TIMEOUT : CUV_RUN_KILLED;
	}
	return WEXITSTATUS(o->wait_status) == 0 ? CUV_RUN_SUCCESS : CUV_RUN_ERROR;
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * CUV_NS_PER_S + (uint64_t)t.tv_usec * 1000;
}

static void make_result(const struct cuv_watch *w, const struct cuv_cgroup_usage *used, struct cuv_run_result *ret)
{
	const struct rusage *all = &w->init_usage; /* init waited for everything */
	const unsigned have = w->k->seat->cgroups->controllers;
	const uint64_t started = cuv_watch_started_ns(w);
	struct cuv_cgroup_usage u = *used;
	struct cuv_run_result m = {0};
	/* One that had printed too much before anybody read it would have been killed for it. */
	const bool by_itself = w->cause == CUV_CAUSE_ENDED && !cuv_pump_truncated(&w->k->pump);
	const int wait_status = by_itself ? w->ended.wait_status : SIGKILL;
	struct cuv_outcome o = {
		.cause = w->cause,
		.wait_status = wait_status,
		.truncated = cuv_pump_truncated(&w->k->pump),
		.cpu_limit_ns = cuv_limits_cpu_ms(&w->k->task.run.limits) * CUV_NS_PER_MS,
	};

	if (!(have & CUV_CG_CPUACCT)) {
		u.cpu_user_ns = timeval_ns(all->ru_utime);
		u.cpu_system_ns = timeval_ns(all->ru_stime);
	}
	if (!(have & CUV_CG_MEMORY))
		u.memory_peak_bytes =
			(uint64_t)(w->cause == CUV_CAUSE_ENDED ? w->ended.usage.ru_maxrss : all->ru_maxrss) * 1024;
	o.oom = u.oom_kills > 0;
	o.cpu_ns = u.cpu_user_ns + u.cpu_system_ns;
	m.status = cuv_outcome_status(&o, &m.cpu_timeout);
	m.path = w->k->path;
	memcpy(m.why_cold, w->k->task.why_cold, sizeof(m.why_cold));
	m.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	m.exit_code = m.signal ? 128 + m.signal : WEXITSTATUS(wait_status);
	m.wall_ns = started && w->end_ns > started ? w->end_ns - started : 0;
	m.cpu_user_ns = u.cpu_user_ns;
	m.cpu_system_ns = u.cpu_system_ns;
	m.max_memory_bytes = u.memory_peak_bytes;
	m.stdout_truncated = w->k->pump.stream[0].truncated;
	m.stderr_truncated = w->k->pump.stream[1].truncated;
	*ret = m;
}

static void log_end(const struct cuv_watch *w, const char *status, const struct cuv_run_result *m)
{
	const struct cuv_task *t = &w->k->task;
	const struct cuv_seat *seat = w->k->seat;
	uint64_t start = cuv_watch_started_ns(w) ? cuv_watch_started_ns(w) : cuv_now_ns();

	if (seat->probe)
		return;
	cuv_log(CUV_LOG_INFO, "run-done", CUV_S("run_id", t->run.run_id), CUV_S("status", status),
		CUV_S("path", cuv_run_path_name(w->k->path)), CUV_I("exit_code", m->exit_code),
		CUV_I("slot", seat->slot), CUV_I("setup_us", (start - t->came_ns) / 1000),
		CUV_I("wall_us", m->wall_ns / 1000), CUV_I("cpu_us", (m->cpu_user_ns + m->cpu_system_ns) / 1000),
		CUV_I("memory_bytes", m->max_memory_bytes), CUV_I("stdout_bytes", w->k->pump.stream[0].sent),
		CUV_I("stderr_bytes", w->k->pump.stream[1].sent));
}

/* Waits until what is held has been sent, or the client is gone. */
static void deliver(struct cuv_pump *p, uint64_t deadline_ns)
{
	while (p->has_pending) {
		struct pollfd s = {.fd = p->session, .events = POLLOUT | POLLRDHUP};
		int n = poll(&s, 1, cuv_deadline_poll_ms(deadline_ns));

		if (n == 0 || (n > 0 && (s.revents & (POLLRDHUP | POLLHUP | POLLERR))))
			cuv_pump_abandon(p);
		cuv_pump_flush(p);
	}
}

/* Sends the last frame, waiting for a slow client within bounds; then the
 * session is over for good, so that nobody can add to it. */
static void send_last(struct cuv_watch *w, struct cuv_writer *last, int fd)
{
	uint64_t deadline = cuv_deadline_ms(DELIVER_MS);

	deliver(&w->k->pump, deadline);
	cuv_pump_send(&w->k->pump, last, fd);
	deliver(&w->k->pump, deadline);
	(void)shutdown(w->k->task.session, SHUT_RDWR);
}

/* The OOM killer took it although it was within its own limit: the host, or a
 * control group around the whole service, had no more. */
static void blame_host(struct cuv_watch *w, const struct cuv_cgroup_usage *used)
{
	if (w->cause == CUV_CAUSE_CANCELLED || used->oom_kills == 0 || used->limit_hits > 0)
		return;
	w->cause = CUV_CAUSE_FAILED;
	(void)cuv_error_set_errno(&w->err, -ENOMEM,
				  "the machine ran out of memory and the run was ended; the request can be sent again");
}

/* Output that is missing must not look like output that there never was. */
static void blame_stream(struct cuv_watch *w)
{
	const int r = w->k->pump.broken;

	if (r == 0 || w->cause == CUV_CAUSE_CANCELLED)
		return;
	w->cause = CUV_CAUSE_FAILED;
	(void)cuv_error_set_errno(&w->err, r, "the run's output could not be read (%s); the request can be sent again",
				  strerror(-r));
}

void cuv_report(struct cuv_watch *w)
{
	struct cuv_cgroup_usage used = {0}; /* of a cgroup that can't be read: nothing is known */
	struct cuv_run_result m = {0};
	struct cuv_writer last;
	int fd;

	(void)cuv_watch_used(w, &used);
	/* Killed, or out of luck, before it could execute anything. */
	if (w->cause == CUV_CAUSE_ENDED && !cuv_watch_started_ns(w) && !w->k->seat->probe) {
		w->cause = CUV_CAUSE_FAILED;
		cuv_error_set(&w->err, CUV_E_INTERNAL,
			      "the run's process died before the program was executed; the request can be sent again");
	}
	blame_host(w, &used);
	blame_stream(w);
	/* A memory limit that is too small even for the start. */
	if (w->cause == CUV_CAUSE_FAILED && !cuv_watch_started_ns(w) && used.oom_kills > 0 && used.limit_hits > 0)
		w->cause = CUV_CAUSE_OOM;
	if (w->cause == CUV_CAUSE_CANCELLED) {
		log_end(w, "cancelled", &m);
		(void)shutdown(w->k->task.session, SHUT_RDWR);
		return;
	}
	if (w->cause == CUV_CAUSE_FAILED) {
		cuv_log(CUV_LOG_ERROR, "run-failed", CUV_S("run_id", w->k->task.run.run_id),
			CUV_S("why", w->err.message), CUV_I("slot", w->k->seat->slot));
		cuv_writer_init(&last, CUV_MSG_FAILURE);
		cuv_failure_put(&last, &w->err);
		send_last(w, &last, -1);
		return;
	}
	make_result(w, &used, &m);
	fd = w->k->task.run.artifacts.n > 0 && !w->lost ? cuv_collect(w->k) : -1;
	m.collected = fd >= 0;
	cuv_writer_init(&last, CUV_MSG_RUN_RESULT);
	cuv_run_result_put(&last, &m);
	send_last(w, &last, fd);
	log_end(w, cuv_run_status_name(m.status), &m);
}
