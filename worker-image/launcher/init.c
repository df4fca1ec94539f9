/* SPDX-License-Identifier: MIT */
/*
 * Pid 1 of a box. It begins with all capabilities in a user namespace that has no
 * id yet, and ends as a process without any right that waits:
 *
 *   1. the keeper maps the two ids; init takes its own, which is not the run's,
 *      asks to die with its keeper, and can't be traced any more
 *   2. the image becomes the root; the environment, the scratch folders, /dev and
 *      /proc are mounted
 *   3. when the keeper has set the limits, the program's process is forked
 *      (program.c); it waits at a gate before it executes
 *   4. the launcher's root is unmounted
 *   5. every capability and descriptor but two goes, and the gate opens
 *   6. it reaps; when the program ends it says how, and exits, and with pid 1
 *      the kernel kills whatever else is in the box
 */
#include "worker-image/launcher/box.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "worker-image/launcher/mounts.h"
#include "worker-image/launcher/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRATCH (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define STORE_BYTES (1024 * 1024)

static const struct {
	const char *text;
	enum cuv_layer layer;
} stages[_CUV_STAGE_MAX] = {
#define X(name, l, t) [CUV_STAGE_##name] = {t, CUV_LAYER_##l},
	CUV_STAGE_TABLE(X)
#undef X
};

const char *cuv_stage_text(enum cuv_stage s)
{
	cuv_assert((unsigned)s < _CUV_STAGE_MAX);
	return stages[s].text;
}

enum cuv_layer cuv_stage_layer(enum cuv_stage s)
{
	cuv_assert((unsigned)s < _CUV_STAGE_MAX);
	return stages[s].layer;
}

static void tell(const struct cuv_box *box, const struct cuv_box_event *event)
{
	/* A keeper that is gone needs no telling: its death is ours. */
	if (send(box->status, event, sizeof(*event), MSG_NOSIGNAL) < 0)
		_exit(1);
}

_noreturn_ static void fail(const struct cuv_box *box, enum cuv_stage stage, int r)
{
	tell(box, &(struct cuv_box_event){.kind = CUV_BOX_FAILED, .stage = stage, .error = -r});
	_exit(1);
}

