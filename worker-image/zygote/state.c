/* SPDX-License-Identifier: MIT */
/*
 * What an import may change of a process besides sys.modules. Three answers:
 *
 *   put back    the process's environment variables
 *   kept        what belongs to the modules and acts on them only: filters of
 *               warnings, handlers at exit, finders and path hooks, registered
 *               codecs, subclasses, fork hooks (docs/fidelity.md)
 *   refused     all that is looked at below: with it a program that does not
 *               import the package would run differently, and without it one
 *               that does
 */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_interp.h>

#include "worker-image/zygote/cpython.h"
#include "worker-image/zygote/zygote.h"

#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

/* Attributes of sys that must stay the same objects. */
static const char *const sys_objects[] = {
	"argv",		  "orig_argv",	    "path",	  "modules", "excepthook",  "displayhook",
	"unraisablehook", "breakpointhook", "stdin",	  "stdout",  "stderr",	    "__stdin__",
	"__stdout__",	  "__stderr__",	    "executable", "prefix",  "exec_prefix", "dont_write_bytecode",
	"warnoptions",	  "pycache_prefix",
};
/* Those of them that are lists and must have the same items. */
static const char *const sys_lists[] = {"argv", "orig_argv", "path", "warnoptions"};
static const int limits[] = {RLIMIT_NOFILE, RLIMIT_STACK, RLIMIT_NPROC, RLIMIT_FSIZE,  RLIMIT_DATA,
			     RLIMIT_CPU,    RLIMIT_CORE,  RLIMIT_AS,	RLIMIT_MEMLOCK};

static struct {
	char cwd[PATH_MAX];
	char *locale;
	mode_t mask;
	struct sigaction actions[_NSIG];
	sigset_t blocked;
	struct rlimit limits[ARRAY_SIZE(limits)];
	int tasks, fds, recursion, gc_enabled, gc_thresholds[NUM_GENERATIONS], dlopen_flags;
	struct cuv_strv environment;
	PyObject *objects[ARRAY_SIZE(sys_objects)];
	PyObject *lists[ARRAY_SIZE(sys_lists)];
	PyObject *builtins;
} was;

static int count_entries(const char *path)
{
	struct dirent *e;
	DIR *d = opendir(path);
	int n = 0;

	if (!d)
		return -errno;
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d);
	return n;
}

static mode_t get_umask(void)
{
	mode_t mask = umask(0);

	(void)umask(mask);
	return mask;
}

static void take_python(void)
{
	const PyInterpreterState *interp = PyInterpreterState_Get();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sys_objects); i++) {
		was.objects[i] = PySys_GetObject(sys_objects[i]);
		Py_XINCREF(was.objects[i]); /* or its address might come to be another's */
	}
	for (i = 0; i < ARRAY_SIZE(sys_lists); i++) {
		PyObject *list = PySys_GetObject(sys_lists[i]);

		was.lists[i] = list ? PySequence_List(list) : NULL;
	}
	was.builtins = PyDict_Copy(PyEval_GetBuiltins());
	PyErr_Clear();
	was.recursion = Py_GetRecursionLimit();
	was.gc_enabled = PyGC_IsEnabled();
	for (i = 0; i < NUM_GENERATIONS; i++)
		was.gc_thresholds[i] = interp->gc.generations[i].threshold;
	was.dlopen_flags = cuv_py_dlopen_flags(interp);
}

int cuv_state_take(void)
{
	const char *locale = setlocale(LC_ALL, NULL);
	size_t i;
	int s, r = 0;

	if (!getcwd(was.cwd, sizeof(was.cwd)))
		return -errno;
	was.locale = strdup(locale ? locale : "");
	if (!was.locale)
		return -ENOMEM;
	was.mask = get_umask();
	for (s = 1; s < _NSIG; s++)
		(void)sigaction(s, NULL, &was.actions[s]); /* two numbers are glibc's own */
	(void)sigprocmask(SIG_SETMASK, NULL, &was.blocked);
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (getrlimit(limits[i], &was.limits[i]) < 0)
			return -errno;
	was.tasks = count_entries("/proc/self/task");
	was.fds = count_entries("/proc/self/fd");
	for (i = 0; r == 0 && environ[i]; i++)
		r = cuv_strv_add(&was.environment, environ[i]);
	take_python();
	return r;
}

void cuv_state_done(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sys_objects); i++)
		Py_CLEAR(was.objects[i]);
	for (i = 0; i < ARRAY_SIZE(sys_lists); i++)
		Py_CLEAR(was.lists[i]);
	Py_CLEAR(was.builtins);
	cuv_strv_done(&was.environment);
	free(TAKE_PTR(was.locale));
}

/* Timers that go by the process: a run has none of its zygote's, but the zygote dies
 * of them, and they outlive an exec. */
static const int timers[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF};

static bool has_timers(void)
{
	struct itimerval t;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(timers); i++)
		if (getitimer(timers[i], &t) < 0 || t.it_value.tv_sec || t.it_value.tv_usec)
			return true;
	return false;
}

static void stop_timers(void)
{
	const struct itimerval none = {0};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(timers); i++)
		(void)setitimer(timers[i], &none, NULL);
}

int cuv_state_restore_process(void)
{
	size_t i;

	stop_timers();
	(void)umask(was.mask);
	/* What was lowered for good stays so; that package is left out next time. */
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		(void)setrlimit(limits[i], &was.limits[i]);
	environ = was.environment.items;
	return chdir(was.cwd) < 0 ? -errno : 0;
}

/* --- environment variables --- */

/* The value of the first len bytes of name in the list, or NULL. */
static const char *find_value(char *const *list, const char *name, size_t len)
{
	size_t i;

	for (i = 0; list && list[i]; i++)
		if (strncmp(list[i], name, len) == 0 && list[i][len] == '=')
			return list[i] + len + 1;
	return NULL;
}

