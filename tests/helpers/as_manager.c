/* SPDX-License-Identifier: MIT */
/*
 * Runs system calls *as* a live manager, as whoever took it over could: attaches
 * to one of its threads with ptrace (needs root), makes it execute each call of
 * a list, and looks at what the kernel said. Refused means EPERM, nothing else:
 * a call that fails for another reason did get through.
 *
 *   as_manager PID STATE         every thread for the first call, one for the rest
 *   as_manager --open PID STATE  only opening a file, for a process without seal
 *   as_manager --shut PID FD...  shuts its sockets both ways, which it may
 *
 * Prints TAP, exit status 1 when anything was not refused (or could not be shut). That calls are really
 * made by the other process is shown by getpid, and by --open failing elsewhere.
 */
#include "lib/base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRATCH_BYTES 2048
#define BELOW_STACK 65536 /* far enough from what the thread uses */

struct traced {
	pid_t tid;
	struct user_regs_struct before;
	unsigned long scratch; /* SCRATCH_BYTES of its memory */
};

static int failures, tests;

static void report(bool ok, const char *what, long got)
{
	char text[64];

	if (got >= 0)
		snprintf(text, sizeof(text), "gave %ld", got);
	else
		snprintf(text, sizeof(text), "%s", strerrorname_np((int)-got) ? strerrorname_np((int)-got) : "?");
	printf("%sok %d - %s: %s\n", ok ? "" : "not ", ++tests, what, text);
	failures += !ok;
}

/* --- the thread --- */

static bool wait_stop(pid_t tid)
{
	int status;

	return waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status);
}

static bool attach(struct traced *t, pid_t tid)
{
	*t = (struct traced){.tid = tid};
	if (ptrace(PTRACE_SEIZE, tid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0 || !wait_stop(tid) ||
	    ptrace(PTRACE_GETREGS, tid, 0, &t->before) < 0)
		return false;
	t->scratch = (t->before.rsp - BELOW_STACK) & ~0xfffUL;
	return true;
}

static void detach(struct traced *t)
{
	ptrace(PTRACE_SETREGS, t->tid, 0, &t->before);
	ptrace(PTRACE_DETACH, t->tid, 0, 0);
}

static bool put(const struct traced *t, const void *data, size_t len)
{
	size_t at;

	for (at = 0; at < len; at += sizeof(long)) {
		long word = 0;

		memcpy(&word, (const char *)data + at, CUV_MIN(sizeof(word), len - at));
		if (ptrace(PTRACE_POKEDATA, t->tid, t->scratch + at, word) < 0)
			return false;
	}
	return true;
}

/* Every waiting thread stands right behind a syscall instruction. */
static bool stands_at_syscall(const struct traced *t)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, t->tid, t->before.rip - 2, 0);
	return errno == 0 && (word & 0xffff) == 0x050f;
}

