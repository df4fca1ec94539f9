/* SPDX-License-Identifier: MIT */
/*
 * What runs would each do for the first time is done before them. An interpreter
 * remembers where a type's attribute was found, and writes that down beside what other
 * runs have found; in the zygote it is written once for all.
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

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

void cuv_rehearse_run(void)
{
	run(small);
}

void cuv_rehearse_start(void)
{
	run(small);
	run(start);
}
