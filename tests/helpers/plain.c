/* SPDX-License-Identifier: MIT */
/*
 * plain: a program of an image and a closure, by none of the launcher's code: what
 * the runs of a launcher are compared with.
 *
 *   plain --store DIR --image NAME [--closure NAME]... [--file name=path]...
 *         --stdin PATH --result-fd N -- /path argv…
 *
 * For root. Namespaces of its own, so that nothing is left; the image as root and
 * the closure in /nix/store, read-only; tmpfs where a run may write; the files in
 * /box; user 1000; our own stdout, stderr and environment. No filter, no control
 * group, no limit but that of core files, so that none lies in /box. Pid 1 waits
 * for the program, which is pid 2, and all that it left ends with pid 1.
 * Writes the program's wait status, a number, to the descriptor; exits with 1
 * and a reason on stderr where it came to no program.
 */
#include "lib/base/fd.h"
#include "lib/base/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAMES_MAX 256
#define SCRATCH "mode=%s,uid=1000,gid=1000"

struct plain {
	const char *store, *image, *input, *closure[NAMES_MAX], *file[NAMES_MAX];
	size_t n_closure, n_file;
	int result_fd;
};

static const struct option long_options[] = {
	{"store", 1, NULL, 's'}, {"image", 1, NULL, 'i'}, {"closure", 1, NULL, 'c'},   {"file", 1, NULL, 'f'},
	{"stdin", 1, NULL, 'n'}, {"env", 1, NULL, 'c'},	  {"result-fd", 1, NULL, 'r'}, {0},
};

static _noreturn_ void fail(const char *what)
{
	fprintf(stderr, "plain: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void must(bool ok, const char *what)
{
	if (!ok)
		fail(what);
}

static void bind_to(const char *from, const char *to, unsigned long flags)
{
	must(mount(from, to, NULL, MS_BIND, NULL) == 0, from);
	must(!flags || mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0, to);
}

static void scratch(const char *path, const char *mode)
{
	char options[64];

	snprintf(options, sizeof(options), SCRATCH, mode);
	must(mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0, path);
}

/* Everything is relative to the image's folder, the working folder. */
static void make_dev(void)
{
	static const char *const nodes[] = {"null", "zero", "full", "random", "urandom"};
	static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
					       {"/proc/self/fd/0", "dev/stdin"},
					       {"/proc/self/fd/1", "dev/stdout"},
					       {"/proc/self/fd/2", "dev/stderr"}};
	char from[32];
	size_t i;

	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755") == 0, "dev");
	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		snprintf(from, sizeof(from), "/dev/%s", nodes[i]);
		must(mknod(from + 1, S_IFREG | 0644, 0) == 0, from);
		bind_to(from, from + 1, 0);
	}
	for (i = 0; i < ARRAY_SIZE(links); i++)
		must(symlink(links[i][0], links[i][1]) == 0, links[i][1]);
	must(mkdir("dev/shm", 0755) == 0, "dev/shm");
}

static void make_store(const struct plain *p)
{
	char from[4096], to[512];
	size_t i;

	if (p->n_closure == 0)
		return;
	must(mount("tmpfs", "nix/store", "tmpfs", MS_NOSUID | MS_NODEV, "mode=555") == 0, "nix/store");
	for (i = 0; i < p->n_closure; i++) {
		snprintf(from, sizeof(from), "%s/%s", p->store, p->closure[i]);
		snprintf(to, sizeof(to), "nix/store/%s", p->closure[i]);
		must(mkdir(to, 0555) == 0, to);
		bind_to(from, to, MS_RDONLY | MS_NOSUID | MS_NODEV);
	}
}