/* One that works at this moment is let go and stopped again, for a minute. */
static bool stop(struct traced *t, pid_t tid)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	for (int i = 0; i < 6000; i++) {
		if (!attach(t, tid))
			return false;
		if (stands_at_syscall(t))
			return true;
		detach(t);
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool is_thread(pid_t pid, pid_t tid)
{
	return syscall(SYS_tgkill, pid, tid, 0) == 0;
}

static long call(const struct traced *t, long number, const unsigned long a[6])
{
	struct user_regs_struct regs = t->before;

	regs.rip -= 2;
	regs.rax = (unsigned long)number;
	regs.orig_rax = (unsigned long)-1; /* nothing to restart */
	regs.rdi = a[0];
	regs.rsi = a[1];
	regs.rdx = a[2];
	regs.r10 = a[3];
	regs.r8 = a[4];
	regs.r9 = a[5];
	if (ptrace(PTRACE_SETREGS, t->tid, 0, &regs) < 0 || ptrace(PTRACE_SINGLESTEP, t->tid, 0, 0) < 0 ||
	    !wait_stop(t->tid) || ptrace(PTRACE_GETREGS, t->tid, 0, &regs) < 0)
		return -EIO;
	return (long)regs.rax;
}

/* --- what is tried --- */

enum {
	P = -1000 /* the scratch memory's address */,
	PP = -1001 /* the parent's pid */,
	SELF = -1002 /* its own pid */
};

/* What lies in scratch memory: text, or an address of a socket. */
#define PASSWD "/etc/passwd"
#define SHELL "/bin/sh"

struct attempt {
	const char *name;
	long number;
	long args[6];
	const char *text; /* put into the scratch memory; NULL: zeros */
};

static const struct attempt attempts[] = {
	/* files */
	{"open /etc/passwd", SYS_open, {P, O_RDONLY}, PASSWD},
	{"openat /etc/passwd", SYS_openat, {AT_FDCWD, P, O_RDONLY}, PASSWD},
	{"openat of the state folder", SYS_openat, {AT_FDCWD, P, O_RDONLY | O_DIRECTORY}, "@state"},
	{"openat of the store", SYS_openat, {AT_FDCWD, P, O_RDONLY | O_DIRECTORY}, "@store"},
	{"openat /proc/self/mem", SYS_openat, {AT_FDCWD, P, O_RDWR}, "/proc/self/mem"},
	{"openat for writing in /tmp", SYS_openat, {AT_FDCWD, P, O_WRONLY | O_CREAT, 0600}, "/tmp/as-manager"},
	{"openat of a nameless file", SYS_openat, {AT_FDCWD, P, O_RDWR | O_TMPFILE, 0600}, "/tmp"},
	{"creat", SYS_creat, {P, 0600}, "/tmp/as-manager"},
	{"openat2", SYS_openat2, {AT_FDCWD, P, P, 24}, PASSWD},
	{"open_by_handle_at", SYS_open_by_handle_at, {AT_FDCWD, P, O_RDONLY}, NULL},
	{"open_tree", SYS_open_tree, {AT_FDCWD, P, 0}, "/"},
	{"stat", SYS_stat, {P, P}, PASSWD},
	{"newfstatat", SYS_newfstatat, {AT_FDCWD, P, P, 0}, PASSWD},
	{"statx", SYS_statx, {AT_FDCWD, P, 0, 0, P}, PASSWD},
	{"access", SYS_access, {P, F_OK}, PASSWD},
	{"faccessat2", SYS_faccessat2, {AT_FDCWD, P, F_OK, 0}, PASSWD},
	{"readlink", SYS_readlink, {P, P, 64}, "/proc/self/exe"},
	{"unlink", SYS_unlink, {P}, "/tmp/as-manager"},
	{"rename", SYS_rename, {P, P}, "/tmp/as-manager"},
	{"mkdir", SYS_mkdir, {P, 0700}, "/tmp/as-manager"},
	{"symlink", SYS_symlink, {P, P}, "/tmp/as-manager"},
	{"link", SYS_link, {P, P}, PASSWD},
	{"chmod", SYS_chmod, {P, 0600}, "/tmp/as-manager"},
	{"truncate", SYS_truncate, {P, 0}, "/tmp/as-manager"},
	{"chdir", SYS_chdir, {P}, "/"},
	{"chroot", SYS_chroot, {P}, "/"},
	{"inotify_init1", SYS_inotify_init1, {0}, NULL},
	{"fanotify_init", SYS_fanotify_init, {0, 0}, NULL},
	/* programs and processes */
	{"execve", SYS_execve, {P, 0, 0}, SHELL},
	{"execveat", SYS_execveat, {AT_FDCWD, P, 0, 0, 0}, SHELL},
	{"fork", SYS_fork, {0}, NULL},
	{"vfork", SYS_vfork, {0}, NULL},
	{"clone of a process", SYS_clone, {SIGCHLD, 0}, NULL},
	{"clone of a thread", SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_FS | CLONE_FILES, P}, NULL},
	{"clone3", SYS_clone3, {P, 88}, NULL},
	{"kill of the parent", SYS_kill, {PP, 0}, NULL},
	{"kill of itself", SYS_kill, {SELF, 0}, NULL},
	{"kill of everybody", SYS_kill, {-1, 0}, NULL},
	{"tgkill of the parent", SYS_tgkill, {PP, PP, SIGABRT}, NULL},
	{"tkill of the parent", SYS_tkill, {PP, SIGURG}, NULL},
	{"rt_sigqueueinfo", SYS_rt_sigqueueinfo, {PP, SIGURG, P}, NULL},
	{"pidfd_open of the parent", SYS_pidfd_open, {PP, 0}, NULL},
	{"pidfd_getfd", SYS_pidfd_getfd, {3, 0, 0}, NULL},
	{"ptrace of the parent", SYS_ptrace, {PTRACE_SEIZE, PP, 0, 0}, NULL},
	{"process_vm_readv", SYS_process_vm_readv, {PP, P, 1, P, 1, 0}, NULL},
	{"process_vm_writev", SYS_process_vm_writev, {PP, P, 1, P, 1, 0}, NULL},
	{"kcmp", SYS_kcmp, {PP, SELF, 0, 0, 0}, NULL},
	{"prlimit of the parent", SYS_prlimit64, {PP, 7, 0, P}, NULL},
	{"setrlimit", SYS_setrlimit, {7, P}, NULL},
	{"setpriority", SYS_setpriority, {0, PP, 0}, NULL},
	{"sched_setaffinity", SYS_sched_setaffinity, {PP, 8, P}, NULL},
	/* the network */
	{"socket TCP", SYS_socket, {AF_INET, SOCK_STREAM, 0}, NULL},
	{"socket UDP", SYS_socket, {AF_INET, SOCK_DGRAM, 0}, NULL},
	{"socket IPv6", SYS_socket, {AF_INET6, SOCK_STREAM, 0}, NULL},
	{"socket Unix", SYS_socket, {AF_UNIX, SOCK_SEQPACKET, 0}, NULL},
	{"socket netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, NULL},
	{"socket packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, NULL},
	{"socket vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}, NULL},
	{"socket alg", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}, NULL},
	{"socketpair of another family", SYS_socketpair, {AF_INET, SOCK_STREAM, 0, P}, NULL},
	{"connect to a TCP port", SYS_connect, {3, P, sizeof(struct sockaddr_in)}, "@tcp"},
	{"connect to the launcher's socket", SYS_connect, {3, P, sizeof(struct sockaddr_un)}, "@launcher"},
	{"sendto that connects", SYS_sendto, {3, P, 1, MSG_FASTOPEN, 0, 0}, "x"},
	{"sendmsg that connects", SYS_sendmsg, {3, P, MSG_FASTOPEN}, NULL},
	{"bind", SYS_bind, {3, P, sizeof(struct sockaddr_in)}, "@tcp"},
	{"listen", SYS_listen, {3, 1}, NULL},
	{"setsockopt of a filter", SYS_setsockopt, {3, SOL_SOCKET, SO_ATTACH_FILTER, P, 16}, NULL},
	{"ioctl", SYS_ioctl, {0, TIOCSTI, P}, "x"},
	{"ioctl of interfaces", SYS_ioctl, {3, 0x8912 /* SIOCGIFCONF */, P}, NULL},
	/* privileges */
	{"setuid(0)", SYS_setuid, {0}, NULL},
	{"setresuid(0)", SYS_setresuid, {0, 0, 0}, NULL},
	{"setgid(0)", SYS_setgid, {0}, NULL},
	{"setgroups", SYS_setgroups, {0, P}, NULL},
	{"setfsuid", SYS_setfsuid, {0}, NULL},
	{"capset", SYS_capset, {P, P}, NULL},
	{"prctl dumpable", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}, NULL},
	{"prctl no death with the parent", SYS_prctl, {PR_SET_PDEATHSIG, 0, 0, 0, 0}, NULL},
	{"seccomp", SYS_seccomp, {0, 0, 0}, NULL},
	{"unshare user", SYS_unshare, {CLONE_NEWUSER}, NULL},
	{"unshare mount", SYS_unshare, {CLONE_NEWNS}, NULL},
	{"setns", SYS_setns, {3, 0}, NULL},
	{"keyctl", SYS_keyctl, {KEYCTL_GET_KEYRING_ID, -3, 1}, NULL},
	{"add_key", SYS_add_key, {P, P, P, 1, -3}, "user"},
	{"request_key", SYS_request_key, {P, P, P, 0}, "user"},
	/* the kernel */
	{"mount", SYS_mount, {P, P, 0, MS_BIND, 0}, "/"},
	{"umount2", SYS_umount2, {P, MNT_DETACH}, "/proc"},
	{"pivot_root", SYS_pivot_root, {P, P}, "/"},
	{"fsopen", SYS_fsopen, {P, 0}, "tmpfs"},
	{"bpf", SYS_bpf, {0, P, 64}, NULL},
	{"perf_event_open", SYS_perf_event_open, {P, 0, -1, -1, 0}, NULL},
	{"userfaultfd", SYS_userfaultfd, {0}, NULL},
	{"io_uring_setup", SYS_io_uring_setup, {1, P}, NULL},
	{"init_module", SYS_init_module, {P, 0, P}, NULL},
	{"finit_module", SYS_finit_module, {3, P, 0}, NULL},
	{"kexec_load", SYS_kexec_load, {0, 0, 0, 0}, NULL},
	{"sethostname", SYS_sethostname, {P, 1}, "x"},
	{"settimeofday", SYS_settimeofday, {0, P}, NULL},
	{"swapoff", SYS_swapoff, {P}, "/nothing"},
	{"acct", SYS_acct, {P}, "/nothing"},
	{"personality", SYS_personality, {0x0040000}, NULL},
	{"modify_ldt", SYS_modify_ldt, {0, P, 8}, NULL},
	{"syslog", SYS_syslog, {3, P, 64}, NULL},
	/* memory */
	{"mmap of executable memory",
	 SYS_mmap,
	 {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0},
	 NULL},
	{"mprotect to executable", SYS_mprotect, {P, 4096, PROT_READ | PROT_EXEC}, NULL},
	{"pkey_mprotect", SYS_pkey_mprotect, {P, 4096, PROT_READ | PROT_EXEC, -1}, NULL},
	{"shmget", SYS_shmget, {0, 4096, 0600}, NULL},
	{"msgget", SYS_msgget, {0, 0600}, NULL},
	{"semget", SYS_semget, {0, 1, 0600}, NULL},
	{"mq_open", SYS_mq_open, {P, O_RDWR | O_CREAT, 0600, 0}, "as-manager"},
};

static void fill_scratch(const struct traced *t, const struct attempt *a, const char *state)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons(22)};
	char bytes[SCRATCH_BYTES] = {0};

	tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(local.sun_path, sizeof(local.sun_path), "%.64s/run/launcher.sock", state);
	if (!a->text)
		;
	else if (strcmp(a->text, "@tcp") == 0)
		memcpy(bytes, &tcp, sizeof(tcp));
	else if (strcmp(a->text, "@launcher") == 0)
		memcpy(bytes, &local, sizeof(local));
	else if (strcmp(a->text, "@state") == 0)
		snprintf(bytes, sizeof(bytes), "%s", state);
	else if (strcmp(a->text, "@store") == 0)
		snprintf(bytes, sizeof(bytes), "%s/nix/nix/store", state);
	else
		snprintf(bytes, sizeof(bytes), "%s", a->text);
	put(t, bytes, sizeof(bytes));
}

