/* SPDX-License-Identifier: MIT */
/*
 * The end of a run's interpreter. Py_RunMain ends by Py_FinalizeEx, which takes
 * everything apart: modules, types, each object, and with that it writes to nearly
 * every page that is still shared with the zygote. It costs several times what a
 * small program does, and mostly nothing comes of it.
 *
 * So the linker leads the calls of Py_FinalizeEx and Py_Exit here (-Wl,--wrap). The
 * parts that run python code on purpose are done as there and in its order: threads
 * are waited for, handlers at exit are called. Then all objects that came into being
 * since the zygote was frozen are looked at. If the end of none of them can do
 * anything that is seen from outside, the streams are flushed and that is it.
 * Otherwise, and whenever something is out of the ordinary, the real Py_FinalizeEx
 * does it, which finds the parts already done to be done.
 *
 * What can be seen from outside: __del__, callbacks of weak references, the finally
 * of a generator that waits, files with unwritten bytes, warnings about what was not
 * closed, and ends in C with effects of their own (a database rolls back). The rule
 * is the careful way round: classes written in python are harmless without __del__,
 * generators and files by their state, types in C if their module is listed here.
 */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_ceval.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_genobject.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_pylifecycle.h>
#include <internal/pycore_runtime.h>

#include "worker-image/zygote/cpython.h"
#include "worker-image/zygote/zygote.h"

int __real_Py_FinalizeEx(void);
int __wrap_Py_FinalizeEx(void);
_noreturn_ void __wrap_Py_Exit(int status);

#define DEPTH_MAX 8 /* containers in containers that the collector does not know */

/* Modules whose types written in C do nothing at their end but free memory, or close
 * what the kernel closes anyway. Types with a finalizer are looked at before. Not
 * here for a reason: sqlite3 (rolls back, and removes its journal), _dbm, _gdbm
 * (write), _io, _asyncio (by state only), _curses. */
static const char *const harmless_modules[] = {
	"_abc",
	"_ast",
	"ast",
	"_bisect",
	"_blake2",
	"_bz2",
	"_collections",
	"_contextvars",
	"_csv",
	"_ctypes",
	"_datetime",
	"_decimal",
	"_elementtree",
	"_functools",
	"_hashlib",
	"_heapq",
	"_json",
	"_lsprof",
	"_lzma",
	"_md5",
	"_multibytecodec",
	"_operator",
	"_pickle",
	"_posixsubprocess",
	"_queue",
	"_random",
	"_sha1",
	"_sha2",
	"_sha256",
	"_sha3",
	"_sha512",
	"_socket",
	"_sre",
	"_ssl",
	"_statistics",
	"_string",
	"_struct",
	"_thread",
	"_tokenize",
	"_tracemalloc",
	"_typing",
	"_uuid",
	"_warnings",
	"_weakref",
	"_weakrefset",
	"_winapi",
	"_xxsubinterpreters",
	"_zoneinfo",
	"array",
	"binascii",
	"builtins",
	"collections",
	"ctypes",
	"contextvars",
	"datetime",
	"decimal",
	"functools",
	"grp",
	"hashlib",
	"itertools",
	"math",
	"mmap",
	"operator",
	"os",
	"posix",
	"pwd",
	"pyexpat",
	"re",
	"resource",
	"select",
	"signal",
	"string",
	"struct",
	"sys",
	"termios",
	"time",
	"traceback",
	"types",
	"typing",
	"unicodedata",
	"weakref",
	"xml",
	"zlib",
	"zoneinfo",
	/* of packages; looked through for ends with effects */
	"numpy",
	"pandas",
};

/* Types without a module's name that are not the interpreter's own. */
static const char *const harmless_names[] = {"cython_function_or_method", "fused_cython_function", "generator"};

extern char __data_start, _end; /* of this program, the interpreter in it */

static destructor python_dealloc; /* of every class that is written in python */
static bool always_orderly;	  /* the zygote itself has left something to be ended */

/* --- types --- */

static bool is_listed(const char *const *list, size_t n, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strlen(list[i]) == len && memcmp(list[i], s, len) == 0)
			return true;
	return false;
}

