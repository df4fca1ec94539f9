/* SPDX-License-Identifier: MIT */
/* The keeper of a zygote: makes its box, looks after it, and tells the launcher.
 * It never reads a byte of the zygote's; what it knows it knows from the box maker
 * and from the cgroup. */
#include "worker-image/launcher/keeper.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "worker-image/launcher/fdmsg.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOOK_MS 5000
#define PROCESSES_IMPORT_MS 100
#define PROCESSES_WARM_MS 1000
#define UNANSWERED_MAX 4 /* a box maker that hangs holds up whoever asks it for a box */
#define LEAVE_MS 2000
/* More CPU time than forking takes is foreign code at work between the runs. */
#define IDLE_CPU_NS (500 * CUV_NS_PER_MS) /* in LOOK_MS */
#define FORK_CPU_NS (25 * CUV_NS_PER_MS)  /* a fork with pandas imported takes 4, with what makes its box */

struct zygote_keeper {
	struct cuv_keeper k;
	bool warm;
	uint64_t look_ns;
	uint64_t cpu_ns; /* at the last look */
	uint32_t forks;
	unsigned unanswered;   /* looks */
	uint64_t processes_ns; /* when to look whether there are too many */
	uint64_t refused;      /* processes in this slot, at the last look: it may have been another's */
};

static void tell(const struct zygote_keeper *z, const struct cuv_zygote_news *news)
{
	(void)cuv_fdmsg_send(z->k.seat->orders, news, sizeof(*news), NULL, 0, MSG_DONTWAIT);
}

/* With us dies init, and with that everything. The launcher, which has others to
 * serve, should find the cgroup empty rather than wait for that itself. */
_noreturn_ static void leave(const struct zygote_keeper *z)
{
	struct pollfd p = {.fd = z->k.init_fd, .events = POLLIN};

	if (z->k.init_fd >= 0 && syscall(SYS_pidfd_send_signal, z->k.init_fd, SIGKILL, NULL, 0) == 0)
		(void)poll(&p, 1, LEAVE_MS);
	(void)waitpid(z->k.init, NULL, WNOHANG);
	_exit(CUV_KEEPER_CLEAN);
}

static void tell_over(const struct zygote_keeper *z, const char *why)
{
	struct cuv_zygote_news news = {0};

	snprintf(news.why, sizeof(news.why), "%s", why);
	tell(z, &news);
}

_noreturn_ static void over(const struct zygote_keeper *z, const char *why)
{
	tell_over(z, why);
	leave(z);
}

static uint64_t cpu_used(struct zygote_keeper *z)
{
	struct cuv_cgroup_usage u = {0};

	if (z->k.has_cgroup)
		(void)z->k.seat->cgroups->ops->read_usage(&z->k.cgroup, &u);
	return u.cpu_user_ns + u.cpu_system_ns;
}

static void on_news(struct zygote_keeper *z, const struct cuv_box_event *e)
{
	struct cuv_zygote_news news = {
		.warm = true, .pss_bytes = e->pss_bytes, .imported = e->imported, .failed = e->failed};
	const uint64_t cpu = cpu_used(z);

	if (z->warm && cpu > z->cpu_ns + IDLE_CPU_NS + (e->forks - z->forks) * FORK_CPU_NS)
		over(z, "its packages work while no program runs");
	z->warm = true;
	z->unanswered = 0;
	z->cpu_ns = cpu;
	z->forks = e->forks;
	z->look_ns = cuv_deadline_ms(LOOK_MS);
	tell(z, &news);
}

static void on_status(struct zygote_keeper *z)
{
	struct cuv_fdmsg msg;
	struct cuv_box_event e;
	int r = cuv_fdmsg_recv(z->k.status, &e, sizeof(e), 0, &msg, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return;
	if (r != 0)
		over(z, "it ended");
	switch (e.kind) {
	case CUV_BOX_WARM:
		on_news(z, &e);
		break;
	case CUV_BOX_OVER:
		tell_over(z, e.why);
		z->look_ns = CUV_NEVER; /* its runs go on */
		break;
	case CUV_BOX_FAILED:
		over(z, e.why[0] ? e.why : cuv_stage_text(e.stage));
	case CUV_BOX_ENDED:
	case CUV_BOX_MADE:
	case CUV_BOX_WAITING:
	case CUV_BOX_MOUNTS:
		break;
	}
}

/* There is room for what zygotes and their boxes need. Who goes on for all that holds
 * up everybody: each fork waits for the locks of the files that all pythons have
 * mapped, one after the other. Version 1 tells nobody, so it is looked at. What is refused by a
 * limit around the service is counted too, and nothing that a zygote could help. */
static void look_at_processes(struct zygote_keeper *z)
{
	const uint64_t most = z->k.task.run.limits.value[CUV_LIMIT_PROCESSES];
	uint64_t refused, processes;

	z->processes_ns = cuv_deadline_ms(z->warm ? PROCESSES_WARM_MS : PROCESSES_IMPORT_MS);
	if (!z->k.has_cgroup || cuv_cgroup_slot_processes(&z->k.cgroup, &processes, &refused) < 0) {
		z->processes_ns = CUV_NEVER;
		return;
	}
	if (refused > z->refused && processes >= most / 2)
		over(z, "its packages start more processes than there may be");
	z->refused = refused;
}

static void look(struct zygote_keeper *z)
{
	char ask = 'p';

	z->look_ns = cuv_deadline_ms(LOOK_MS);
	if (z->warm && z->unanswered++ >= UNANSWERED_MAX)
		over(z, "its box maker does not answer");
	if (z->warm)
		(void)send(z->k.status, &ask, sizeof(ask), MSG_DONTWAIT | MSG_NOSIGNAL);
}

_noreturn_ static void serve(struct zygote_keeper *z)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = z->k.seat->orders, .events = 0}, /* the launcher wants no more of it */
			{.fd = z->k.status, .events = POLLIN},
			{.fd = z->k.init_fd, .events = POLLIN},
		};

		if (poll(p, ARRAY_SIZE(p), cuv_deadline_poll_ms(CUV_MIN(z->look_ns, z->processes_ns))) < 0)
			continue; /* EINTR */
		if (p[0].revents)
			leave(z);
		if (p[1].revents)
			on_status(z);
		if (p[2].revents)
			over(z, "it ended");
		if (cuv_now_ns() >= z->processes_ns)
			look_at_processes(z);
		if (cuv_now_ns() >= z->look_ns)
			look(z);
	}
}

void cuv_zygote_keeper_main(const struct cuv_seat *seat, pid_t launcher, const struct cuv_run *run)
{
	struct cuv_error err = CUV_ERROR_INIT;
	struct zygote_keeper z = {.look_ns = CUV_NEVER};
	uint64_t processes;
	int r;

	cuv_keeper_init(&z.k, seat);
	if (cuv_keeper_start(seat, launcher) < 0)
		_exit(CUV_KEEPER_GIVEN_BACK);
	z.k.task.run = *run;
	z.k.task.fds[0] = cuv_memfd("stdin", "", 0);
	z.k.task.n_fds = 1;
	r = cuv_keeper_begin(&z.k, &err);
	if (z.k.has_cgroup)
		(void)cuv_cgroup_slot_processes(&z.k.cgroup, &processes, &z.refused);
	if (r == 0)
		r = cuv_privileges_keep_kill();
	if (r == 0)
		r = cuv_keeper_order(&z.k, &err);
	if (r < 0)
		over(&z, err.message[0] ? err.message : strerror(-r));
	serve(&z);
}