static void try_all(const struct traced *t, pid_t pid, pid_t parent, const char *state, size_t n)
{
	size_t i, j;

	for (i = 0; i < n; i++) {
		const struct attempt *a = &attempts[i];
		unsigned long args[6];
		long got;

		for (j = 0; j < 6; j++)
			args[j] = a->args[j] == P      ? t->scratch
				  : a->args[j] == PP   ? (unsigned long)parent
				  : a->args[j] == SELF ? (unsigned long)pid
						       : (unsigned long)a->args[j];
		fill_scratch(t, a, state);
		got = call(t, a->number, args);
		report(got == -EPERM, a->name, got);
	}
}

/* --- what can be seen from outside --- */

static void check_status(pid_t pid, pid_t tid)
{
	static const char *const wanted[] = {"CapInh:\t0000000000000000",
					     "CapPrm:\t0000000000000000",
					     "CapEff:\t0000000000000000",
					     "CapAmb:\t0000000000000000",
					     "NoNewPrivs:\t1",
					     "Seccomp:\t2"};
	char path[64], line[256];
	size_t i, found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < ARRAY_SIZE(wanted); i++)
			found += strcmp(line, wanted[i]) == 0;
	}
	if (f)
		fclose(f);
	if (found != ARRAY_SIZE(wanted))
		report(false, path, (long)found);
}

