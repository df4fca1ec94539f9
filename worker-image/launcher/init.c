/* SPDX-License-Identifier: MIT */
/*
 * Pid 1 of a box. It begins with all capabilities in a user namespace that has no
 * id yet, and ends as a process without any right that waits:
 *
 *   1. the keeper maps the two ids; init takes its own, which is not the run's,
 *      asks to die with its keeper, and can't be traced any more
 *   2. /proc, /dev and the scratch folders are made, attached to nothing yet; the
 *      launcher's root gives way to a folder that has nothing but a place for it, where it is mounted, and the
 *      program's process is forked (program.c)
 *   3. here it waits until there is a run
 *   4. image and closure are opened in the store by name; the image is mounted over
 *      the empty folder and becomes the root, and all the rest is mounted in it
 *   5. when the keeper has set the limits the program's process writes the run's
 *      files; meanwhile the launcher's root is unmounted, and every capability and
 *      descriptor but a few goes; then the program may execute. Where what is mounted
 *      nowhere can be copied (Linux 6.15) the launcher's root goes in step 2, all but a copy of the
 *      store, and rights and descriptors before the keeper has set the limits; the
 *      copy's last descriptor is closed while the program begins
 *   6. it reaps; when the program ends it says how, and exits, and with pid 1
 *      the kernel kills whatever else is in the box
 *
 * Roots are changed in two ways. pivot_root looks at every process of the machine
 * for who has to be moved along, 0.2 ms with four hundred, so a run does not wait
 * for it: it is done ahead, for an empty folder. The image then becomes
 * the root by chroot, of init and of the program's process at once, which share what
 * chroot changes until then. What lies below it is that read-only folder.
 *
 * Where the program is a zygote, init keeps what making boxes in its own user
 * namespace needs, and goes on as the box maker (maker.h). Nobody waits for it, and
 * its namespace is copied for each box: there the image takes the launcher's root's place.
 */
#include "worker-image/launcher/box.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/kernel.h"
#include "worker-image/launcher/maker.h"
#include "worker-image/launcher/mounts.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORE_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define ZYGOTE_PID 32000 /* below every kernel's least maximum */
#define STORE_BYTES (1024 * 1024)
#define STORE_INODES (CUV_CLOSURE_MAX + 8)
#define OLD_ROOT "old" /* in the empty folder (host.c) */