static bool is_own(const void *p)
{
	return (const char *)p >= &__data_start && (const char *)p < &_end;
}

/* Judges a type by itself, whatever the object's state. */
static bool judge_type(PyTypeObject *t)
{
	const char *dot;

	if (t->tp_finalize || t->tp_del)
		return false;
	while (t && t->tp_dealloc == python_dealloc)
		t = t->tp_base;
	if (!t)
		return false;
	dot = strchr(t->tp_name, '.');
	if (dot)
		return is_listed(harmless_modules, ARRAY_SIZE(harmless_modules), t->tp_name,
				 (size_t)(dot - t->tp_name));
	return is_own(t) || is_listed(harmless_names, ARRAY_SIZE(harmless_names), t->tp_name, strlen(t->tp_name));
}

#define CACHE_SIZE 256 /* a power of two */
static struct {
	PyTypeObject *type;
	bool harmless;
} cache[CACHE_SIZE];

static bool is_harmless_type(PyTypeObject *t)
{
	const size_t i = ((uintptr_t)t >> 5) % CACHE_SIZE;

	if (cache[i].type != t) {
		cache[i].harmless = judge_type(t);
		cache[i].type = t;
	}
	return cache[i].harmless;
}

/* --- objects whose state decides --- */

/* One that has not begun, or has ended, or waits where no exception is caught. */
static bool is_harmless_generator(PyGenObject *g)
{
	PyObject *from;

	if (g->gi_frame_state >= FRAME_COMPLETED)
		return true;
	if (!PyGen_CheckExact(g))
		return false; /* a coroutine that was never awaited is complained about */
	if (g->gi_frame_state == FRAME_CREATED)
		return true;
	if (!cuv_py_catches_nothing(g))
		return false;
	from = _PyGen_yf(g);
	Py_XDECREF(from);
	return !from;
}

static PyTypeObject *io_type(const char *name)
{
	PyObject *io = PyDict_GetItemString(PyImport_GetModuleDict(), "_io"), *type = NULL;

	if (io)
		type = PyObject_GetAttrString(io, name);
	PyErr_Clear();
	Py_XDECREF(type); /* static types all */
	return type && PyType_Check(type) ? (PyTypeObject *)type : NULL;
}

static PyTypeObject *memory_files[2], *real_files[5];

static void find_io_types(void)
{
	static const char *const memory[] = {"BytesIO", "StringIO"};
	static const char *const real[] = {"FileIO", "BufferedReader", "BufferedWriter", "BufferedRandom",
					   "TextIOWrapper"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(memory); i++)
		memory_files[i] = io_type(memory[i]);
	for (i = 0; i < ARRAY_SIZE(real); i++)
		real_files[i] = io_type(real[i]);
}

/* A file in memory, or a closed one. */
static bool is_harmless_file(PyObject *o)
{
	PyObject *closed;
	size_t i;
	bool yes;

	for (i = 0; i < ARRAY_SIZE(memory_files); i++)
		if (Py_TYPE(o) == memory_files[i])
			return true;
	for (i = 0; i < ARRAY_SIZE(real_files); i++)
		if (Py_TYPE(o) == real_files[i])
			break;
	if (i == ARRAY_SIZE(real_files))
		return false;
	closed = PyObject_GetAttrString(o, "closed");
	yes = closed == Py_True;
	Py_XDECREF(closed);
	PyErr_Clear();
	return yes;
}

/* No callback, or one that only takes an entry out of a dictionary: those of the
 * weak containers, and those written in C. */
static bool is_harmless_reference(PyObject *o)
{
	PyObject *callback = ((PyWeakReference *)o)->wr_callback, *module;

	if (!callback || PyCFunction_Check(callback))
		return true;
	if (!PyFunction_Check(callback))
		return false;
	module = ((PyFunctionObject *)callback)->func_module;
	return module && PyUnicode_Check(module) &&
	       (PyUnicode_CompareWithASCIIString(module, "weakref") == 0 ||
		PyUnicode_CompareWithASCIIString(module, "_weakrefset") == 0);
}

