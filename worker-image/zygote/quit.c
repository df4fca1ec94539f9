/* SPDX-License-Identifier: MIT */
/*
 * The end of a process, after its interpreter's. exit() would call what C and C++
 * libraries registered for it, and each library's own last functions: with numpy's
 * twenty libraries that writes to some 300 pages, to free what the kernel is about to
 * free. So it is left out where all that is loaded is known to do nothing else:
 * what the image has, and the packages named here. A library of any other origin,
 * and a function registered by the program itself, get the exit they expect.
 *
 * Registrations come by here first, as those for fork do (atfork.c).
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

/* Folders below a package's store path whose libraries end in silence. */
static const char *const silent_folders[] = {"/numpy/", "/numpy.libs/", "/pandas/"};
static const char *const image_folders[] = {"/usr/", "/lib/", "/lib64/"};

typedef int (*cxa_atexit)(void (*)(void *), void *, void *);
typedef int (*on_exit_t)(void (*)(int, void *), void *);

static bool in_run; /* the zygote's own registrations are its libraries' */
static bool registered;
static unsigned long long judged_adds; /* how many libraries had been loaded when they were judged */
static bool silent;

extern int __cxa_atexit(void (*f)(void *), void *arg, void *dso);

__attribute__((visibility("default"))) int __cxa_atexit(void (*f)(void *), void *arg, void *dso)
{
	static cxa_atexit libc;

	registered = registered || in_run;
	if (!libc)
		*(void **)&libc = dlsym(RTLD_NEXT, "__cxa_atexit");
	return libc ? libc(f, arg, dso) : -1;
}

__attribute__((visibility("default"))) int on_exit(void (*f)(int, void *), void *arg)
{
	static on_exit_t libc;

	registered = registered || in_run;
	if (!libc)
		*(void **)&libc = dlsym(RTLD_NEXT, "on_exit");
	return libc ? libc(f, arg) : -1;
}

static bool is_silent(const char *path)
{
	size_t i;

	/* This program, and the kernel's own object. */
	if (path[0] != '/')
		return true;
	for (i = 0; i < ARRAY_SIZE(image_folders); i++)
		if (strncmp(path, image_folders[i], strlen(image_folders[i])) == 0)
			return true;
	for (i = 0; i < ARRAY_SIZE(silent_folders); i++)
		if (strncmp(path, "/nix/store/", 11) == 0 && strstr(path, silent_folders[i]))
			return true;
	return false;
}

static int judge(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	silent = silent && is_silent(info->dlpi_name);
	judged_adds = info->dlpi_adds;
	return 0;
}

static int compare_adds(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size;
	(void)unused;
	return info->dlpi_adds == judged_adds ? 1 : 2;
}

static void judge_all(void)
{
	silent = true;
	(void)dl_iterate_phdr(judge, NULL);
}

void cuv_quit_prepare(void)
{
	judge_all();
	in_run = true;
}

void cuv_quit(int status)
{
	if (dl_iterate_phdr(compare_adds, NULL) != 1)
		judge_all();
	if (silent && !registered) {
		(void)fflush(NULL); /* what C code has printed */
		_exit(status);
	}
	exit(status);
}
