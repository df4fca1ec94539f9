/* SPDX-License-Identifier: MIT */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_interp.h>

#include "worker-image/zygote/cpython.h"
#include "worker-image/zygote/zygote.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAT_MAX 4096

/* Streams that a run's interpreter would find: a file, and two pipes. Python looks at
 * them once, at its start: whether they can seek, their block size. printed is the
 * other end of both pipes. */
static int open_streams(int *ret_printed)
{
	_cleanup_close_ int in = memfd_create("stdin", MFD_CLOEXEC), from = -1, to = -1;
	int out[2];

	if (in < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -errno;
	from = out[0];
	to = out[1];
	if (dup2(in, 0) < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0)
		return -errno;
	*ret_printed = TAKE_FD(from);
	return 0;
}

static int close_streams(void)
{
	_cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int i;

	if (null < 0)
		return -errno;
	for (i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return -errno;
	return 0;
}

/* As Py_BytesMain does it. */
static void start(const char *python)
{
	static char file[] = "main.py";
	char *argv[] = {(char *)(uintptr_t)python, file};
	PyConfig config;
	PyStatus status;

	PyConfig_InitPythonConfig(&config);
	status = PyConfig_SetBytesArgv(&config, ARRAY_SIZE(argv), argv);
	if (!PyStatus_Exception(status))
		status = Py_InitializeFromConfig(&config);
	PyConfig_Clear(&config);
	if (PyStatus_Exception(status))
		Py_ExitStatusException(status);
}

int cuv_interpreter_start(const char *python, bool *ret_printed)
{
	_cleanup_close_ int printed = -1;
	int r = open_streams(&printed), n = 0;

	if (r < 0)
		return r;
	start(python);
	if (ioctl(printed, FIONREAD, &n) < 0)
		return -errno;
	*ret_printed = n > 0;
	return close_streams();
}

/* --- what is new --- */

static PyObject *first_modules; /* a list of names */

static struct {
	int count[NUM_GENERATIONS];
	struct gc_generation_stats stats[NUM_GENERATIONS];
	Py_ssize_t long_lived_total, long_lived_pending;
} gc_start;

int cuv_interpreter_remember(void)
{
	const struct _gc_runtime_state *gc = &PyInterpreterState_Get()->gc;
	int i;

	for (i = 0; i < NUM_GENERATIONS; i++) {
		gc_start.count[i] = gc->generations[i].count;
		gc_start.stats[i] = gc->generation_stats[i];
	}
	gc_start.long_lived_total = gc->long_lived_total;
	gc_start.long_lived_pending = gc->long_lived_pending;
	first_modules = PyDict_Keys(PyImport_GetModuleDict());
	PyErr_Clear();
	return first_modules ? 0 : -ENOMEM;
}

bool cuv_interpreter_has_preloaded(const char *module)
{
	PyObject *name = PyUnicode_DecodeFSDefault(module);
	/* In doubt it has. */
	bool is = !name || (PyDict_Contains(PyImport_GetModuleDict(), name) != 0 &&
			    PySequence_Contains(first_modules, name) != 1);

	Py_XDECREF(name);
	PyErr_Clear();
	return is;
}

/* They say when the next collection comes, and so when cycles' finalizers run. */
void cuv_interpreter_restore_gc(void)
{
	struct _gc_runtime_state *gc = &PyInterpreterState_Get()->gc;
	int i;

	for (i = 0; i < NUM_GENERATIONS; i++) {
		gc->generations[i].count = gc_start.count[i];
		gc->generation_stats[i] = gc_start.stats[i];
	}
	gc->long_lived_total = gc_start.long_lived_total;
	gc->long_lived_pending = gc_start.long_lived_pending;
	cuv_py_unschedule_gc();
}

/* --- arguments --- */

static struct prctl_mm_map mm_map; /* exe_fd is set when it is known */
static bool mm_map_known;

/* Fields of /proc/self/stat by number, from 1; they lie after the name, which may
 * hold anything but ends with the last ')'. */
static int read_stat(uint64_t *fields, size_t n)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(STAT_MAX);
	const char *at;
	size_t i;
	int r = cuv_read_file(AT_FDCWD, "/proc/self/stat", &b);

	if (r < 0)
		return r;
	at = strrchr(cuv_buf_str(&b), ')');
	if (!at || at[1] != ' ' || !at[2])
		return -EBADMSG;
	at += 3; /* behind field 3, which is a letter */
	for (i = 4; i < n; i++) {
		char *end;

		if (*at != ' ')
			return -EBADMSG;
		/* Some are negative; none of those is used. */
		fields[i] = strtoull(at + 1, &end, 10);
		at = end;
	}
	return 0;
}

void cuv_interpreter_find_cmdline(void)
{
	enum {
		START_CODE = 26,
		END_CODE,
		START_STACK,
		START_DATA = 45,
		END_DATA,
		START_BRK,
		ARG_START,
		ARG_END,
		ENV_START,
		ENV_END,
		N
	};
	uint64_t f[N] = {0};

	if (read_stat(f, N) < 0)
		return;
	mm_map = (struct prctl_mm_map){
		.start_code = f[START_CODE],
		.end_code = f[END_CODE],
		.start_data = f[START_DATA],
		.end_data = f[END_DATA],
		.start_brk = f[START_BRK],
		.start_stack = f[START_STACK],
		.arg_start = f[ARG_START],
		.arg_end = f[ARG_END],
		.env_start = f[ENV_START],
		.env_end = f[ENV_END],
		.exe_fd = (uint32_t)-1,
	};
	mm_map_known = true;
}

/* Kernels without checkpoint and restore refuse it, and go on showing ours. */
static int set_cmdline(char *const *argv, size_t n)
{
	size_t bytes = 0, i, at = 0;
	char *text;

	if (!mm_map_known)
		return 0;
	for (i = 0; i < n; i++)
		bytes += strlen(argv[i]) + 1;
	text = malloc(bytes); /* the kernel's from now on */
	if (!text)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		memcpy(text + at, argv[i], strlen(argv[i]) + 1);
		at += strlen(argv[i]) + 1;
	}
	mm_map.arg_start = (uint64_t)(uintptr_t)text;
	mm_map.arg_end = mm_map.arg_start + bytes;
	mm_map.brk = (uint64_t)(uintptr_t)sbrk(0);
	if (prctl(PR_SET_MM, PR_SET_MM_MAP, &mm_map, sizeof(mm_map), 0) < 0)
		free(text);
	return 0;
}