/* Objects of such a class are not the collector's, so they could not be found. */
static bool is_hidden_class(PyObject *o)
{
	const PyTypeObject *t = (PyTypeObject *)o;

	return PyType_Check(o) && t->tp_dealloc == python_dealloc &&
	       !PyType_HasFeature((PyTypeObject *)o, Py_TPFLAGS_HAVE_GC) && (t->tp_finalize || t->tp_del);
}

static bool is_harmless(PyObject *o)
{
	PyTypeObject *t = Py_TYPE(o);

	if (PyWeakref_Check(o) && !is_harmless_reference(o))
		return false;
	if (is_hidden_class(o))
		return false;
	if (is_harmless_type(t))
		return true;
	if (t == &PyGen_Type || t == &PyCoro_Type || t == &PyAsyncGen_Type)
		return is_harmless_generator((PyGenObject *)o);
	return is_harmless_file(o);
}

/* --- all objects --- */

/* Visits what a container holds. What the collector tracks is met by itself; the
 * rest is judged here. Stops at the first that is not harmless. */
static int visit(PyObject *o, void *depth)
{
	int next;

	if (!o || (PyObject_IS_GC(o) && _PyObject_GC_IS_TRACKED(o)))
		return 0;
	if (!is_harmless(o))
		return 1;
	if (!PyObject_IS_GC(o) || !Py_TYPE(o)->tp_traverse || PyType_Check(o))
		return 0;
	next = *(int *)depth + 1;
	return next > DEPTH_MAX || Py_TYPE(o)->tp_traverse(o, visit, &next);
}

static bool is_harmless_with_contents(PyObject *o)
{
	int depth = 0;

	if (!is_harmless(o))
		return false;
	return !Py_TYPE(o)->tp_traverse || Py_TYPE(o)->tp_traverse(o, visit, &depth) == 0;
}

static bool is_harmless_list(PyGC_Head *head)
{
	PyGC_Head *at;

	for (at = _PyGCHead_NEXT(head); at != head; at = _PyGCHead_NEXT(at))
		if (!is_harmless_with_contents((PyObject *)(at + 1)))
			return false;
	return true;
}

/* The names of __main__ are in a dictionary that is older than the run. */
static bool main_is_harmless(void)
{
	PyObject *m = PyDict_GetItemString(PyImport_GetModuleDict(), "__main__");
	int depth = 0;

	return !m || !PyModule_Check(m) || PyDict_Type.tp_traverse(PyModule_GetDict(m), visit, &depth) == 0;
}

static bool all_harmless(PyInterpreterState *interp)
{
	int i;

	for (i = 0; i < NUM_GENERATIONS; i++)
		if (!is_harmless_list(&interp->gc.generations[i].head))
			return false;
	return main_is_harmless();
}

void cuv_finish_prepare(void)
{
	PyInterpreterState *interp = PyInterpreterState_Get();
	PyObject *spec = PyDict_GetItemString(PyImport_GetModuleDict(), "_frozen_importlib");
	PyObject *class = spec ? PyObject_GetAttrString(spec, "ModuleSpec") : NULL;
	PyGC_Head *head = &interp->gc.permanent_generation.head, *at;

	if (!class || !PyType_Check(class)) {
		PyErr_Clear();
		Py_XDECREF(class);
		always_orderly = true;
		return;
	}
	python_dealloc = ((PyTypeObject *)class)->tp_dealloc;
	Py_DECREF(class);
	find_io_types();
	/* Files are the standard streams', and what modules left open they left open in
	 * the zygote: there is nothing in them that a run wrote. */
	for (at = _PyGCHead_NEXT(head); at != head && !always_orderly; at = _PyGCHead_NEXT(at)) {
		PyObject *o = (PyObject *)(at + 1);

		always_orderly = is_hidden_class(o) || (Py_TYPE(o)->tp_dealloc == python_dealloc &&
							(Py_TYPE(o)->tp_finalize || Py_TYPE(o)->tp_del));
	}
}

/* --- the end --- */