static int each_thread(pid_t pid, const char *state)
{
	const unsigned long none[6] = {0};
	char path[64];
	struct dirent *e;
	int threads = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		pid_t tid = (pid_t)strtol(e->d_name, NULL, 10);
		unsigned long args[6] = {(unsigned long)AT_FDCWD, 0, O_RDONLY};
		struct traced t;
		struct attempt file = {.text = PASSWD};

		if (tid <= 0)
			continue;
		check_status(pid, tid);
		if (!stop(&t, tid)) {
			if (is_thread(pid, tid))
				report(false, "a thread could not be stopped in a system call", tid);
			continue;
		}
		if (call(&t, SYS_getpid, none) != pid)
			report(false, "getpid by a thread", call(&t, SYS_getpid, none));
		fill_scratch(&t, &file, state);
		args[1] = t.scratch;
		if (call(&t, SYS_openat, args) != -EPERM)
			report(false, "openat by a thread", call(&t, SYS_openat, args));
		detach(&t);
		threads++;
	}
	if (dir)
		closedir(dir);
	return threads;
}

static pid_t parent_of(pid_t pid)
{
	char path[64], line[256];
	long parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "PPid:", 5) == 0)
			parent = strtol(line + 5, NULL, 10);
	if (f)
		fclose(f);
	return (pid_t)parent;
}