/* True when the keeper's end of the socket is closed. */
static bool keeper_is_gone(const struct cuv_box *box)
{
	char byte;

	return recv(box->status, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static uid_t init_id(const struct cuv_box *box)
{
	return box->ids.separate ? CUV_INIT_INNER_UID : CUV_BOX_INNER_UID;
}

/* The keeper says 'go on' twice: when the ids are mapped, when the limits are set. */
static void wait_for_keeper(const struct cuv_box *box)
{
	char go;

	if (recv(box->status, &go, 1, 0) != 1)
		_exit(1);
}

static int take_ids(const struct cuv_box *box)
{
	const uid_t id = init_id(box);

	wait_for_keeper(box);
	/* The namespace has no id 0, so the capabilities stay. */
	if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		return -errno;
	/* Not before: a change of ids takes the parent-death signal away. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	if (keeper_is_gone(box))
		_exit(1);
	return 0;
}

static int mount_image(const struct cuv_box *box, enum cuv_stage *ret_stage)
{
	int r;

	*ret_stage = CUV_STAGE_IMAGE;
	r = cuv_mount_move(box->image, AT_FDCWD, "/mnt");
	if (r < 0)
		return r;
	*ret_stage = CUV_STAGE_PIVOT;
	return cuv_mount_pivot("/mnt");
}

/* /nix/store with the closure's paths and nothing else. */
static int mount_store(const struct cuv_box *box)
{
	const struct cuv_strv *names = &box->run->closure;
	const struct cuv_tmpfs t = {
		.size_bytes = STORE_BYTES, .inodes = names->n + 8, .mode = 0555, .uid = init_id(box)};
	_cleanup_close_ int mnt = -1;
	size_t i;
	int r;

	if (names->n == 0)
		return 0; /* the image's own folder is empty and read-only */
	mnt = cuv_mount_tmpfs(&t, SCRATCH);
	if (mnt < 0)
		return mnt;
	r = cuv_mount_move(mnt, AT_FDCWD, "/nix/store");
	for (i = 0; r == 0 && i < names->n; i++) {
		if (mkdirat(mnt, names->items[i], 0555) < 0)
			return -errno;
		r = cuv_mount_move(box->closure[i], mnt, names->items[i]);
	}
	return r < 0 ? r : cuv_mount_restrict(mnt, MOUNT_ATTR_RDONLY, false);
}

static int mount_scratch(const struct cuv_box *box, const char *path, enum cuv_limit size, mode_t mode, unsigned attr)
{
	const struct cuv_limits *l = &box->run->limits;
	const struct cuv_tmpfs t = {
		.size_bytes = l->value[size],
		.inodes = l->value[CUV_LIMIT_WORK_INODES],
		.mode = mode,
		.uid = CUV_BOX_INNER_UID,
	};
	_cleanup_close_ int mnt = cuv_mount_tmpfs(&t, attr);

	return mnt < 0 ? mnt : cuv_mount_move(mnt, AT_FDCWD, path);
}

static int mount_all(const struct cuv_box *box, enum cuv_stage *ret_stage)
{
	_cleanup_close_ int proc = -1;
	int r;

	/* Before the launcher's own /proc is out of sight: the kernel lets a user
	 * namespace have a /proc only where one is visible already. */
	*ret_stage = CUV_STAGE_PROC;
	if (box->host->proc_works) {
		proc = cuv_mount_proc();
		if (proc < 0)
			return proc;
	}
	r = mount_image(box, ret_stage);
	if (r < 0)
		return r;
	*ret_stage = CUV_STAGE_STORE;
	r = mount_store(box);
	if (r < 0)
		return r;
	*ret_stage = CUV_STAGE_TMPFS;
	r = mount_scratch(box, CUV_BOX_WORK, CUV_LIMIT_WORK, 0755, SCRATCH);
	if (r == 0)
		r = mount_scratch(box, "/tmp", CUV_LIMIT_TMP, 01777, SCRATCH);
	if (r == 0)
		r = mount_scratch(box, CUV_BOX_HOME, CUV_LIMIT_TMP, 0755, SCRATCH);
	if (r < 0)
		return r;
	*ret_stage = CUV_STAGE_DEV;
	r = cuv_mount_move(box->dev, AT_FDCWD, "/dev");
	if (r == 0)
		r = mount_scratch(box, "/dev/shm", CUV_LIMIT_SHM, 01777, SCRATCH | MOUNT_ATTR_NOEXEC);
	if (r < 0 || proc < 0)
		return r;
	*ret_stage = CUV_STAGE_PROC;
	return cuv_mount_move(proc, AT_FDCWD, "/proc");
}

static pid_t fork_program(const struct cuv_box *box, int *ret_report, int *ret_gate)
{
	int report[2], gate[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0 || pipe2(gate, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		cuv_close(gate[1]);
		cuv_program_main(box, report[1], gate[0]);
	}
	cuv_close(report[1]);
	cuv_close(gate[0]);
	*ret_gate = gate[1];
	*ret_report = report[0];
	return pid;
}

/* The kernel waits for all its readers when a mount goes, so this is done while
 * the program's process gets ready; the gate keeps that from executing before. */
static void give_up_rights(const struct cuv_box *box, int report, int gate)
{
	int keep[] = {box->status, report, gate}, null, i, r;

	r = cuv_mount_drop_old();
	if (r < 0)
		fail(box, CUV_STAGE_OLD_ROOT, r);
	r = cuv_close_others(keep, ARRAY_SIZE(keep));
	if (r == 0)
		r = cuv_privileges_drop_all();
	if (r < 0)
		fail(box, CUV_STAGE_PRIVILEGES, r);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; null >= 0 && i < 3; i++)
		(void)dup2(null, i);
	cuv_close(null);
	if (write(gate, "g", 1) != 1)
		_exit(1);
	cuv_close(gate);
}

/* Reads what the program's process says until it executes (then the pipe closes
 * by itself) or dies. */
static void follow_start(const struct cuv_box *box, int report)
{
	struct cuv_program_report r = {0}, next;
	ssize_t n;

	for (;;) {
		n = read(report, &next, sizeof(next));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(next))
			break;
		r = next;
		if (r.error)
			fail(box, r.stage, -r.error);
	}
	if (r.at_ns)
		tell(box, &(struct cuv_box_event){.kind = CUV_BOX_STARTED, .at_ns = r.at_ns});
	cuv_close(report);
}

_noreturn_ static void reap(const struct cuv_box *box, pid_t program)
{
	struct cuv_box_event end = {.kind = CUV_BOX_ENDED};

	for (;;) {
		struct rusage usage;
		int status;
		pid_t pid = wait4(-1, &status, 0, &usage);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid == program || pid < 0) {
			end.at_ns = cuv_now_ns();
			end.wait_status = status;
			end.usage = usage;
			break;
		}
	}
	tell(box, &end);
	_exit(0);
}

void cuv_init_main(const struct cuv_box *box)
{
	enum cuv_stage stage = CUV_STAGE_IDS;
	int report = -1, gate = -1, r;
	pid_t program;

	(void)prctl(PR_SET_NAME, "cuvette-init");
	r = take_ids(box);
	if (r < 0)
		fail(box, CUV_STAGE_IDS, r);
	r = mount_all(box, &stage);
	if (r < 0)
		fail(box, stage, r);
	wait_for_keeper(box);
	program = fork_program(box, &report, &gate);
	if (program < 0)
		fail(box, CUV_STAGE_FORK, (int)program);
	give_up_rights(box, report, gate);
	follow_start(box, report);
	reap(box, program);
}
