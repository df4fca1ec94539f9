/* SPDX-License-Identifier: MIT */
/*
 * cuvette-zygote PYTHON packages|nothing [SKIP...]: an interpreter that has imported an
 * environment's packages and is forked for each run.
 *
 * It is in the place of `cd /box && PYTHON main.py args…`, and everything here is
 * judged by that: a program should not be able to tell. So it links the image's own
 * python (statically, as the image's interpreter is), configures it by the same
 * command line, and in the end calls Py_RunMain as that does.
 *
 *   interpreter.c  the start, with streams of the same kinds as a run's
 *   preload.c      imports the environment's packages, one by one. What an import
 *   state.c          changed outside its modules is put back; where that is not
 *                    possible the zygote executes itself anew and leaves that
 *                    package out, since a program that does not import it would see
 *                    what it did
 *   fork.c         for each order of the box maker: into the box's pid namespace,
 *   atfork.c         clone as a sibling, back. Fork handlers are run by us
 *   run.c          the child: namespaces, no rights, filter, hello; then it waits
 *                    for its RUN frame, puts files and streams in place, and runs
 *   script.c         what python asks of main.py before it runs it
 *   signals.c      dispositions for an exec
 *   finish.c       the end: at once where it makes no difference, otherwise python's
 *   quit.c         the end of the process, likewise
 *
 * The world it lives in is made by the launcher (worker-image/launcher/program.c):
 * ids, filter, capabilities of its own user namespace, no writable folder,
 * descriptors 0 to 2 on /dev/null and 3 the control socket. After the first import
 * it is foreign code, and nobody believes it anything.
 *
 * Exit status: 0 when the box maker has closed the control socket, else one of
 * enum status; python's own when it can't even start.
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/proto/frame.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define SKIPS_MAX 32

enum status {
	STATUS_USAGE = 64,
	STATUS_SYSTEM = 70,   /* a call failed */
	STATUS_PRINTED = 71,  /* a start prints, so each run must have its own */
	STATUS_PROTOCOL = 72, /* the box maker said something else */
};

/* The same program again, which leaves one more package out. */
static int again(char **argv, int argc, char *culprit)
{
	char *next[3 + SKIPS_MAX + 2];
	int i, r = cuv_state_restore_process();

	if (r < 0)
		return r;
	cuv_signals_default();
	/* Whatever a package opened. */
	if (close_range(CUV_ZYGOTE_CONTROL_FD + 1, ~0u, 0) < 0)
		return -errno;
	/* Too many that can't be had: the bare interpreter serves them all. */
	if (argc - 3 >= SKIPS_MAX) {
		char nothing[] = CUV_ZYGOTE_PRELOAD_NOTHING;
		char *bare[] = {argv[0], argv[1], nothing, NULL};

		execve("/proc/self/exe", bare, environ);
		return -errno;
	}
	for (i = 0; i < argc; i++)
		next[i] = argv[i];
	next[i++] = culprit;
	next[i] = NULL;
	execve("/proc/self/exe", next, environ);
	return -errno;
}

static int say_ready(const struct cuv_preload *p)
{
	const struct cuv_zygote_ready ready = {
		.version = CUV_ZYGOTE_VERSION, .imported = p->imported, .failed = p->failed, .import_ns = p->ns};
	ssize_t n = send(CUV_ZYGOTE_CONTROL_FD, &ready, sizeof(ready), MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(ready) ? 0 : -EIO;
}

/* Everything alive from here on is every run's: it leaves the collector's sight, so
 * that collections do not write to its pages. */
static int freeze(void)
{
	PyObject *modules = PyImport_GetModuleDict(), *known = PyDict_GetItemString(modules, "gc");
	PyObject *gc = PyImport_ImportModule("gc"), *r = NULL;

	(void)PyGC_Collect();
	if (gc)
		r = PyObject_CallMethod(gc, "freeze", NULL);
	/* A new interpreter has not loaded it. */
	if (!r || (!known && PyDict_DelItemString(modules, "gc") < 0))
		PyErr_Clear();
	Py_XDECREF(gc);
	Py_XDECREF(r);
	return r ? 0 : -ENOMEM;
}

int main(int argc, char **argv)
{
	struct cuv_preload preload = {0};
	bool packages, printed;
	char *culprit = NULL;
	int r;

	if (argc < 3)
		return STATUS_USAGE;
	packages = strcmp(argv[2], CUV_ZYGOTE_PRELOAD_PACKAGES) == 0;
	if (!packages && strcmp(argv[2], CUV_ZYGOTE_PRELOAD_NOTHING) != 0)
		return STATUS_USAGE;
	if (cuv_set_cloexec(CUV_ZYGOTE_CONTROL_FD, true) < 0 || chdir(CUV_BOX_WORK) < 0)
		return STATUS_SYSTEM;
	cuv_huge_start();
	r = cuv_interpreter_start(argv[1], &printed);
	if (r < 0)
		return STATUS_SYSTEM;
	if (printed)
		return STATUS_PRINTED;
	cuv_text_share();
	r = cuv_interpreter_remember();
	if (r == 0 && packages)
		r = cuv_preload_packages(argv[1], argv + 3, (size_t)argc - 3, &preload, &culprit);
	if (r == 1) {
		(void)cuv_set_cloexec(CUV_ZYGOTE_CONTROL_FD, false);
		(void)again(argv, argc, culprit);
		return STATUS_SYSTEM;
	}
	cuv_run_set_python(argv[1]);
	cuv_interpreter_find_cmdline();
	cuv_rehearse_start();
	cuv_script_prepare();
	if (r == 0)
		r = freeze();
	if (r == 0) {
		cuv_finish_prepare();
		cuv_quit_prepare();
		r = cuv_fork_prepare();
		cuv_frame_prepare();
		cuv_heap_fill();
		cuv_huge_collapse();
		cuv_rehearse_prepare(argv[1]);
	}
	if (r == 0)
		r = say_ready(&preload);
	if (r < 0)
		return STATUS_SYSTEM;
	/* Not through python's end: what it would flush or tell is nobody's. */
	_exit(cuv_fork_serve() < 0 ? STATUS_PROTOCOL : 0);
}