/* The lists stay the same objects: a module may hold one. */
static int set_sys_list(const char *name, const PyWideStringList *words)
{
	PyObject *list = PySys_GetObject(name), *new = PyList_New(words->length);
	Py_ssize_t i;
	int r = list && new &&PyList_Check(list) ? 0 : -1;

	for (i = 0; r == 0 && i < words->length; i++) {
		PyObject *word = PyUnicode_FromWideChar(words->items[i], -1);

		r = word ? 0 : -1;
		if (word)
			PyList_SET_ITEM(new, i, word);
	}
	if (r == 0)
		r = PyList_SetSlice(list, 0, PY_SSIZE_T_MAX, new);
	Py_XDECREF(new);
	return r;
}

int cuv_interpreter_set_argv(char *const *argv, size_t n)
{
	PyConfig *config = &PyInterpreterState_Get()->config;
	PyConfig words;
	PyStatus status;
	int r = -ENOMEM;

	/* A configuration of its own decodes them as a start would. */
	PyConfig_InitPythonConfig(&words);
	words.parse_argv = 0;
	status = PyConfig_SetBytesArgv(&words, (Py_ssize_t)n, argv);
	if (!PyStatus_Exception(status)) {
		/* What both lists have is freed with the other configuration. */
		const PyWideStringList orig = config->orig_argv, old = config->argv;

		config->orig_argv = words.argv;
		words.argv = orig;
		status = PyConfig_SetBytesArgv(&words, (Py_ssize_t)n - 1, argv + 1);
		if (!PyStatus_Exception(status)) {
			config->argv = words.argv;
			words.argv = old;
			if (set_sys_list("argv", &config->argv) == 0 &&
			    set_sys_list("orig_argv", &config->orig_argv) == 0)
				r = set_cmdline(argv, n);
		}
	}
	PyConfig_Clear(&words);
	PyErr_Clear();
	return r;
}
