/* SPDX-License-Identifier: MIT */
/*
 * nthcall: runs a program and makes the n-th system call of some kind fail, in it
 * or in any process that it forks, counted over all of them together.
 *
 *   nthcall FILE -- PROGRAM ARGS…
 *
 * FILE holds a struct order, which whoever drives the test has mapped too: it may
 * be filled in at any time, `armed` last. The call is not made; the caller sees the
 * error. A process that executes another program is left alone from then on.
 *
 * brk has no error: the kernel says where the end is, which has not moved. The C
 * library asks for a mapping then, so that one fails too, as it does without memory.
 * Needed because the launcher is linked statically, and strace counts in each
 * process for itself. Ends as the program ends; x86-64 only.
 */
#include "lib/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_MAX 16
#define TRACED_MAX 4096
#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_EXITKILL)

/* All uint32_t, so that a script can read and write it. */
struct order {
	_Atomic uint32_t armed;	 /* 1: to be done; set to 0 when it is */
	_Atomic uint32_t seen;	 /* calls of the kind since then */
	_Atomic uint32_t hit;	 /* the number of the call that failed, plus one */
	_Atomic uint32_t caller; /* its process */
	uint32_t nth;		 /* from 1 */
	uint32_t error;
	uint32_t n;
	uint32_t call[CALLS_MAX];
};

static struct order *order;
static struct failing {
	pid_t pid;
	struct user_regs_struct before; /* a program counts on its arguments being as they were */
} failing[TRACED_MAX];			/* in the call that is to fail */
static size_t n_failing;
static pid_t after_brk; /* whose next call fails if it is a mapping; 0: nobody's */

static bool is_meant(pid_t pid, uint64_t number)
{
	uint32_t i;

	if (pid == after_brk) {
		after_brk = 0;
		return number == SYS_mmap;
	}
	if (!atomic_load(&order->armed))
		return false;
	for (i = 0; i < order->n && i < CALLS_MAX; i++)
		if (order->call[i] == number)
			return atomic_fetch_add(&order->seen, 1) + 1 == order->nth;
	return false;
}

/* Makes a call of it that does nothing and that every filter allows. */
static void on_entry(pid_t pid, uint64_t number)
{
	struct failing *f = &failing[n_failing];
	struct user_regs_struct regs;

	if (!is_meant(pid, number) || n_failing == TRACED_MAX || ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		return;
	*f = (struct failing){.pid = pid, .before = regs};
	if (number == SYS_brk)
		regs.rdi = 0;
	else
		regs.orig_rax = SYS_getpid;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0)
		return;
	n_failing++;
	atomic_store(&order->caller, (uint32_t)pid);
	atomic_store(&order->hit, (uint32_t)number + 1);
	atomic_store(&order->armed, 0);
}

static void on_exit_of_call(pid_t pid)
{
	struct user_regs_struct regs, before;
	size_t i;

	for (i = 0; i < n_failing && failing[i].pid != pid; i++)
		;
	if (i == n_failing)
		return;
	before = failing[i].before;
	failing[i] = failing[--n_failing];
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		return;
	if (before.orig_rax == SYS_brk) {
		regs.rdi = before.rdi;
		after_brk = pid;
	} else {
		regs.rax = (uint64_t) - (int64_t)order->error;
	}
	(void)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static void on_call(pid_t pid)
{
	struct __ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(pid, info.entry.nr);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of_call(pid);
}

/* One stop of one process; it goes on afterwards. */
static void on_stop(pid_t pid, int status, bool *executed)
{
	const int signal_number = WSTOPSIG(status), event = status >> 16;
	int pass = 0;

	if (signal_number == (SIGTRAP | 0x80)) {
		on_call(pid);
	} else if (event == PTRACE_EVENT_EXEC) {
		if (*executed) {
			(void)ptrace(PTRACE_DETACH, pid, NULL, 0);
			return;
		}
		*executed = true;
	} else if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP) {
		(void)ptrace(PTRACE_LISTEN, pid, NULL, 0);
		return;
	} else if (event == 0) {
		pass = signal_number;
	}
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, pass);
}

static int follow(pid_t program)
{
	bool executed = false;

	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return 1;
		if (WIFSTOPPED(status))
			on_stop(pid, status, &executed);
		else if (pid == program)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

static _noreturn_ void fail(const char *what)
{
	fprintf(stderr, "nthcall: %s: %s\n", what, strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	int fd = argc > 3 && strcmp(argv[2], "--") == 0 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1, status;
	pid_t self = getpid(), pid;

	if (fd < 0)
		fail("usage: nthcall FILE -- PROGRAM ARGS...");
	order = mmap(NULL, sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (order == MAP_FAILED)
		fail("mmap");
	(void)close(fd);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail("prctl");
	pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		/* The launcher hangs on its control socket and, by this, on us. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != self || raise(SIGSTOP) != 0)
			_exit(127);
		execv(argv[3], argv + 3);
		fail(argv[3]);
	}
	/* A copy of a control socket here would hide that the other end hangs up. */
	if (close_range(3, ~0u, 0) < 0)
		fail("close_range");
	(void)signal(SIGTERM, SIG_IGN); /* it hears of the end by its control socket */
	while (waitpid(pid, &status, WUNTRACED) < 0 && errno == EINTR)
		;
	if (ptrace(PTRACE_SEIZE, pid, NULL, OPTIONS) < 0 || kill(pid, SIGCONT) < 0)
		fail("ptrace");
	return follow(pid);
}
