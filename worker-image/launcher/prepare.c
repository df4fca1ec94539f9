/* SPDX-License-Identifier: MIT */
/* How a keeper makes its box: first what needs no run, then what the run brings. */
#include "worker-image/launcher/keeper.h"

#include "lib/base/fd.h"
#include "lib/base/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACES (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)
#define NEVER_CHANGES (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK)

static int internal(struct cuv_error *err, int r, const char *what)
{
	/* Here the kernel says so when there are too many namespaces or groups: no disk is full. */
	(void)cuv_error_set_errno(err, r == -ENOSPC ? -EUSERS : r, "the box could not be made: %s (%s)", what,
				  strerror(-r));
	return r;
}

/* Init waits for this twice: when its ids are mapped, when the limits are set. */
static int go_on(struct cuv_keeper *k)
{
	return send(k->status, "g", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int share_memory(struct cuv_keeper *k)
{
	void *p = mmap(NULL, sizeof(*k->box.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	k->box.shared = p;
	return 0;
}

static int set_limits(struct cuv_keeper *k, const struct cuv_limits *l)
{
	k->limits = *l;
	return k->cgroup.cgroups->ops->set_limits(&k->cgroup, l);
}

int cuv_keeper_enter_slot(struct cuv_keeper *k)
{
	const struct cuv_cgroups *c = k->seat->cgroups;
	struct cuv_limits usual;
	int r;

	k->box.limit_data = !(c->controllers & CUV_CG_MEMORY);
	if (!c->ops)
		return 0;
	r = cuv_cgroup_slot_open(c, k->seat->slot, &k->cgroup);
	if (r < 0)
		return r;
	k->has_cgroup = true;
	if (!c->ops->is_fresh(&k->cgroup)) {
		r = cuv_cgroup_slot_renew(&k->cgroup);
		if (r < 0)
			return r;
	}
	/* The last run's limits may be too small even for us. */
	cuv_limits_default(&usual);
	r = set_limits(k, &usual);
	if (r < 0)
		return r;
	if (c->controllers & CUV_CG_MEMORY)
		k->oom_fd = c->ops->watch_oom(&k->cgroup, &k->oom_events);
	r = cuv_cgroup_slot_open_procs(&k->cgroup, k->box.procs);
	if (r < 0)
		return r;
	k->box.n_procs = (size_t)r;
	return 0;
}

int cuv_keeper_use_again(struct cuv_keeper *k)
{
	struct cuv_limits usual;

	cuv_limits_default(&usual);
	if (!cuv_limits_same(&k->limits, &usual))
		return set_limits(k, &usual);
	return k->seat->cgroups->ops->restart(&k->cgroup);
}

static int open_pipe(int *ret_read, int *ret_write)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0; /* a new pipe has no other flag */
}

static int open_pair(int *ret_ours, int *ret_theirs)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	*ret_ours = fds[0];
	*ret_theirs = fds[1];
	return 0;
}

int cuv_keeper_open_streams(struct cuv_keeper *k)
{
	int r = open_pipe(&k->out, &k->box.out);

	if (r == 0)
		r = open_pipe(&k->err, &k->box.err);
	if (r == 0)
		r = open_pair(&k->status, &k->box.status);
	if (r == 0)
		r = open_pair(&k->order, &k->box.order);
	return r;
}

static int clone_init(struct cuv_keeper *k)
{
	int pidfd = -1, r;
	pid_t pid;

	r = cuv_slotns_enter(&k->seat->ns);
	if (r < 0)
		return r;
	pid = cuv_kernel_clone(NAMESPACES, &pidfd);
	if (pid < 0)
		return pid;
	if (pid == 0) {
		/* The keeper's ends must be the keeper's alone: by them its death is seen. */
		cuv_close(k->status);
		cuv_close(k->order);
		cuv_close(k->out);
		cuv_close(k->err);
		cuv_close(k->seat->orders);
		cuv_init_main(&k->box);
	}
	k->init = pid;
	k->init_fd = pidfd;
	return 0;
}

static int write_map(struct cuv_keeper *k, const char *file, const char *text)
{
	char path[48];

	snprintf(path, sizeof(path), "%d/%s", (int)k->init, file);
	return cuv_write_file_at(k->seat->host->proc_fd, path, text);
}

static int map_ids(struct cuv_keeper *k)
{
	char text[CUV_IDMAP_TEXT_SIZE];
	int r = 0;

	cuv_idmap_format(&k->box.ids, text);
	if (!k->seat->host->many_ids)
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
	k->mount_ns = openat(k->seat->host->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

static void close_box_ends(struct cuv_keeper *k)
{
	size_t i;

	k->box.status = cuv_close(k->box.status);
	k->box.order = cuv_close(k->box.order);
	k->box.boxes = cuv_close(k->box.boxes);
	k->box.control = cuv_close(k->box.control);
	k->box.zygote = cuv_close(k->box.zygote);
	k->box.out = cuv_close(k->box.out);
	k->box.err = cuv_close(k->box.err);
	for (i = 0; i < k->box.n_procs; i++)
		k->box.procs[i] = cuv_close(k->box.procs[i]);
	k->box.n_procs = 0;
}

int cuv_keeper_begin(struct cuv_keeper *k, struct cuv_error *err)
{
	int r;

	k->box.host = k->seat->host;
	k->box.probe = k->seat->probe;
	k->box.boxes = k->seat->maker_boxes;
	k->box.control = k->seat->maker_control;
	k->box.zygote = k->seat->zygote;
	cuv_idmap_of_slot(k->seat->host->privileged, k->seat->host->many_ids, k->seat->slot, &k->box.ids);
	r = cuv_keeper_enter_slot(k);
	if (r < 0)
		return internal(err, r, "its cgroup");
	r = share_memory(k);
	if (r == 0)
		r = cuv_keeper_open_streams(k);
	if (r < 0)
		return internal(err, r, "its streams");
	r = clone_init(k);
	if (r < 0)
		return internal(err, r, "its namespaces");
	hold_mount_ns(k);
	r = map_ids(k);
	if (r == 0)
		r = go_on(k);
	if (r < 0)
		return internal(err, r, "its user ids");
	close_box_ends(k);
	return 0;
}

static int copy_sealed(int from)
{
	_cleanup_close_ int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : cuv_copy_file(from, fd, CUV_STDIN_BYTES_MAX);

	if (r == 0 && fcntl(fd, F_ADD_SEALS, NEVER_CHANGES | F_SEAL_SEAL) < 0)
		r = -errno;
	return r < 0 ? r : TAKE_FD(fd);
}

/* The program's stdin is a regular file, as with `python main.py < input`. The
 * box could open whatever it gets once more for writing by /proc/self/fd/0, so it
 * only ever gets a memfd sealed against all change: the client's if it is, else a
 * copy. Opened anew, since an offset shared with the client could be moved. */
static int open_stdin(struct cuv_keeper *k)
{
	_cleanup_close_ int sealed = -1;
	char path[32];
	int from = k->task.fds[0], seals = fcntl(from, F_GET_SEALS), fd;

	if (k->task.run.stream) { /* has no other way to be opened */
		fd = fcntl(from, F_DUPFD_CLOEXEC, 0);
		return fd < 0 ? -errno : fd;
	}
	if (seals < 0 || (seals & NEVER_CHANGES) != NEVER_CHANGES) {
		sealed = copy_sealed(from);
		if (sealed < 0)
			return sealed;
		from = sealed;
	}
	snprintf(path, sizeof(path), "self/fd/%d", from);
	fd = openat(k->seat->host->proc_fd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int cuv_keeper_send_order(struct cuv_keeper *k)
{
	_cleanup_writer_ struct cuv_writer w;
	_cleanup_close_ int in = -1;
	int fds[2 + CUV_FILES_MAX], r = 0;
	size_t i;

	if (cuv_keeper_is_joined(k)) /* foreign code reads it there, and need not know whose it is */
		k->task.run.tenant[0] = '\0';
	cuv_writer_init(&w, CUV_MSG_RUN);
	cuv_run_put(&w, &k->task.run);
	/* Init first: it has the mounts to make. */
	if (!cuv_keeper_is_joined(k))
		r = cuv_writer_send(&w, k->status, NULL, 0);
	if (r == 0)
		r = in = open_stdin(k);
	if (r < 0)
		return r;
	fds[0] = in;
	for (i = 1; i < k->task.n_fds; i++)
		fds[i] = k->task.fds[i];
	r = cuv_writer_send(&w, k->order, fds, k->task.n_fds);
	for (i = 0; i < k->task.n_fds; i++)
		k->task.fds[i] = cuv_close(k->task.fds[i]);
	k->order = cuv_close(k->order);
	return r;
}

int cuv_keeper_limit_slot(struct cuv_keeper *k)
{
	const struct cuv_limits *l = &k->task.run.limits;
	struct cuv_limits usual;
	int r = 0;

	cuv_limits_default(&usual);
	if (k->has_cgroup && (l->value[CUV_LIMIT_MEMORY] != usual.value[CUV_LIMIT_MEMORY] ||
			      l->value[CUV_LIMIT_PROCESSES] != usual.value[CUV_LIMIT_PROCESSES] ||
			      l->value[CUV_LIMIT_CPUS] != usual.value[CUV_LIMIT_CPUS])) {
		r = set_limits(k, l);
		k->counted = false; /* it starts the counters anew */
	}
	return r == 0 && !k->counted ? cuv_keeper_count(k) : r;
}

int cuv_keeper_count(struct cuv_keeper *k)
{
	k->counted = true;
	return k->has_cgroup ? k->seat->cgroups->ops->read_usage(&k->cgroup, &k->before) : 0;
}

int cuv_keeper_order(struct cuv_keeper *k, struct cuv_error *err)
{
	int r = cuv_task_check_fds(&k->task, err);

	if (r < 0)
		return r;
	r = cuv_keeper_send_order(k);
	if (r < 0)
		return internal(err, r, "its order");
	/* While init works on the mounts. */
	r = cuv_keeper_limit_slot(k);
	if (r == 0)
		r = go_on(k);
	return r < 0 ? internal(err, r, "its limits") : 0;
}
