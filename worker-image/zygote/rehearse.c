/* SPDX-License-Identifier: MIT */
/*
 * What runs would each do for the first time is done before them. An interpreter
 * remembers where a type's attribute was found, and writes that down beside what other
 * runs have found; in the zygote it is written once for all.
 *
 * And a run that waits has its own copies already of the pages that every run writes to: a
 * child of the zygote does what runs do, and looks which pages have become its own.
 */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_interp.h>

#include "worker-image/zygote/zygote.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES_MAX 512
#define RANGES_MAX 1024
#define PAGE_BYTES 4096ul
#define MAPS_BYTES_MAX (4u * 1024 * 1024)
#define TRIAL_MS 1000
#define LEFT_MS 100
#ifndef MADV_POPULATE_WRITE /* Linux 5.14 */
#define MADV_POPULATE_WRITE 23
#endif
/* /proc/self/pagemap: 64 bits for each page */
#define PRESENT (UINT64_C(1) << 63)
#define FROM_FILE (UINT64_C(1) << 61)
#define NOBODY_ELSES (UINT64_C(1) << 56)
#define ENTRIES 512

/* Of the usual kind. */
static const char small[] = "class A:\n"
			    "    def f(self, n):\n"
			    "        return {str(i): [i, (i, i + .5)] for i in range(n)}\n"
			    "def g(*a, **k):\n"
			    "    try:\n"
			    "        raise ValueError(len(a))\n"
			    "    except ValueError as e:\n"
			    "        return f'{e!r} {A().f(3)} %s' % sorted(k)\n"
			    "g(1, 2, b=3, a=4)\n";

/* What python does with a main.py and its output, by objects of its own, and by modules
 * that each interpreter has from its start. */
static const char start[] = "from _frozen_importlib_external import SourceFileLoader\n"
			    "SourceFileLoader('__main__', 'main.py')\n"
			    "with open('/dev/null', 'w') as f:\n"
			    "    print('a', 1, .5, [], file=f)\n"
			    "    f.flush()\n";

static void run(const char *text)
{
	PyObject *globals = PyDict_New(), *r = NULL;

	if (globals)
		r = PyRun_String(text, Py_file_input, globals, globals);
	Py_XDECREF(r);
	if (globals)
		PyDict_Clear(globals);
	Py_XDECREF(globals);
	PyErr_Clear();
}

void cuv_rehearse_start(void)
{
	run(small);
	run(start);
}

/* --- which pages --- */

static struct range {
	uintptr_t from, to;
} range[RANGES_MAX]; /* that can be written to */
static size_t n_ranges;
static uintptr_t written[PAGES_MAX]; /* pages that every run writes to */
static size_t n_written;

static int find_ranges(void)
{
	_cleanup_buf_ struct cuv_buf maps = CUV_BUF_INIT(MAPS_BYTES_MAX);
	char *line, *rest = NULL;
	int r = cuv_read_file(AT_FDCWD, "/proc/self/maps", &maps);

	for (line = r < 0 ? NULL : strtok_r((char *)(uintptr_t)cuv_buf_str(&maps), "\n", &rest);
	     line && n_ranges < RANGES_MAX; line = strtok_r(NULL, "\n", &rest)) {
		unsigned long from, to;
		char mode[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, mode) == 3 && strcmp(mode, "rw-p") == 0)
			range[n_ranges++] = (struct range){from, to};
	}
	return r;
}

/* Adds those of a range that are this process's alone. */
static void add_own(int pagemap, uintptr_t from, uintptr_t to)
{
	static uint64_t entry[ENTRIES];
	ssize_t n, i;

	for (; from < to && n_written < PAGES_MAX; from += (uintptr_t)n * PAGE_BYTES) {
		const size_t want = CUV_MIN((to - from) / PAGE_BYTES, (size_t)ENTRIES);

		n = pread(pagemap, entry, want * sizeof(entry[0]), (off_t)(from / PAGE_BYTES * sizeof(entry[0])));
		n /= (ssize_t)sizeof(entry[0]);
		if (n <= 0)
			return;
		for (i = 0; i < n && n_written < PAGES_MAX; i++)
			if ((entry[i] & (PRESENT | FROM_FILE | NOBODY_ELSES)) == (PRESENT | NOBODY_ELSES))
				written[n_written++] = from + (uintptr_t)i * PAGE_BYTES;
	}
}

/* What it writes to is charged to the zygote's group: where that is too much, it should not be the
 * zygote that is taken for it. And who ends all of the group it is in ends itself. */
static void be_expendable(void)
{
	_cleanup_close_ int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)cuv_write_all(fd, "1000", 4);
	(void)setsid();
}

/* A program of one line, run to its end as each is. */
_noreturn_ static void be_a_run(char *python, int answer)
{
	static const char line[] = "print('a')\n";
	int fd = memfd_create("main.py", MFD_CLOEXEC), pagemap;
	PyConfig *config = &PyInterpreterState_Get()->config;
	char path[32], *argv[] = {python, path};
	size_t i;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	be_expendable();
	if (fd < 0 || cuv_write_all(fd, line, sizeof(line) - 1) < 0 || cuv_interpreter_set_argv(argv, 2) < 0 ||
	    PyStatus_Exception(PyConfig_SetBytesString(config, &config->run_filename, path)))
		_exit(1);
	cuv_script_find_importer(path);
	cuv_interpreter_restore_gc();
	(void)Py_RunMain();
	pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	for (i = 0; i < n_ranges; i++)
		add_own(pagemap, range[i].from, range[i].to);
	_exit(cuv_write_all(answer, written, n_written * sizeof(written[0])) < 0);
}

/* What it says until it closes its end, or time is up. */
static size_t read_answer(int answer)
{
	struct pollfd p = {.fd = answer, .events = POLLIN};
	const uint64_t deadline = cuv_deadline_ms(TRIAL_MS);
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < sizeof(written)) {
		if (poll(&p, 1, cuv_deadline_poll_ms(deadline)) <= 0)
			return 0;
		n = read(answer, (char *)written + len, sizeof(written) - len);
		len += (size_t)CUV_MAX(n, 0);
	}
	return len;
}

/* It has ended, or will not; and what it has started would be taken for the zygote's. */
static void end_trial(pid_t pid)
{
	const uint64_t deadline = cuv_deadline_ms(LEFT_MS);

	(void)kill(pid, SIGKILL);
	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	/* The box maker waits for the others. */
	while (kill(-pid, 0) == 0 && cuv_now_ns() < deadline)
		(void)poll(NULL, 0, 1);
}

void cuv_rehearse_prepare(char *python)
{
	int answer[2];
	pid_t pid;

	if (find_ranges() < 0 || pipe2(answer, O_CLOEXEC) < 0)
		return;
	pid = _Fork();
	if (pid == 0)
		be_a_run(python, answer[1]);
	cuv_close(answer[1]);
	n_written = pid < 0 ? 0 : read_answer(answer[0]) / sizeof(written[0]);
	cuv_close(answer[0]);
	if (pid < 0)
		return;
	end_trial(pid);
}

/* Not by writing to them: of what a package's handlers for fork do there was nothing in the trial, so a
 * page may be gone. */
void cuv_rehearse_run(void)
{
	size_t i, n;

	for (i = 0; i < n_written; i += n) {
		for (n = 1; i + n < n_written && written[i + n] == written[i] + n * PAGE_BYTES; n++)
			;
		(void)madvise((void *)written[i], n * PAGE_BYTES, MADV_POPULATE_WRITE);
	}
}
