/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/maker.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"
#include "worker-image/launcher/nsfd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATUS_MAX 8192
#define MAPS_MAX (4u * 1024 * 1024)
#define KIB 1024u
/* Its standard descriptors, its control socket and its pid namespace. */
#define ZYGOTE_FDS 5

__attribute__((format(printf, 3, 4))) static int refuse(size_t size, char *ret_why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_why, size, format, args);
	va_end(args);
	return -EPERM;
}

static int read_proc(int proc_fd, pid_t pid, const char *file, struct cuv_buf *b)
{
	char path[48];

	snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	return cuv_read_file(proc_fd, path, b);
}

int cuv_status_number(const char *text, const char *key, int base, uint64_t *ret)
{
	const size_t len = strlen(key);
	const char *line, *value;
	char *end;

	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncmp(line, key, len) != 0 || line[len] != ':')
			continue;
		/* strtoull by itself takes a sign, and looks for digits in the next line. */
		value = line + len + 1;
		value += strspn(value, " \t");
		if (!isxdigit((unsigned char)*value))
			return -EINVAL;
		errno = 0;
		*ret = strtoull(value, &end, base);
		return errno != 0 || end == value ? -EINVAL : 0;
	}
	return -ENOENT;
}

static const int namespace_kinds[CUV_MAKER_NAMESPACES] = {
	[CUV_ZYGOTE_FD_PID] = CLONE_NEWPID, [CUV_ZYGOTE_FD_MNT] = CLONE_NEWNS,
	[CUV_ZYGOTE_FD_NET] = CLONE_NEWNET, [CUV_ZYGOTE_FD_IPC] = CLONE_NEWIPC,
	[CUV_ZYGOTE_FD_UTS] = CLONE_NEWUTS, [CUV_ZYGOTE_FD_CGROUP] = CLONE_NEWCGROUP,
};
static const char *const namespace_names[CUV_MAKER_NAMESPACES] = {
	[CUV_ZYGOTE_FD_PID] = "pid", [CUV_ZYGOTE_FD_MNT] = "mount",	[CUV_ZYGOTE_FD_NET] = "network",
	[CUV_ZYGOTE_FD_IPC] = "ipc", [CUV_ZYGOTE_FD_UTS] = "host name", [CUV_ZYGOTE_FD_CGROUP] = "cgroup",
};

static int check_namespaces(int proc_fd, pid_t pid, const int ns[CUV_MAKER_NAMESPACES], size_t size, char *ret_why)
{
	_cleanup_close_ int pidfd = pidfd_open(pid, 0);
	size_t i;

	for (i = 0; i < CUV_MAKER_NAMESPACES; i++) {
		_cleanup_close_ int fd = cuv_nsfd_open(pidfd, namespace_kinds[i], proc_fd, pid);
		struct stat want, have;

		if (fd == -ESRCH)
			return -ESRCH;
		if (fd < 0 || fstat(ns[i], &want) < 0 || fstat(fd, &have) < 0)
			return refuse(size, ret_why, "its %s namespace can't be looked at: %s", namespace_names[i],
				      strerror(fd < 0 ? -fd : errno));
		if (want.st_ino != have.st_ino || want.st_dev != have.st_dev)
			return refuse(size, ret_why, "its %s namespace is another", namespace_names[i]);
	}
	return 0;
}

/* "State:	Z (zombie)" or X: it can't do any harm. */
static bool is_dead(const char *status)
{
	const char *state = strstr(status, "\nState:\t");

	return state && (state[8] == 'Z' || state[8] == 'X');
}

