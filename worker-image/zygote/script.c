/* SPDX-License-Identifier: MIT */
/*
 * The program's file before it is run. Python first asks each of sys.path_hooks whether
 * it is a folder or an archive with a __main__ inside, which raises and catches an
 * exception in each: a fifth of what a small program computes. For a file without the
 * mark that ends an archive's table the answer is known, and is put where python
 * puts it.
 */
#define Py_BUILD_CORE
#include <Python.h>
#include <internal/pycore_interp.h>

#include "worker-image/zygote/cpython.h"
#include "worker-image/zygote/zygote.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOKED_AT_BYTES (16ul * 1024) /* a longer file is python's to look at */

static const char archive_end[] = {'P', 'K', 5, 6};

static bool hooks_are_pythons; /* nobody has added or taken one */

static PyObject *module(const char *name)
{
	return PyDict_GetItemString(PyImport_GetModuleDict(), name);
}

void cuv_script_prepare(void)
{
	PyObject *hooks = PySys_GetObject("path_hooks"), *zip = module("zipimport"), *folder,
		 *external = module("_frozen_importlib_external"), *importer;

	if (!hooks || !PyList_CheckExact(hooks) || PyList_GET_SIZE(hooks) != 2 || !zip || !external)
		return;
	importer = PyObject_GetAttrString(zip, "zipimporter");
	folder = PyList_GET_ITEM(hooks, 1);
	hooks_are_pythons = importer == PyList_GET_ITEM(hooks, 0) && PyFunction_Check(folder) &&
			    PyFunction_GET_GLOBALS(folder) == PyModule_GetDict(external);
	Py_XDECREF(importer);
	PyErr_Clear();
}

static bool is_watched(void)
{
	return PyInterpreterState_Get()->audit_hooks || cuv_py_has_runtime_hooks();
}

static bool is_archive_or_unknown(const char *file)
{
	_cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL; /* a large array would have the whole stack that it takes copied */
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > (off_t)LOOKED_AT_BYTES)
		return true;
	text = malloc((size_t)st.st_size + 1);
	n = text ? read(fd, text, (size_t)st.st_size) : -1;
	return n != st.st_size || memmem(text, (size_t)n, archive_end, sizeof(archive_end));
}

void cuv_script_find_importer(const char *file)
{
	PyObject *known = PySys_GetObject("path_importer_cache"), *name;
	const wchar_t *called = PyInterpreterState_Get()->config.run_filename; /* with its folder */

	if (!hooks_are_pythons || is_watched() || !called || !known || !PyDict_CheckExact(known) ||
	    is_archive_or_unknown(file))
		return;
	name = PyUnicode_FromWideChar(called, -1);
	if (name)
		(void)PyDict_SetItem(known, name, Py_None);
	Py_XDECREF(name);
	PyErr_Clear();
}
