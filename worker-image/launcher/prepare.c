/* SPDX-License-Identifier: MIT */
/* How a keeper makes its box: everything that needs the launcher's rights. */
#include "worker-image/launcher/keeper.h"

#include "lib/base/fd.h"
#include "worker-image/launcher/environ.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)
#define NEVER_CHANGES (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static int internal(struct cuv_error *err, int r, const char *what)
{
	cuv_error_set(err, CUV_E_INTERNAL, "the box could not be made: %s (%s)", what, strerror(-r));
	return r;
}

static int go_on(struct cuv_keeper *k)
{
	return send(k->status, "g", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int enter_slot(struct cuv_keeper *k)
{
	const struct cuv_cgroups *c = k->task->cgroups;
	int r;

	if (!c->ops)
		return 0;
	r = cuv_cgroup_slot_open(c, k->task->slot, &k->cgroup);
	if (r < 0)
		return r;
	k->has_cgroup = true;
	if (!c->ops->is_fresh(&k->cgroup)) {
		r = cuv_cgroup_slot_renew(&k->cgroup);
		if (r < 0)
			return r;
	}
	r = cuv_cgroup_slot_open_procs(&k->cgroup, k->box.procs);
	if (r < 0)
		return r;
	k->box.n_procs = (size_t)r;
	return 0;
}

/* While init works on the mounts; nobody is in the cgroup yet. */
static int limit_slot(struct cuv_keeper *k)
{
	const struct cuv_cgroups *c = k->task->cgroups;
	int r = 0;

	if (k->has_cgroup) {
		r = c->ops->set_limits(&k->cgroup, &k->task->run.limits);
		if (r == 0)
			r = c->ops->read_usage(&k->cgroup, &k->before);
		if (r == 0 && (c->controllers & CUV_CG_MEMORY))
			k->oom_fd = c->ops->watch_oom(&k->cgroup, &k->oom_events);
	}
	return r == 0 ? go_on(k) : r;
}

/* A detached, read-only copy of the mount of one store path. */
static int open_path(struct cuv_keeper *k, const char *name, int *ret, struct cuv_error *err)
{
	_cleanup_close_ int fd = cuv_host_open_store(k->task->host, name);
	int r = fd < 0 ? fd : cuv_host_clone_mount(fd);

	if (r >= 0) {
		*ret = r;
		return 0;
	}
	if (r != -ENOENT && r != -ENOTDIR && r != -ELOOP)
		return internal(err, r, name);
	cuv_error_set(err, CUV_E_INTERNAL, "%s is not a folder of the store", name);
	return r;
}

static int open_mounts(struct cuv_keeper *k, struct cuv_error *err)
{
	const struct cuv_run *run = &k->task->run;
	size_t i;
	int r;

	if (k->task->probe) {
		k->box.image = cuv_host_clone_mount(k->task->host->probe_fd);
		r = CUV_MIN(k->box.image, 0);
	} else {
		r = open_path(k, run->image, &k->box.image, err);
		if (r < 0)
			return r;
	}
	for (i = 0; r == 0 && i < run->closure.n; i++) {
		r = open_path(k, run->closure.items[i], &k->box.closure[i], err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		r = k->box.dev = cuv_host_clone_mount(k->task->host->dev_fd);
	return r < 0 ? internal(err, r, "its mounts") : 0;
}

/* Copies a descriptor's bytes, as many as it has now, into a sealed memfd. */
static int copy_sealed(int from, uint64_t bytes)
{
	_cleanup_close_ int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint64_t at = 0;

	if (fd < 0)
		return -errno;
	while (at < bytes) {
		char data[65536];
		ssize_t n = pread(from, data, CUV_MIN(bytes - at, sizeof(data)), (off_t)at);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		r = cuv_write_all(fd, data, (size_t)n);
		if (r < 0)
			return r;
		at += (uint64_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, NEVER_CHANGES | F_SEAL_SEAL) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The program's stdin is a regular file, as with `python main.py < input`. The
 * box could open whatever it gets once more for writing by /proc/self/fd/0, so it
 * only ever gets a memfd sealed against all change: the client's if it is, else a
 * copy. Opened anew, since an offset shared with the client could be moved. */
static int open_stdin(struct cuv_keeper *k, uint64_t bytes)
{
	_cleanup_close_ int sealed = -1;
	char path[32];
	int from = k->task->fds[0], seals = fcntl(from, F_GET_SEALS);

	if (seals < 0 || (seals & NEVER_CHANGES) != NEVER_CHANGES) {
		sealed = copy_sealed(from, bytes);
		if (sealed < 0)
			return sealed;
		from = sealed;
	}
	snprintf(path, sizeof(path), "self/fd/%d", from);
	k->box.in = openat(k->task->host->proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return k->box.in < 0 ? -errno : 0;
}

static int check_files(struct cuv_keeper *k, uint64_t *ret_stdin_bytes, struct cuv_error *err)
{
	uint64_t total = 0, pages = 0, bytes[1 + CUV_FILES_MAX] = {0};
	struct stat st;
	size_t i;

	for (i = 0; i < k->task->n_fds; i++) {
		int flags = fcntl(k->task->fds[i], F_GETFL);

		if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY ||
		    fstat(k->task->fds[i], &st) < 0 || !S_ISREG(st.st_mode))
			return cuv_error_set(err, CUV_E_BAD_REQUEST,
					     "stdin and files must be regular files open for reading");
		bytes[i] = (uint64_t)st.st_size;
		if (bytes[i] > (i == 0 ? CUV_STDIN_BYTES_MAX : CUV_UPLOAD_BYTES_MAX))
			return cuv_error_set(err, CUV_E_TOO_LARGE, "%s is too large",
					     i == 0 ? "stdin" : k->task->run.files.items[i - 1]);
		if (i > 0) {
			k->box.file_bytes[i - 1] = bytes[i];
			k->box.files[i - 1] = k->task->fds[i];
			total += bytes[i];
			pages += (bytes[i] + PAGE_BYTES - 1) / PAGE_BYTES;
		}
	}
	if (total > CUV_UPLOAD_BYTES_MAX)
		return cuv_error_set(err, CUV_E_TOO_LARGE, "the files are too large together");
	if (pages * PAGE_BYTES > k->task->run.limits.value[CUV_LIMIT_WORK] ||
	    k->task->run.files.n + 1 > k->task->run.limits.value[CUV_LIMIT_WORK_INODES])
		return cuv_error_set(err, CUV_E_LIMIT_EXCEEDED, "the files don't fit into the work folder");
	*ret_stdin_bytes = bytes[0];
	return 0;
}

static int open_streams(struct cuv_keeper *k)
{
	int out[2], err[2], pair[2], r;

	if (pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	k->box.out = out[1];
	if (pipe2(err, O_CLOEXEC) < 0) {
		cuv_close(out[0]);
		return -errno;
	}
	k->box.err = err[1];
	cuv_pump_init(&k->pump, k->task->session, out[0], err[0], &k->task->run.limits);
	r = cuv_set_nonblock(out[0], true);
	if (r == 0)
		r = cuv_set_nonblock(err[0], true);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	k->status = pair[0];
	k->box.status = pair[1];
	return 0;
}

static int clone_init(struct cuv_keeper *k)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = NAMESPACES | CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;
	int r;

	r = cuv_slotns_enter(&k->task->ns);
	if (r < 0)
		return r;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		/* The keeper's end must be the keeper's alone: by it init sees its death. */
		cuv_close(k->status);
		cuv_init_main(&k->box);
	}
	k->init = (pid_t)pid;
	k->init_fd = pidfd;
	return 0;
}

static int write_map(struct cuv_keeper *k, const char *file, const char *text)
{
	char path[48];

	snprintf(path, sizeof(path), "%d/%s", (int)k->init, file);
	return cuv_write_file_at(k->task->host->proc_fd, path, text);
}

static int map_ids(struct cuv_keeper *k)
{
	char text[CUV_IDMAP_TEXT_SIZE];
	int r = 0;

	cuv_idmap_format(&k->box.ids, text);
	if (!k->task->host->many_ids)
		r = write_map(k, "setgroups", "deny");
	if (r == 0)
		r = write_map(k, "gid_map", text);
	if (r == 0)
		r = write_map(k, "uid_map", text);
	return r;
}

/* The last one to hold a mount namespace takes it apart, and the kernel waits for
 * its readers then. That should be us, later, rather than init before we see its
 * end. Where it can't be opened it merely takes longer. */
static void hold_mount_ns(struct cuv_keeper *k)
{
	char path[32];

	snprintf(path, sizeof(path), "%d/ns/mnt", (int)k->init);
	k->mount_ns = openat(k->task->host->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

static void close_box_ends(struct cuv_keeper *k)
{
	size_t i;

	k->box.status = cuv_close(k->box.status);
	k->box.image = cuv_close(k->box.image);
	k->box.dev = cuv_close(k->box.dev);
	k->box.in = cuv_close(k->box.in);
	k->box.out = cuv_close(k->box.out);
	k->box.err = cuv_close(k->box.err);
	for (i = 0; i < k->task->run.closure.n; i++)
		k->box.closure[i] = cuv_close(k->box.closure[i]);
	for (i = 0; i < k->task->n_fds; i++)
		k->task->fds[i] = cuv_close(k->task->fds[i]);
	for (i = 0; i < k->box.n_procs; i++)
		k->box.procs[i] = cuv_close(k->box.procs[i]);
	k->box.n_procs = 0;
}

int cuv_keeper_prepare(struct cuv_keeper *k, struct cuv_error *err)
{
	uint64_t stdin_bytes = 0;
	int r;

	k->box.run = &k->task->run;
	k->box.host = k->task->host;
	k->box.probe = k->task->probe;
	cuv_idmap_of_slot(k->task->host->privileged, k->task->host->many_ids, k->task->slot, &k->box.ids);
	r = check_files(k, &stdin_bytes, err);
	if (r < 0)
		return r;
	r = open_mounts(k, err);
	if (r < 0)
		return r;
	r = enter_slot(k);
	if (r < 0)
		return internal(err, r, "its cgroup");
	r = open_stdin(k, stdin_bytes);
	if (r == 0)
		r = open_streams(k);
	if (r == 0)
		r = cuv_environ_build(&k->task->run, &k->env);
	if (r < 0)
		return internal(err, r, "its streams");
	k->box.envp = k->env.items;
	r = clone_init(k);
	if (r < 0)
		return internal(err, r, "its namespaces");
	hold_mount_ns(k);
	r = map_ids(k);
	if (r == 0)
		r = go_on(k);
	if (r < 0)
		return internal(err, r, "its user ids");
	r = limit_slot(k);
	if (r < 0)
		return internal(err, r, "its limits");
	close_box_ends(k);
	return 0;
}
