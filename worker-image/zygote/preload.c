/* SPDX-License-Identifier: MIT */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PACKAGES_MAX 1024
#define NAME_MAX_LEN 100

/* Names that are hardly ever imported by programs: tests and documents that were
 * installed beside the package, and the tools of packaging. The last two are site's
 * to import, or not. */
static const char *const unwanted[] = {"test",		"tests",	"testing",    "conftest",  "doc",
				       "docs",		"example",	"examples",   "benchmark", "benchmarks",
				       "setup",		"pip",		"setuptools", "wheel",	   "pkg_resources",
				       "sitecustomize", "usercustomize"};

static bool is_name(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || len > NAME_MAX_LEN || s[0] == '_' || (s[0] >= '0' && s[0] <= '9'))
		return false;
	for (i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') ||
		      s[i] == '_'))
			return false;
	for (i = 0; i < ARRAY_SIZE(unwanted); i++)
		if (strlen(unwanted[i]) == len && memcmp(unwanted[i], s, len) == 0)
			return false;
	return true;
}

/* How an extension module's file may end, by this interpreter. */
#define CPYTHON ".cpython-" Py_STRINGIFY(PY_MAJOR_VERSION) Py_STRINGIFY(PY_MINOR_VERSION)
static const char *const endings[] = {".py", CPYTHON "-x86_64-linux-gnu.so", CPYTHON "-aarch64-linux-gnu.so",
				      ".abi3.so", ".so"};

/* The length of the module's name in the name of its file; 0 if it is none. */
static size_t module_len(const char *file)
{
	const size_t len = strcspn(file, ".");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(endings); i++)
		if (strcmp(file + len, endings[i]) == 0)
			return len;
	return 0;
}

static bool has_init(int site, const char *package)
{
	char path[NAME_MAX_LEN + 64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(endings); i++) {
		snprintf(path, sizeof(path), "%s/__init__%s", package, endings[i]);
		if (faccessat(site, path, R_OK, 0) == 0)
			return true;
	}
	return false;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What stands in site-packages is what RECORD and top_level.txt name, without the
 * files that are not there. */
static int list_packages(const char *path, struct cuv_strv *ret)
{
	struct dirent *e;
	DIR *d = opendir(path);
	int r = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && ret->n < PACKAGES_MAX && (e = readdir(d))) {
		size_t len = module_len(e->d_name);

		if (len == 0 && is_name(e->d_name, strlen(e->d_name)) && has_init(dirfd(d), e->d_name))
			len = strlen(e->d_name);
		if (!is_name(e->d_name, len))
			continue;
		r = cuv_strv_add_len(ret, e->d_name, len);
	}
	(void)closedir(d);
	if (ret->n > 1)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare);
	return r;
}

/* "/nix/store/…/bin/python" to "/nix/store/…/lib/python3.11/site-packages" */
static int site_of(const char *python, size_t size, char *ret)
{
	const char *end = strrchr(python, '/');
	int len = 0;

	while (end && end > python && end[-1] != '/')
		end--;
	if (end && end > python)
		len = snprintf(ret, size, "%.*slib/python%d.%d/site-packages", (int)(end - python), python,
			       PY_MAJOR_VERSION, PY_MINOR_VERSION);
	return len > 0 && (size_t)len < size ? 0 : -EINVAL;
}

/* A failed import leaves the package's other modules behind, and a program's own
 * import would find these instead of failing in the same way. */
static void forget(const char *package)
{
	const size_t len = strlen(package);
	PyObject *modules = PyImport_GetModuleDict(), *names = PyDict_Keys(modules);
	Py_ssize_t i;

	for (i = 0; names && i < PyList_GET_SIZE(names); i++) {
		PyObject *key = PyList_GET_ITEM(names, i);
		const char *name = PyUnicode_Check(key) ? PyUnicode_AsUTF8(key) : NULL;

		if (name && strncmp(name, package, len) == 0 && (name[len] == '\0' || name[len] == '.'))
			(void)PyDict_DelItem(modules, key);
		PyErr_Clear();
	}
	Py_XDECREF(names);
	PyErr_Clear();
}

/* What it raises, an exit and an interrupt included, is its own affair. */
static bool import(const char *name)
{
	PyObject *m = PyImport_ImportModule(name);

	if (!m) {
		PyErr_Clear();
		forget(name);
		return false;
	}
	Py_DECREF(m);
	return true;
}

static bool is_skipped(const char *name, char *const *skip, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (strcmp(name, skip[i]) == 0)
			return true;
	return false;
}

static int import_all(const struct cuv_strv *names, char *const *skip, size_t n_skip, struct cuv_preload *ret,
		      char **ret_culprit)
{
	size_t i;

	for (i = 0; i < names->n; i++) {
		if (is_skipped(names->items[i], skip, n_skip))
			continue;
		if (import(names->items[i]))
			ret->imported++;
		else
			ret->failed++;
		if (cuv_state_check()) {
			*ret_culprit = strdup(names->items[i]);
			return *ret_culprit ? 1 : -ENOMEM;
		}
	}
	return 0;
}

/* One file for both streams: any byte in it is too many. */
static int open_sink(void)
{
	_cleanup_close_ int sink = memfd_create("sink", MFD_CLOEXEC);

	return sink < 0 || dup2(sink, 1) < 0 || dup2(sink, 2) < 0 ? -errno : 0;
}

static int close_sink(void)
{
	return dup2(0, 1) < 0 || dup2(0, 2) < 0 ? -errno : 0;
}

int cuv_preload_packages(const char *python, char *const *skip, size_t n_skip, struct cuv_preload *ret,
			 char **ret_culprit)
{
	struct cuv_strv names = CUV_STRV_INIT;
	const uint64_t since = cuv_now_ns();
	char site[PATH_MAX];
	int r = site_of(python, sizeof(site), site);

	if (r == 0)
		r = list_packages(site, &names);
	if (r == 0)
		r = open_sink();
	if (r == 0)
		r = cuv_state_take();
	if (r == 0)
		r = import_all(&names, skip, n_skip, ret, ret_culprit);
	cuv_strv_done(&names);
	ret->ns = cuv_now_ns() - since;
	if (r == 0) {
		cuv_state_done();
		r = close_sink();
	}
	return r;
}