static const struct {
	const char *text;
	enum cuv_layer layer;
} stages[_CUV_STAGE_MAX] = {
#define X(name, layer_name, what) [CUV_STAGE_##name] = {what, CUV_LAYER_##layer_name},
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

struct init {
	const struct cuv_box *box;
	struct cuv_run run;
	int store; /* O_PATH of the store, in our own mount namespace; with is_loose a copy that is mounted nowhere */
	bool is_loose;
	int below; /* O_PATH of the empty folder; -1: the launcher's root is still ours */
	int proc;  /* detached mounts */
	int dev;
	int nix;   /* becomes /nix/store */
	int probe; /* the root of one */
	int scratch[CUV_SCRATCH_N];
	pid_t program;
	int report; /* from the program's process */
	int gate;   /* to it */
};

static void tell(const struct init *in, const struct cuv_box_event *event)
{
	/* A keeper that is gone needs no telling: its death is ours. */
	if (send(in->box->status, event, sizeof(*event), MSG_NOSIGNAL) < 0)
		_exit(1);
}

_noreturn_ static void fail_item(const struct init *in, enum cuv_stage stage, int item, int r)
{
	tell(in, &(struct cuv_box_event){.kind = CUV_BOX_FAILED, .stage = stage, .item = item, .error = -r});
	_exit(1);
}

_noreturn_ static void fail(const struct init *in, enum cuv_stage stage, int r)
{
	fail_item(in, stage, 0, r);
}

/* True when the keeper's end of the socket is closed. */
static bool keeper_is_gone(const struct init *in)
{
	char byte;

	return recv(in->box->status, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static uid_t init_id(const struct init *in)
{
	return in->box->ids.separate ? CUV_INIT_INNER_UID : CUV_BOX_INNER_UID;
}

/* The keeper says 'go on' twice: when the ids are mapped, when the limits are set. */
static void wait_for_keeper(const struct init *in)
{
	char go;

	if (recv(in->box->status, &go, 1, 0) != 1)
		_exit(1);
}

static void take_ids(const struct init *in)
{
	const uid_t id = init_id(in);

	wait_for_keeper(in);
	/* The namespace has no id 0, so the capabilities stay. */
	if (setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		fail(in, CUV_STAGE_IDS, -errno);
	/* Not before: a change of ids takes the parent-death signal away. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		fail(in, CUV_STAGE_IDS, -errno);
	if (keeper_is_gone(in))
		_exit(1);
}

/* Leaves the launcher's root for the empty folder, and puts it there. */
static int leave_launcher(struct init *in)
{
	_cleanup_close_ int root = cuv_mount_copy("/mnt");
	int r = root < 0 ? root : cuv_mount_move(root, AT_FDCWD, "/mnt");

	if (r < 0)
		return r;
	if (chdir("/mnt") < 0 || syscall(SYS_pivot_root, ".", OLD_ROOT) < 0 || chdir("/") < 0)
		return -errno;
	in->below = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return in->below < 0 ? -errno : 0;
}

static void drop_old_root(const struct init *in)
{
	int r = 0;

	if (in->below < 0)
		r = cuv_mount_drop_old();
	else if (fchdir(in->below) < 0 || umount2(OLD_ROOT, MNT_DETACH) < 0 || chdir("/") < 0)
		r = -errno;
	if (r < 0)
		fail(in, CUV_STAGE_OLD_ROOT, r);
}

static void open_store(struct init *in)
{
	const char *path = in->below < 0 ? "/store" : "/" OLD_ROOT "/store";

	in->is_loose = in->below >= 0 && in->box->host->copies_loose;
	in->store = in->is_loose ? cuv_mount_copy(path) : open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (in->store < 0)
		fail(in, CUV_STAGE_STORE, in->is_loose ? in->store : -errno);
	/* The kernel makes us wait for all processors then, and a run would wait with us. */
	if (in->is_loose)
		drop_old_root(in);
}

/* What needs no run to be known. */
static void make_mounts(struct init *in)
{
	const struct cuv_tmpfs nix = {
		.size_bytes = STORE_BYTES, .inodes = STORE_INODES, .mode = 0555, .uid = init_id(in)};
	struct cuv_limits usual;
	int r;
	size_t i;

	/* While the launcher's own /proc is in sight: the kernel lets a user
	 * namespace have a /proc only where one is visible already. */
	if (in->box->host->proc_works) {
		in->proc = cuv_mount_proc();
		if (in->proc < 0)
			fail(in, CUV_STAGE_PROC, in->proc);
	}
	in->dev = cuv_mount_copy("/dev");
	if (in->dev < 0)
		fail(in, CUV_STAGE_DEV, in->dev);
	cuv_limits_default(&usual);
	for (i = 0; i < CUV_SCRATCH_N && !cuv_box_is_zygote(in->box); i++) {
		in->scratch[i] = cuv_scratch_make(i, &usual);
		if (in->scratch[i] < 0)
			fail(in, CUV_STAGE_SCRATCH, in->scratch[i]);
	}
	in->nix = cuv_mount_tmpfs(&nix, STORE_ATTR);
	if (in->nix < 0)
		fail_item(in, CUV_STAGE_STORE, -1, in->nix);
	if (in->box->probe)
		in->probe = cuv_mount_copy("/probe");
	r = cuv_box_is_zygote(in->box) ? 0 : leave_launcher(in);
	if (r < 0)
		fail(in, CUV_STAGE_OLD_ROOT, r);
	open_store(in);
}

/* A library that keeps a state of random numbers may know a fork by a pid that is not
 * the one it had. So a zygote has a pid that none of its runs comes to have. */
static pid_t fork_zygote(void)
{
	pid_t pid = ZYGOTE_PID;
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
	long r = syscall(SYS_clone3, &args, sizeof(args));

	return r < 0 ? fork() : (pid_t)r; /* where it can't be chosen: docs/fidelity.md */
}

/* With our root, whichever we choose. */
static pid_t fork_run(void)
{
	_cleanup_close_ int pidfd = -1;

	return cuv_kernel_clone(CLONE_FS, &pidfd);
}

static void fork_program(struct init *in)
{
	int report[2], gate[2];

	if (pipe2(report, O_CLOEXEC) < 0 || pipe2(gate, O_CLOEXEC) < 0)
		fail(in, CUV_STAGE_FORK, -errno);
	in->program = cuv_box_is_zygote(in->box) ? fork_zygote() : fork_run();
	if (in->program < 0)
		fail(in, CUV_STAGE_FORK, -errno);
	if (in->program == 0)
		cuv_program_main(in->box, report[1], gate[0]);
	cuv_close(report[1]);
	cuv_close(gate[0]);
	cuv_close(in->box->zygote);
	in->report = report[0];
	in->gate = gate[1];
}

static void take_order(struct init *in)
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	int r = cuv_frame_recv(in->box->status, &f);

	if (r == 1)
		_exit(0); /* the keeper is gone, or has no use for us */
	if (r == 0)
		r = cuv_run_get(&f.body, &in->run);
	if (r < 0)
		fail(in, CUV_STAGE_ORDER, r);
}

static int enter_image(const struct init *in, int mnt)
{
	int r;

	if (in->below < 0) {
		r = cuv_mount_move(mnt, AT_FDCWD, "/mnt");
		return r < 0 ? r : cuv_mount_pivot("/mnt");
	}
	r = cuv_mount_move(mnt, AT_FDCWD, "/");
	if (r == 0 && (fchdir(mnt) < 0 || chroot(".") < 0))
		r = -errno;
	return r;
}

static void mount_image(struct init *in)
{
	_cleanup_close_ int mnt = in->box->probe ? in->probe : cuv_mount_copy_store(in->store, in->run.image);
	int r;

	if (mnt < 0)
		fail(in, CUV_STAGE_IMAGE, mnt);
	r = enter_image(in, mnt);
	if (r < 0)
		fail(in, CUV_STAGE_PIVOT, r);
}

/* /nix/store with the closure's paths and nothing else. */
static void mount_store(struct init *in)
{
	const struct cuv_strv *names = &in->run.closure;
	const int mnt = in->nix;
	size_t i;
	int r;

	if (names->n == 0)
		return; /* the image's own folder is empty and read-only */
	r = cuv_mount_move(mnt, AT_FDCWD, "/nix/store");
	if (r < 0)
		fail_item(in, CUV_STAGE_STORE, -1, r);
	for (i = 0; i < names->n; i++) {
		_cleanup_close_ int path = cuv_mount_copy_store(in->store, names->items[i]);

		r = path < 0 ? path : 0;
		if (r == 0 && mkdirat(mnt, names->items[i], 0555) < 0)
			r = -errno;
		if (r == 0)
			r = cuv_mount_move(path, mnt, names->items[i]);
		if (r < 0)
			fail_item(in, CUV_STAGE_STORE, (int)i, r);
	}
	r = cuv_mount_restrict(mnt, MOUNT_ATTR_RDONLY, false);
	if (r < 0)
		fail_item(in, CUV_STAGE_STORE, -1, r);
}

/* The ones made ahead have the usual limits; others are made now. */
static void mount_scratch(struct init *in)
{
	struct cuv_limits usual;
	size_t i;
	int r;

	cuv_limits_default(&usual);
	for (i = 0; i < CUV_SCRATCH_N; i++) {
		if (!cuv_scratch_same(i, &in->run.limits, &usual)) {
			cuv_close(in->scratch[i]);
			in->scratch[i] = cuv_scratch_make(i, &in->run.limits);
		}
		r = in->scratch[i] < 0 ? in->scratch[i] : cuv_scratch_place(i, in->scratch[i]);
		if (r < 0)
			fail(in, CUV_STAGE_SCRATCH, r);
	}
}

static void mount_all(struct init *in)
{
	int r;

	mount_image(in);
	mount_store(in);
	r = cuv_mount_move(in->dev, AT_FDCWD, "/dev");
	if (r < 0)
		fail(in, CUV_STAGE_DEV, r);
	if (!cuv_box_is_zygote(in->box)) /* it has nothing to write to; its boxes get their own */
		mount_scratch(in);
	r = in->proc < 0 ? 0 : cuv_mount_move(in->proc, AT_FDCWD, "/proc");
	if (r < 0)
		fail(in, CUV_STAGE_PROC, r);
	/* The program's process keeps this root, and has its own working folder from here on. */
	if (unshare(CLONE_FS) < 0)
		fail(in, CUV_STAGE_PIVOT, -errno);
}

/* One that has died already has left its reason in the report. */
static void open_gate(const struct init *in)
{
	if (write(in->gate, "g", 1) < 0 && errno != EPIPE)
		_exit(1);
}

static void give_up_rights(struct init *in)
{
	const bool zygote = cuv_box_is_zygote(in->box);
	int keep[] = {in->box->status, in->report,	 in->gate,
		      in->box->boxes,  in->box->control, in->is_loose ? in->store : -1},
	    null, i, r;

	r = cuv_close_others(keep, ARRAY_SIZE(keep));
	if (r == 0)
		r = zygote ? cuv_privileges_keep_maker() : cuv_privileges_drop_all();
	if (r < 0)
		fail(in, CUV_STAGE_PRIVILEGES, r);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (i = 0; null >= 0 && i < 3; i++)
		(void)dup2(null, i);
	cuv_close(null);
}

/* Waits until the program's process executes (then the pipe closes by itself),
 * dies, or says what is wrong. */
static void follow_start(struct init *in)
{
	struct cuv_program_report r;
	ssize_t n;

	do
		n = read(in->report, &r, sizeof(r));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)sizeof(r))
		fail(in, r.stage, -r.error);
	cuv_close(in->report);
}

_noreturn_ static void reap(const struct init *in)
{
	struct cuv_box_event end = {.kind = CUV_BOX_ENDED};

	for (;;) {
		struct rusage usage;
		int status;
		pid_t pid = wait4(-1, &status, 0, &usage);

		if (pid < 0 && errno == EINTR)
			continue;
		cuv_assert(pid > 0); /* the program is ours to wait for */
		if (pid == in->program) {
			end.at_ns = cuv_now_ns();
			end.wait_status = status;
			end.usage = usage;
			break;
		}
	}
	/* Who is left in a pid namespace is below its init: without a child it has nobody. */
	end.alone = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
	tell(in, &end);
	_exit(0);
}

void cuv_init_main(const struct cuv_box *box)
{
	struct init in = {.box = box, .proc = -1, .below = -1, .probe = -1};
	int r;

	(void)prctl(PR_SET_NAME, "cuvette-init");
	take_ids(&in);
	make_mounts(&in);
	if (cuv_box_is_zygote(box))
		fork_program(&in); /* it locks what it keeps itself */
	r = cuv_privileges_lock(); /* what is held is still needed, more never */
	if (r < 0)
		fail(&in, CUV_STAGE_PRIVILEGES, r);
	if (!cuv_box_is_zygote(box))
		fork_program(&in);
	take_order(&in);
	mount_all(&in);
	if (in.is_loose)
		give_up_rights(&in);
	wait_for_keeper(&in);
	open_gate(&in);
	if (!in.is_loose) {
		drop_old_root(&in);
		give_up_rights(&in);
	}
	open_gate(&in);
	cuv_close(in.gate);
	/* It goes with its last descriptor, and again the kernel makes us wait for all processors. */
	if (in.is_loose)
		cuv_close(in.store);
	follow_start(&in);
	if (cuv_box_is_zygote(box))
		cuv_maker_main(box, in.program);
	reap(&in);
}
