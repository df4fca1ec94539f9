/* SPDX-License-Identifier: MIT */
/*
 * Where one release of CPython keeps its state otherwise than another: the same
 * questions for all that there are images of (3.11 and 3.13). To be included by sources
 * that define Py_BUILD_CORE.
 */
#ifndef CUV_ZYGOTE_CPYTHON_H
#define CUV_ZYGOTE_CPYTHON_H

#include <Python.h>
#include <internal/pycore_ceval.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_runtime.h>

#include <stdbool.h>

#if PY_VERSION_HEX < 0x030c0000

static inline int cuv_py_dlopen_flags(const PyInterpreterState *interp)
{
	return interp->dlopenflags;
}

/* Functions in C that are called at the end, of the process and of the interpreter. */
static inline bool cuv_py_has_exit_functions(const PyInterpreterState *interp)
{
	(void)interp;
	return _PyRuntime.nexitfuncs != 0;
}

/* Somebody in C who watches all interpreters. */
static inline bool cuv_py_has_runtime_hooks(void)
{
	return _PyRuntime.audit_hook_head != NULL;
}

/* A tool of sys.monitoring is registered. */
static inline bool cuv_py_is_monitored(const PyInterpreterState *interp)
{
	(void)interp;
	return false;
}

/* From here on no thread begins. */
static inline void cuv_py_set_finalizing(PyInterpreterState *interp)
{
	(void)interp;
}

/* A collection that has been asked for, and waits for its moment, is none any more. */
static inline void cuv_py_unschedule_gc(void)
{
}

/* True when no code of the generator catches what is thrown into it. */
static inline bool cuv_py_catches_nothing(PyGenObject *g)
{
	return PyBytes_GET_SIZE(g->gi_code->co_exceptiontable) == 0;
}

#else

static inline int cuv_py_dlopen_flags(const PyInterpreterState *interp)
{
	return interp->imports.dlopenflags;
}

static inline bool cuv_py_has_exit_functions(const PyInterpreterState *interp)
{
	return _PyRuntime.atexit.ncallbacks != 0 || interp->atexit.ll_callbacks;
}

static inline bool cuv_py_has_runtime_hooks(void)
{
	return _PyRuntime.audit_hooks.head != NULL;
}

static inline bool cuv_py_is_monitored(const PyInterpreterState *interp)
{
	size_t i;

	for (i = 0; i < PY_MONITORING_TOOL_IDS; i++)
		if (interp->monitoring_tool_names[i])
			return true;
	return false;
}

static inline void cuv_py_set_finalizing(PyInterpreterState *interp)
{
	interp->finalizing = 1;
}

static inline void cuv_py_unschedule_gc(void)
{
	_Py_unset_eval_breaker_bit(PyThreadState_Get(), _PY_GC_SCHEDULED_BIT);
}

/* Each generator has one handler of the compiler's own, around all of it, which turns a
 * StopIteration into a RuntimeError. Bit 7 is set in an entry's first byte alone. */
static inline bool cuv_py_catches_nothing(PyGenObject *g)
{
	PyCodeObject *code = PyGen_GetCode(g);
	const char *table = PyBytes_AS_STRING(code->co_exceptiontable);
	Py_ssize_t i, n = PyBytes_GET_SIZE(code->co_exceptiontable), entries = 0;

	for (i = 0; i < n; i++)
		entries += (table[i] & 0x80) != 0;
	Py_DECREF(code);
	return entries <= 1;
}

#endif

#endif