/* Through os.environ where there is one, which holds a copy of its own. */
static void set_variable(const char *name, size_t len, const char *value)
{
	PyObject *os = PyDict_GetItemString(PyImport_GetModuleDict(), "os"), *map = NULL, *key, *text, *r = NULL;

	if (os)
		map = PyObject_GetAttrString(os, "environ");
	key = PyUnicode_DecodeFSDefaultAndSize(name, (Py_ssize_t)len);
	text = value ? PyUnicode_DecodeFSDefault(value) : NULL;
	if (map && key && value && text)
		(void)PyObject_SetItem(map, key, text);
	else if (map && key && !value)
		r = PyObject_CallMethod(map, "pop", "OO", key, Py_None);
	Py_XDECREF(r);
	Py_XDECREF(text);
	Py_XDECREF(key);
	Py_XDECREF(map);
	PyErr_Clear();
}

/* True when they are as they were. */
static bool restore_environment(void)
{
	struct cuv_strv now = CUV_STRV_INIT;
	size_t i, n = 0;
	int r = 0;

	for (i = 0; r == 0 && environ[i]; i++)
		r = cuv_strv_add(&now, environ[i]);
	for (i = 0; r == 0 && i < now.n; i++) {
		const size_t len = strcspn(now.items[i], "=");
		const char *value = find_value(was.environment.items, now.items[i], len);

		if (!value || strcmp(value, now.items[i] + len + 1) != 0)
			set_variable(now.items[i], len, value);
	}
	for (i = 0; r == 0 && i < was.environment.n; i++) {
		const char *item = was.environment.items[i];
		const size_t len = strcspn(item, "=");

		if (!find_value(environ, item, len))
			set_variable(item, len, item + len + 1);
	}
	cuv_strv_done(&now);
	/* Set behind os.environ's back, or by something that os.environ is not. */
	for (n = 0; r == 0 && environ[n]; n++) {
		const size_t len = strcspn(environ[n], "=");
		const char *value = find_value(was.environment.items, environ[n], len);

		if (!value || strcmp(value, environ[n] + len + 1) != 0)
			return false;
	}
	return r == 0 && n == was.environment.n;
}

/* --- looking --- */

static bool same_python(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sys_objects); i++)
		if (PySys_GetObject(sys_objects[i]) != was.objects[i])
			return false;
	for (i = 0; i < ARRAY_SIZE(sys_lists); i++) {
		PyObject *list = PySys_GetObject(sys_lists[i]);

		if (was.lists[i] && (!list || PyObject_RichCompareBool(list, was.lists[i], Py_EQ) != 1))
			return false;
	}
	return was.builtins && PyObject_RichCompareBool(PyEval_GetBuiltins(), was.builtins, Py_EQ) == 1;
}

static bool same_interpreter(void)
{
	const PyInterpreterState *interp = PyInterpreterState_Get();
	const PyThreadState *tstate = PyThreadState_Get();
	int i;

	for (i = 0; i < NUM_GENERATIONS; i++)
		if (interp->gc.generations[i].threshold != was.gc_thresholds[i])
			return false;
	return Py_GetRecursionLimit() == was.recursion && PyGC_IsEnabled() == was.gc_enabled && interp->gc.debug == 0 &&
	       cuv_py_dlopen_flags(interp) == was.dlopen_flags && !tstate->c_tracefunc && !tstate->c_profilefunc &&
	       !interp->audit_hooks && !cuv_py_is_monitored(interp);
}

static bool same_signals(void)
{
	sigset_t blocked;
	int s;

	(void)sigprocmask(SIG_SETMASK, NULL, &blocked);
	for (s = 1; s < _NSIG; s++) {
		struct sigaction now = {0};

		if (sigaction(s, NULL, &now) == 0 && now.sa_handler != was.actions[s].sa_handler)
			return false;
		if (sigismember(&blocked, s) != sigismember(&was.blocked, s))
			return false;
	}
	return true;
}

static bool same_limits(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit now;

		if (getrlimit(limits[i], &now) < 0 || now.rlim_cur != was.limits[i].rlim_cur ||
		    now.rlim_max != was.limits[i].rlim_max)
			return false;
	}
	return true;
}

static bool same_folder(void)
{
	char now[PATH_MAX];

	return getcwd(now, sizeof(now)) && strcmp(now, was.cwd) == 0 && get_umask() == was.mask;
}

static void flush(const char *name)
{
	PyObject *file = PySys_GetObject(name), *r = NULL;

	if (file && file != Py_None)
		r = PyObject_CallMethod(file, "flush", NULL);
	Py_XDECREF(r);
	PyErr_Clear();
}

/* Descriptor 1 is a file for as long as packages are imported. */
static bool has_printed(void)
{
	struct stat st;

	flush("stdout");
	flush("stderr");
	(void)fflush(stdout);
	return fstat(1, &st) < 0 || st.st_size != 0;
}

const char *cuv_state_check(void)
{
	const char *locale = setlocale(LC_ALL, NULL), *changed = NULL;

	if (has_printed())
		changed = "output";
	else if (count_entries("/proc/self/task") != was.tasks)
		changed = "threads";
	else if (count_entries("/proc/self/fd") != was.fds)
		changed = "descriptors";
	else if (!same_folder())
		changed = "folder";
	else if (strcmp(locale ? locale : "", was.locale) != 0)
		changed = "locale";
	else if (!same_signals() || has_timers())
		changed = "signals";
	else if (!same_limits())
		changed = "limits";
	else if (!same_python() || !same_interpreter())
		changed = "interpreter";
	else if (!restore_environment())
		changed = "environment";
	PyErr_Clear();
	return changed;
}
