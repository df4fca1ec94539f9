/* SPDX-License-Identifier: MIT */
#include "cli/tend.h"

#include "cli/command.h"
#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define READY_MS 30000
/* What a dead launcher leaves (keepers that die with it, the lock on its control
 * groups) is gone within milliseconds. */
#define PAUSE_MS_MIN 50
#define PAUSE_MS_MAX 5000
/* After so many, who asks for the part is not kept waiting for it. */
#define FAILURES_PATIENT 1
/* One that worked for so long has got over what made it fail. */
#define SOUND_MS 1000
#define REAP_MS 1000

enum phase { PHASE_UP, PHASE_STARTING, PHASE_DOWN };

struct part {
	enum phase phase;
	uint64_t at_ns; /* UP: since; STARTING: its deadline; DOWN: when to start it */
	unsigned failures;
};

struct tend {
	const struct cuv_crew_spec *spec;
	struct cuv_crew *crew;
	struct part part[_CUV_ROLE_MAX];
};

static const char *const names[_CUV_ROLE_MAX] = {
	[CUV_ROLE_LAUNCHER] = "launcher", [CUV_ROLE_BUILDER] = "builder", [CUV_ROLE_MANAGER] = "manager"};

uint64_t cuv_tend_pause_ms(unsigned failures)
{
	uint64_t ms = PAUSE_MS_MIN;

	while (failures-- > 0 && ms < PAUSE_MS_MAX)
		ms *= 2;
	return CUV_MIN(ms, (uint64_t)PAUSE_MS_MAX);
}

static void set_down(struct part *p)
{
	p->phase = PHASE_DOWN;
	p->at_ns = cuv_deadline_ms(cuv_tend_pause_ms(p->failures));
	p->failures++;
}

/* A manager that has been taken over can shut the sockets that outlive it: then
 * its successor and the worker get new ones. */
static void renew_joints(struct tend *t)
{
	enum cuv_role role;

	for (role = 0; role < CUV_JOINTS; role++) {
		struct cuv_joint *j = &t->crew->joint[role];
		struct pollfd p = {.fd = j->client, .events = POLLRDHUP};

		if (poll(&p, 1, 0) <= 0)
			continue;
		j->client = cuv_close(j->client);
		j->worker = cuv_close(j->worker);
		(void)cuv_joint_pair(j); /* else when the worker is started */
		if (t->crew->member[role].pid > 0)
			(void)kill(t->crew->member[role].pid, SIGKILL);
		/* The builder has the launcher's client end, too. */
		if (role == CUV_ROLE_LAUNCHER && t->crew->member[CUV_ROLE_BUILDER].pid > 0)
			(void)kill(t->crew->member[CUV_ROLE_BUILDER].pid, SIGKILL);
	}
}

static void could_not_start(struct tend *t, enum cuv_role role, const struct cuv_error *err)
{
	(void)cuv_daemon_reap(&t->crew->member[role], 0, -1); /* kills it, where there is one */
	set_down(&t->part[role]);
	if (role == CUV_ROLE_MANAGER)
		renew_joints(t);
	cuv_say_error(err, NULL);
}

static void start_again(struct tend *t, enum cuv_role role)
{
	struct cuv_error err;

	if (cuv_crew_start_again(t->spec, t->crew, role, &err) < 0)
		could_not_start(t, role, &err);
	else
		t->part[role] = (struct part){PHASE_STARTING, cuv_deadline_ms(READY_MS), t->part[role].failures};
}

static void ended(struct tend *t, enum cuv_role role)
{
	struct part *p = &t->part[role];
	char how[CUV_WAIT_TEXT_SIZE];

	cuv_wait_text(cuv_daemon_reap(&t->crew->member[role], cuv_deadline_ms(REAP_MS), -1), how);
	if (cuv_now_ns() >= p->at_ns + SOUND_MS * CUV_NS_PER_MS)
		p->failures = 0;
	set_down(p);
	if (role == CUV_ROLE_MANAGER)
		renew_joints(t);
	cuv_say("the %s ended unexpectedly (%s); starting it again", names[role], how);
}