/* More than one thread or interpreter, somebody who watches, or something that runs
 * in C at the end. */
static bool is_ordinary(const PyThreadState *tstate)
{
	const PyInterpreterState *interp = tstate->interp;
	const struct _gc_runtime_state *gc = &interp->gc;

	return !always_orderly && python_dealloc && interp == _PyRuntime.interpreters.main && !interp->next &&
	       _PyRuntime.interpreters.head == interp && interp->threads.head == tstate && !tstate->next &&
	       !tstate->c_tracefunc && !tstate->c_profilefunc && !interp->audit_hooks && !cuv_py_is_monitored(interp) &&
	       !cuv_py_has_runtime_hooks() && !cuv_py_has_exit_functions(interp) && gc->debug == 0 &&
	       (!gc->callbacks || PyList_GET_SIZE(gc->callbacks) == 0) &&
	       (!gc->garbage || PyList_GET_SIZE(gc->garbage) == 0);
}

static void wait_for_threads(void)
{
	PyObject *threading = PyDict_GetItemString(PyImport_GetModuleDict(), "threading"), *r;

	if (!threading)
		return;
	Py_INCREF(threading);
	r = PyObject_CallMethod(threading, "_shutdown", NULL);
	if (!r)
		PyErr_WriteUnraisable(threading);
	Py_XDECREF(r);
	Py_DECREF(threading);
}

/* False when it can't be, which Py_FinalizeEx will then say in its way, and when it
 * is another than the first: that one may hold text too, and is older than the run. */
static bool flush(const char *name, const char *first)
{
	PyObject *file = PySys_GetObject(name), *r;
	bool done = true;

	if (!file || file == Py_None || file != PySys_GetObject(first))
		return false;
	Py_INCREF(file);
	r = PyObject_GetAttrString(file, "closed");
	if (r != Py_True) {
		PyErr_Clear();
		Py_XDECREF(r);
		r = PyObject_CallMethod(file, "flush", NULL);
		done = r != NULL;
	}
	PyErr_Clear();
	Py_XDECREF(r);
	Py_DECREF(file);
	return done;
}

/* All that the zygote has made is the collector's again, as what is oldest: then
 * what refers to each other in modules dies with them, and in the usual order. */
static void thaw(struct _gc_runtime_state *gc)
{
	PyGC_Head *frozen = &gc->permanent_generation.head, *oldest = &gc->generations[NUM_GENERATIONS - 1].head;
	PyGC_Head *first = _PyGCHead_NEXT(frozen), *last = _PyGCHead_PREV(frozen), *next = _PyGCHead_NEXT(oldest);

	if (first == frozen)
		return;
	_PyGCHead_SET_NEXT(oldest, first);
	_PyGCHead_SET_PREV(first, oldest);
	_PyGCHead_SET_NEXT(last, next);
	_PyGCHead_SET_PREV(next, last);
	_PyGCHead_SET_NEXT(frozen, frozen);
	_PyGCHead_SET_PREV(frozen, frozen);
}

static int finish_orderly(PyThreadState *tstate)
{
	if (tstate)
		thaw(&tstate->interp->gc);
	return __real_Py_FinalizeEx();
}

int __wrap_Py_FinalizeEx(void)
{
	PyThreadState *tstate = Py_IsInitialized() ? PyThreadState_Get() : NULL;

	if (!tstate || !is_ordinary(tstate))
		return finish_orderly(tstate);
	cuv_py_set_finalizing(tstate->interp);
	wait_for_threads();
	_Py_FinishPendingCalls(tstate);
	_PyAtExit_Call(tstate->interp);
	memset(cache, 0, sizeof(cache)); /* classes may have changed */
	if (!is_ordinary(tstate) || !all_harmless(tstate->interp) || !flush("stdout", "__stdout__") ||
	    !flush("stderr", "__stderr__"))
		return finish_orderly(tstate);
	return 0;
}

void __wrap_Py_Exit(int status)
{
	if (__wrap_Py_FinalizeEx() < 0)
		status = 120;
	cuv_quit(status);
}