int cuv_maker_check_run(int proc_fd, pid_t pid, const int ns[CUV_MAKER_NAMESPACES], size_t size, char *ret_why)
{
	static const struct {
		const char *key;
		int base;
		uint64_t want;
	} lines[] = {
		{"PPid", 10, 1},
		{"Uid", 10, CUV_BOX_INNER_UID},
		{"Gid", 10, CUV_BOX_INNER_UID},
		{"Threads", 10, 1},
		{"CapInh", 16, 0},
		{"CapPrm", 16, 0},
		{"CapEff", 16, 0},
		{"CapBnd", 16, 0},
		{"CapAmb", 16, 0},
		{"Seccomp", 10, 2},
		{"NoNewPrivs", 10, 1},
	};
	_cleanup_buf_ struct cuv_buf status = CUV_BUF_INIT(STATUS_MAX);
	uint64_t have = 0;
	size_t i;
	int r;

	if (pid <= 0)
		return refuse(size, ret_why, "it is in another namespace");
	/* One whose keeper has gone in the meantime may have been reaped before its
	 * hello was read. */
	r = read_proc(proc_fd, pid, "status", &status);
	if (r == -ENOENT || r == -ESRCH)
		return -ESRCH;
	if (r < 0)
		return refuse(size, ret_why, "it can't be looked at: %s", strerror(-r));
	if (is_dead(cuv_buf_str(&status)))
		return -ESRCH;
	for (i = 0; i < ARRAY_SIZE(lines); i++)
		if (cuv_status_number(cuv_buf_str(&status), lines[i].key, lines[i].base, &have) < 0 ||
		    have != lines[i].want)
			return refuse(size, ret_why, "%s is %llu", lines[i].key, (unsigned long long)have);
	/* The zygote's, and the run's own. The line is there since Linux 5.11. */
	if (cuv_status_number(cuv_buf_str(&status), "Seccomp_filters", 10, &have) == 0 && have < 2)
		return refuse(size, ret_why, "the run's filter is missing");
	return check_namespaces(proc_fd, pid, ns, size, ret_why);
}

bool cuv_maps_line_is_shared(const char *line)
{
	const char *mode = strchr(line, ' ');

	return mode && strlen(mode) > 4 && mode[2] == 'w' && mode[4] == 's';
}

static int check_maps(int proc_fd, pid_t pid, size_t size, char *ret_why)
{
	_cleanup_buf_ struct cuv_buf maps = CUV_BUF_INIT(MAPS_MAX);
	char *line, *rest = NULL;

	if (read_proc(proc_fd, pid, "maps", &maps) < 0 || maps.len == 0)
		return refuse(size, ret_why, "its mappings can't be read");
	for (line = strtok_r((char *)(uintptr_t)cuv_buf_str(&maps), "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		if (cuv_maps_line_is_shared(line))
			return refuse(size, ret_why, "it shares memory");
	return 0;
}

/* How many entries a folder of /proc has, "." and ".." not counted; -errno. */
static int count_entries(int proc_fd, pid_t pid, const char *folder)
{
	struct dirent *e;
	char path[48];
	int fd, n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%d/%s", (int)pid, folder);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		int r = -errno;

		cuv_close(fd);
		return r;
	}
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

int cuv_maker_check_threads(int proc_fd, pid_t pid, size_t size, char *ret_why)
{
	const int n = count_entries(proc_fd, pid, "task");

	if (n < 0)
		return refuse(size, ret_why, "its threads can't be counted: %s", strerror(-n));
	return n == 1 ? 0 : refuse(size, ret_why, "it has %d threads", n);
}

int cuv_maker_check_zygote(int proc_fd, pid_t pid, size_t size, char *ret_why)
{
	int n, r = cuv_maker_check_threads(proc_fd, pid, size, ret_why);

	if (r < 0)
		return r;
	n = count_entries(proc_fd, pid, "fd");
	if (n < 0 || n > ZYGOTE_FDS)
		return refuse(size, ret_why, "it keeps %d descriptors", n);
	return check_maps(proc_fd, pid, size, ret_why);
}

bool cuv_status_is_of_namespace(const char *status)
{
	const char *pids = strstr(status, "\nNSpid:\t");

	/* One number: it is in no namespace below this one. */
	return pids && strcspn(pids + 8, "\t\n") == strcspn(pids + 8, "\n");
}

int cuv_maker_check_strays(int proc_fd, pid_t zygote, size_t size, char *ret_why)
{
	int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		cuv_close(fd);
		return refuse(size, ret_why, "its processes can't be read");
	}
	while (r == 0 && (e = readdir(d))) {
		_cleanup_buf_ struct cuv_buf status = CUV_BUF_INIT(STATUS_MAX);
		const pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);

		if (pid <= 1 || pid == zygote || read_proc(proc_fd, pid, "status", &status) < 0)
			continue;
		if (cuv_status_is_of_namespace(cuv_buf_str(&status)))
			r = refuse(size, ret_why, "it keeps a process");
	}
	(void)closedir(d);
	return r;
}

uint64_t cuv_maker_pss_bytes(int proc_fd, pid_t pid)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(STATUS_MAX);
	uint64_t kib = 0;

	if (read_proc(proc_fd, pid, "smaps_rollup", &b) < 0 || cuv_status_number(cuv_buf_str(&b), "Pss", 10, &kib) < 0)
		return 0;
	return kib * KIB;
}
