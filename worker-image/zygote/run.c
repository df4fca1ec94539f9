/* SPDX-License-Identifier: MIT */
#define PY_SSIZE_T_CLEAN /* lengths of "y#" */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_interp.h>

#include "worker-image/zygote/zygote.h"

#include "lib/base/fd.h"
#include "worker-image/launcher/deliver.h"
#include "worker-image/launcher/privileges.h"
#include "worker-image/launcher/rlimits.h"
#include "worker-image/launcher/seccomp_delta.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEED_BYTES 32
#define MAIN_FILE "main.py"

static const char *run_python;

void cuv_run_set_python(const char *python)
{
	run_python = python;
}

void cuv_hello_send(int sock, enum cuv_zygote_step step, int r)
{
	const struct cuv_zygote_hello hello = {.version = CUV_ZYGOTE_VERSION, .step = step, .error = -r};

	/* Nobody there: then there is no run to wait for either. */
	(void)send(sock, &hello, sizeof(hello), MSG_NOSIGNAL);
}

_noreturn_ static void fail(int sock, enum cuv_zygote_step step, int r)
{
	cuv_hello_send(sock, step, r);
	_exit(CUV_ZYGOTE_REFUSED);
}

static int enter(const int fds[CUV_ZYGOTE_FDS])
{
	static const struct {
		enum cuv_zygote_fd fd;
		int type;
	} namespaces[] = {
		{CUV_ZYGOTE_FD_MNT, CLONE_NEWNS},	 {CUV_ZYGOTE_FD_NET, CLONE_NEWNET},
		{CUV_ZYGOTE_FD_IPC, CLONE_NEWIPC},	 {CUV_ZYGOTE_FD_UTS, CLONE_NEWUTS},
		{CUV_ZYGOTE_FD_CGROUP, CLONE_NEWCGROUP},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (setns(fds[namespaces[i].fd], namespaces[i].type) < 0)
			return -errno;
	return setsid() < 0 ? -errno : 0;
}

static int give_up_rights(void)
{
	const char *name;
	int r = cuv_privileges_drop_all();

	if (r < 0)
		return r;
	/* As an exec leaves it; the name is that of the file. */
	name = strrchr(run_python, '/');
	if (prctl(PR_SET_DUMPABLE, 1) < 0 || prctl(PR_SET_PDEATHSIG, 0) < 0 ||
	    prctl(PR_SET_NAME, name ? name + 1 : run_python) < 0)
		return -errno;
	return 0;
}

/* Calls module.function(args) if the module is loaded; false when it raises. */
static bool call_if_loaded(const char *module, const char *function, PyObject *args)
{
	PyObject *m = PyDict_GetItemString(PyImport_GetModuleDict(), module), *f, *r = NULL;

	if (!m || m == Py_None)
		return true;
	f = PyObject_GetAttrString(m, function);
	if (f)
		r = PyObject_CallObject(f, args);
	PyErr_Clear();
	Py_XDECREF(f);
	Py_XDECREF(r);
	return r != NULL;
}

/* Random states that would be each run's the same. `random` has a fork hook of its
 * own, libraries with pthread_atfork have had theirs; numpy's old global state has
 * none, and OpenSSL tells a fork by the process id, which is the same in each box. */
static int reseed(void)
{
	unsigned char seed[SEED_BYTES];
	PyObject *args;
	bool done;

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return -EIO;
	args = Py_BuildValue("(y#d)", (const char *)seed, (Py_ssize_t)sizeof(seed), (double)sizeof(seed));
	done = args && call_if_loaded("_ssl", "RAND_add", args) && call_if_loaded("numpy.random", "seed", NULL);
	Py_XDECREF(args);
	PyErr_Clear();
	return done ? 0 : -EIO;
}

/* Only what a cold run would execute for it: that python, that file. */
static int check_argv(const struct cuv_strv *argv)
{
	if (argv->n < 2 || strcmp(argv->items[0], run_python) != 0 || strcmp(argv->items[1], MAIN_FILE) != 0)
		return -EBADMSG;
	return 0;
}

/* A file beside main.py comes before packages and most of the standard library; an
 * interpreter that has loaded another of that name already would not look for it, and
 * neither would the packages that use it. */
static bool is_shadowed(const struct cuv_strv *files)
{
	size_t i;

	for (i = 0; i < files->n; i++) {
		char module[CUV_FILE_NAME_SIZE];

		snprintf(module, sizeof(module), "%.*s", (int)strcspn(files->items[i], "."), files->items[i]);
		if (cuv_interpreter_has_preloaded(module))
			return true;
	}
	return false;
}

/* What Py_RunMain leaves to main. */
_noreturn_ static void run(const struct cuv_run *m)
{
	int r;

	if (is_shadowed(&m->files)) {
		/* Already sealed, so that what would be forked may be executed as well. */
		cuv_signals_default();
		execve(m->argv.items[0], m->argv.items, environ);
		_exit(127);
	}
	r = cuv_interpreter_set_argv(m->argv.items, m->argv.n);
	if (r < 0)
		_exit(127);
	cuv_script_find_importer(MAIN_FILE);
	cuv_interpreter_restore_gc();
	cuv_quit(Py_RunMain());
}

static void close_rest(const int fds[CUV_ZYGOTE_FDS])
{
	int keep[] = {fds[CUV_ZYGOTE_FD_HELLO], fds[CUV_ZYGOTE_FD_ORDER], fds[CUV_ZYGOTE_FD_OUT],
		      fds[CUV_ZYGOTE_FD_ERR]};
	int r = cuv_close_others(keep, ARRAY_SIZE(keep));

	if (r < 0)
		fail(fds[CUV_ZYGOTE_FD_HELLO], CUV_ZYGOTE_STEP_PRIVILEGES, r);
}

/* Nothing is kept but the streams; the frame is forgotten and the run freed, for the
 * program's memory should hold none of ours. */
static void deliver(const int fds[CUV_ZYGOTE_FDS], struct cuv_run *ret)
{
	struct cuv_frame order = CUV_FRAME_INIT;
	int hello = fds[CUV_ZYGOTE_FD_HELLO], keep[] = {hello};
	int r = cuv_deliver_receive(fds[CUV_ZYGOTE_FD_ORDER], &order, ret);
	struct cuv_limits limits;

	if (r == 1)
		_exit(0);
	if (r == 0)
		r = check_argv(&ret->argv);
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_ORDER, r);
	r = cuv_deliver_files(ret, &order);
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_FILES, r);
	r = cuv_deliver_streams(&order, fds[CUV_ZYGOTE_FD_OUT], fds[CUV_ZYGOTE_FD_ERR], keep, ARRAY_SIZE(keep));
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_STREAMS, r);
	order.n_fds = 0; /* they are closed already */
	cuv_frame_forget(&order);
	/* All runs of a zygote have one user id, so the kernel would count them together;
	 * the pids cgroup counts each by itself. */
	limits = ret->limits;
	limits.value[CUV_LIMIT_PROCESSES] = RLIM_INFINITY;
	r = cuv_rlimits_set(&limits, false);
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_LIMITS, r);
	cuv_close(hello);
}

void cuv_run_child(const struct cuv_zygote_fork *q, const int fds[CUV_ZYGOTE_FDS])
{
	const int hello = fds[CUV_ZYGOTE_FD_HELLO];
	struct cuv_run m = CUV_RUN_INIT;
	int r = enter(fds);

	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_NAMESPACES, r);
	r = give_up_rights();
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_PRIVILEGES, r);
	close_rest(fds);
	r = cuv_seccomp_load_delta();
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_FILTER, r);
	r = reseed();
	if (r < 0)
		fail(hello, CUV_ZYGOTE_STEP_RANDOM, r);
	if (q->rehearse)
		cuv_rehearse_run();
	cuv_hello_send(hello, CUV_ZYGOTE_STEP_NONE, 0);
	deliver(fds, &m);
	run(&m);
}