static int shut(pid_t pid, int n, char **fds)
{
	struct traced t;
	int i;

	if (!stop(&t, pid))
		return 2;
	for (i = 0; i < n; i++) {
		const unsigned long args[6] = {strtoul(fds[i], NULL, 10), SHUT_RDWR};
		const long got = call(&t, SYS_shutdown, args);

		report(got == 0, fds[i], got);
	}
	detach(&t);
	return failures ? 1 : 0;
}

int main(int argc, char **argv)
{
	bool open_only = argc > 1 && strcmp(argv[1], "--open") == 0;
	pid_t pid = argc == 3 + open_only ? (pid_t)strtol(argv[1 + open_only], NULL, 10) : 0;
	const char *state = argv[argc - 1];
	const unsigned long none[6] = {0};
	struct traced t;
	long got;

	if (argc > 3 && strcmp(argv[1], "--shut") == 0)
		return shut((pid_t)strtol(argv[2], NULL, 10), argc - 3, argv + 3);
	if (pid <= 0) {
		fprintf(stderr, "usage: as_manager [--open] PID STATE\n");
		return 2;
	}
	if (!open_only)
		report(each_thread(pid, state) > 1 && failures == 0, "every thread is sealed", 0);
	if (!stop(&t, pid)) {
		fprintf(stderr, "can't stop process %d: %s\n", pid, strerror(errno));
		return 2;
	}
	got = call(&t, SYS_getpid, none);
	report(got == pid, "calls are made by the other process", got);
	try_all(&t, pid, parent_of(pid), state, open_only ? 2 : ARRAY_SIZE(attempts));
	detach(&t);
	printf("1..%d\n", tests);
	return failures ? 1 : 0;
}