static void copy_files(const struct plain *p)
{
	char data[65536], to[512];
	size_t i;

	for (i = 0; i < p->n_file; i++) {
		const char *path = strchr(p->file[i], '=');
		_cleanup_close_ int in = -1, out = -1;
		ssize_t n;

		must(path != NULL, "--file name=path");
		snprintf(to, sizeof(to), "box/%.*s", (int)(path - p->file[i]), p->file[i]);
		in = open(path + 1, O_RDONLY | O_CLOEXEC);
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		must(in >= 0 && out >= 0 && fchown(out, CUV_BOX_INNER_UID, CUV_BOX_INNER_UID) == 0, p->file[i]);
		while ((n = read(in, data, sizeof(data))) > 0)
			must(cuv_write_all(out, data, (size_t)n) == 0, to);
		must(n == 0, path + 1);
	}
}

static void make_root(const struct plain *p)
{
	char image[4096];

	/* Private: no mount of ours is seen outside. */
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private mounts");
	snprintf(image, sizeof(image), "%s/%s", p->store, p->image);
	bind_to(image, image, MS_RDONLY | MS_NOSUID | MS_NODEV);
	must(chdir(image) == 0, image);
	make_dev();
	make_store(p);
	scratch("box", "755");
	scratch("tmp", "1777");
	scratch("home/cuvette", "755");
	scratch("dev/shm", "1777");
	must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "proc");
	copy_files(p);
	must(syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0, "pivot_root");
	must(chdir(CUV_BOX_WORK) == 0, CUV_BOX_WORK);
}

static void set_up_network(void)
{
	_cleanup_close_ int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	must(sock >= 0 && ioctl(sock, SIOCSIFFLAGS, &lo) == 0, "lo");
}

static _noreturn_ void program(char **argv)
{
	static const char default_action[64];
	const uid_t id = CUV_BOX_INNER_UID;
	const struct rlimit core = {1, 1}; /* as the launcher: 0 would not stop a host's handler */
	sigset_t none;
	int s;

	must(setsid() >= 0 && setrlimit(RLIMIT_CORE, &core) == 0, "session");
	must(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0, "user");
	umask(022);
	for (s = 1; s < _NSIG; s++)
		/* The library's call refuses two of them. 0 is SIG_DFL. */
		(void)syscall(SYS_rt_sigaction, s, default_action, NULL, (size_t)(_NSIG / 8));
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execv(argv[0], argv);
	fail(argv[0]);
}

static _noreturn_ void first_process(const struct plain *p, char **argv)
{
	_cleanup_close_ int input = open(p->input, O_RDONLY | O_CLOEXEC);
	int status = 0;
	pid_t pid, ended;

	must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && input >= 0 && dup2(input, 0) == 0, "stdin");
	must(sethostname("cuvette", 7) == 0, "host name");
	set_up_network();
	make_root(p);
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0)
		program(argv);
	do
		ended = wait(&status);
	while (ended != pid && (ended > 0 || errno == EINTR));
	must(ended == pid && dprintf(p->result_fd, "%d\n", status) > 0, "result");
	_exit(0);
}

int main(int argc, char **argv)
{
	struct plain p = {.result_fd = -1};
	int c, status = 0;
	pid_t pid;

	while ((c = getopt_long(argc, argv, "+", long_options, NULL)) != -1) {
		if (c == 's')
			p.store = optarg;
		else if (c == 'i')
			p.image = optarg;
		else if (c == 'n')
			p.input = optarg;
		else if (c == 'r')
			p.result_fd = (int)strtol(optarg, NULL, 10);
		else if (c == 'c' && p.n_closure < NAMES_MAX)
			p.closure[p.n_closure++] = optarg;
		else if (c == 'f' && p.n_file < NAMES_MAX)
			p.file[p.n_file++] = optarg;
		else
			return 2;
	}
	if (!p.store || !p.image || !p.input || optind == argc || cuv_set_cloexec(p.result_fd, true) < 0)
		return 2;
	must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0, "prctl");
	must(unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS) == 0, "unshare");
	pid = fork();
	must(pid >= 0, "fork");
	if (pid == 0)
		first_process(&p, argv + optind);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