/* It said something, or ended, before it was ready. */
static void take(struct tend *t, enum cuv_role role)
{
	struct cuv_error err = CUV_ERROR_INIT;
	int r = cuv_daemon_take(&t->crew->member[role], &err);

	if (r < 0) {
		could_not_start(t, role, &err);
	} else if (r > 0) {
		t->part[role].phase = PHASE_UP;
		t->part[role].at_ns = cuv_now_ns();
		cuv_say("the %s is ready again", names[role]);
	}
}

static void check_clock(struct tend *t, enum cuv_role role)
{
	struct part *p = &t->part[role];
	struct cuv_error err;

	if (p->phase == PHASE_UP || cuv_now_ns() < p->at_ns)
		return;
	if (p->phase == PHASE_DOWN) {
		start_again(t, role);
		return;
	}
	cuv_error_set(&err, CUV_E_UNAVAILABLE, "the %s was not ready in time", names[role]);
	could_not_start(t, role, &err);
}

/* Without a buffer for them the kernel drops the descriptors, and not a byte is read.
 * A manager that has been taken over can send faster than this receives, and the
 * other parts and signals are to be seen to as well. */
void cuv_tend_turn_away(const struct cuv_joint *j)
{
	unsigned n = 0;
	int fd;

	while (n < CUV_TEND_TURNED_AWAY_MAX && recv(j->worker, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) > 0)
		n++;
	fd = j->listener < 0 ? -1 : accept4(j->listener, NULL, NULL, SOCK_CLOEXEC);
	cuv_close(fd);
}

enum { P_END, P_CONTROL, P_WORKER, P_LISTENER, P_N };

/* What a part says once it is ready, nobody reads: clients' words end there. */
static void fill_poll(const struct tend *t, enum cuv_role role, struct pollfd p[P_N])
{
	const struct cuv_daemon *d = &t->crew->member[role];
	const struct part *part = &t->part[role];
	const bool starting = part->phase == PHASE_STARTING;
	const bool away = part->phase != PHASE_UP && part->failures > FAILURES_PATIENT && role < CUV_JOINTS;

	p[P_END] = (struct pollfd){.fd = d->pidfd, .events = POLLIN};
	p[P_CONTROL] = (struct pollfd){.fd = starting ? d->control : -1, .events = POLLIN};
	p[P_WORKER] = (struct pollfd){.fd = away ? t->crew->joint[role].worker : -1, .events = POLLIN};
	p[P_LISTENER] = (struct pollfd){.fd = away ? t->crew->joint[role].listener : -1, .events = POLLIN};
}

static void look_after(struct tend *t, enum cuv_role role, const struct pollfd p[P_N])
{
	if (p[P_WORKER].revents || p[P_LISTENER].revents)
		cuv_tend_turn_away(&t->crew->joint[role]);
	if (t->part[role].phase == PHASE_UP && p[P_END].revents)
		ended(t, role);
	else if (t->part[role].phase == PHASE_STARTING && (p[P_END].revents || p[P_CONTROL].revents))
		take(t, role);
	check_clock(t, role);
}

int cuv_tend(const struct cuv_crew_spec *spec, struct cuv_crew *crew, int signals, int *ret_signal)
{
	struct tend t = {.spec = spec, .crew = crew};
	enum cuv_role role;

	for (role = 0; role < _CUV_ROLE_MAX; role++)
		t.part[role] = (struct part){PHASE_UP, cuv_now_ns(), 0};
	for (;;) {
		struct pollfd p[1 + P_N * _CUV_ROLE_MAX] = {{.fd = signals, .events = POLLIN}};
		struct signalfd_siginfo si;
		uint64_t next = CUV_NEVER;

		for (role = 0; role < _CUV_ROLE_MAX; role++) {
			fill_poll(&t, role, &p[1 + P_N * role]);
			if (t.part[role].phase != PHASE_UP)
				next = CUV_MIN(next, t.part[role].at_ns);
		}
		if (poll(p, ARRAY_SIZE(p), cuv_deadline_poll_ms(next)) < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (p[0].revents && read(signals, &si, sizeof(si)) == sizeof(si)) {
			*ret_signal = (int)si.ssi_signo;
			return 0;
		}
		for (role = 0; role < _CUV_ROLE_MAX; role++)
			look_after(&t, role, &p[1 + P_N * role]);
	}
}
