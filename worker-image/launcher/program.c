/* SPDX-License-Identifier: MIT */
/*
 * Pid 2 of a box: our code until the exec, and then the program. The order of the
 * steps matters: first into the cgroup, so that all that follows is charged to
 * the run; capabilities go after the last step that needs one, and the filter is
 * loaded then. So it waits for a run with no more rights than that will have.
 * What the run brings is done with the run's own id: files, streams, limits.
 */
#include "worker-image/launcher/box.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "worker-image/launcher/deliver.h"
#include "worker-image/launcher/deterministic.h"
#include "worker-image/launcher/environ.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/rlimits.h"

#include "worker-image/zygote/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_SIGACTION_SIZE 64 /* at least the kernel's struct, on every architecture */

struct program {
	const struct cuv_box *box;
	struct cuv_run run;
	struct cuv_frame order; /* holds the descriptors: stdin, then the files */
	int report, gate;
};

_noreturn_ static void fail(const struct program *p, enum cuv_stage stage, int r)
{
	const struct cuv_program_report m = {.stage = stage, .error = -r};

	(void)cuv_write_all(p->report, &m, sizeof(m));
	_exit(127);
}

static int enter_cgroup(const struct cuv_box *box)
{
	size_t i;

	for (i = 0; i < box->n_procs; i++)
		if (write(box->procs[i], "0", 1) < 0)
			return -errno;
	/* From inside, the slot's cgroup is the root of all. */
	return unshare(CLONE_NEWCGROUP) < 0 ? -errno : 0;
}

static int take_ids(void)
{
	const uid_t id = CUV_BOX_INNER_UID;

	return setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0 ? -errno : 0;
}

/* By the kernel's call: the library's refuses two signals that it uses for itself,
 * and what was ignored by whoever started the service would stay so. */
static void default_signals(void)
{
	static const char dfl[KERNEL_SIGACTION_SIZE]; /* all 0: SIG_DFL, no flags, no mask */
	sigset_t none;
	int s;

	for (s = 1; s < _NSIG; s++)
		(void)syscall(SYS_rt_sigaction, s, dfl, NULL, (size_t)(_NSIG / 8));
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything that needs no run to be known. */
static void get_ready(const struct program *p)
{
	const struct cuv_box *b = p->box;
	const bool zygote = cuv_box_is_zygote(b);
	int keep[6 + CUV_CGROUP_HIERARCHIES_MAX] = {b->order, b->out, b->err, p->report, p->gate, b->zygote}, r;
	size_t i, n = 6;

	for (i = 0; i < b->n_procs; i++)
		keep[n++] = b->procs[i];
	(void)prctl(PR_SET_NAME, "cuvette-program");
	(void)setsid();
	/* Init's end of its socket above all: by its closing the keeper sees init die. */
	r = cuv_close_others(keep, n);
	if (r < 0)
		fail(p, CUV_STAGE_STDIO, r);
	r = enter_cgroup(b);
	if (r < 0)
		fail(p, CUV_STAGE_CGROUP, r);
	r = take_ids();
	if (r < 0)
		fail(p, CUV_STAGE_IDS, r);
	umask(022);
	default_signals();
	/* What init has locked is locked here too. */
	r = zygote ? cuv_privileges_keep_zygote() : cuv_privileges_drop_all();
	if (r < 0)
		fail(p, CUV_STAGE_PRIVILEGES, r);
	r = cuv_seccomp_load(zygote ? &b->host->zygote_filter : &b->host->filter);
	if (r < 0)
		fail(p, CUV_STAGE_SECCOMP, r);
}

static void take_order(struct program *p)
{
	int r = cuv_deliver_receive(p->box->order, &p->order, &p->run);

	if (r == 1)
		_exit(127);
	if (r < 0)
		fail(p, CUV_STAGE_ORDER, r);
}

/* Init opens it twice: when the root is made and the limits are set, and when the
 * host's mounts are gone and init has no rights left. */
static void wait_for_gate(const struct program *p)
{
	char byte;
	ssize_t n;

	do
		n = read(p->gate, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fail(p, CUV_STAGE_ORDER, -errno);
	if (n != 1)
		_exit(127);
}

/* Nothing above the streams but what closes by exec. */
static int connect_streams(const struct program *p)
{
	int keep[] = {p->report, p->gate};
	const int out = p->run.stream ? p->order.fds[0] : p->box->out;

	return cuv_deliver_streams(&p->order, out, p->box->err, keep, ARRAY_SIZE(keep));
}

/* A zygote has nobody to print to and nothing to read but its control socket. */
static int connect_zygote(struct program *p)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC), first_free = CUV_ZYGOTE_CONTROL_FD + 1;
	int keep[3], i;

	p->report = fcntl(p->report, F_DUPFD_CLOEXEC, first_free);
	p->gate = fcntl(p->gate, F_DUPFD_CLOEXEC, first_free);
	keep[0] = CUV_ZYGOTE_CONTROL_FD;
	keep[1] = p->report;
	keep[2] = p->gate;
	if (null < 0 || p->report < 0 || p->gate < 0 || dup2(p->box->zygote, CUV_ZYGOTE_CONTROL_FD) < 0)
		return -errno;
	for (i = 0; i < CUV_ZYGOTE_CONTROL_FD; i++)
		if (dup2(null, i) < 0)
			return -errno;
	i = cuv_set_cloexec(CUV_ZYGOTE_CONTROL_FD, false);
	return i < 0 ? i : cuv_close_others(keep, ARRAY_SIZE(keep));
}

/* A kept program's threads pass each message on from one to the next: as a batch, who is woken
 * waits for who wakes to be done instead of taking its processor away. */
static void be_patient(const struct program *p)
{
	const struct sched_param none = {.sched_priority = 0};

	if (p->run.kept)
		(void)sched_setscheduler(0, SCHED_BATCH, &none);
}

void cuv_program_main(const struct cuv_box *box, int report, int gate)
{
	struct program p = {.box = box, .report = report, .gate = gate};
	struct cuv_strv env = CUV_STRV_INIT;
	int r;

	get_ready(&p);
	take_order(&p);
	if (cuv_environ_build(&p.run, &env) < 0)
		fail(&p, CUV_STAGE_ORDER, -ENOMEM);
	wait_for_gate(&p);
	r = cuv_deliver_files(&p.run, &p.order);
	if (r == 0 && p.run.deterministic)
		r = cuv_deterministic_install();
	if (r < 0)
		fail(&p, CUV_STAGE_FILES, r);
	r = cuv_box_is_zygote(box) ? connect_zygote(&p) : connect_streams(&p);
	if (r < 0)
		fail(&p, CUV_STAGE_STDIO, r);
	/* A zygote's runs set their own, and can't raise what it has. */
	r = cuv_box_is_zygote(box) ? 0 : cuv_rlimits_set(&p.run.limits, box->limit_data);
	if (r < 0)
		fail(&p, CUV_STAGE_RLIMITS, r);
	be_patient(&p);
	wait_for_gate(&p);
	box->shared->started_ns = cuv_now_ns();
	if (box->probe)
		_exit(cuv_probe_inside(box));
	execve(p.run.argv.items[0], p.run.argv.items, env.items);
	fail(&p, CUV_STAGE_EXEC, -errno);
}
