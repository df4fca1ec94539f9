/* SPDX-License-Identifier: MIT */
/*
 * A run is made by a clone that glibc knows nothing of, and glibc would call the
 * functions that libraries registered with pthread_atfork: random generators that
 * must not go on with their parent's numbers, pools of threads, locks. So
 * registrations come by here first. pthread_atfork is a few instructions in each
 * library that end in __register_atfork, and this program's comes before libc's.
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include <dlfcn.h>
#include <errno.h>

#define HANDLERS_MAX 256

typedef void (*handler)(void);
typedef int (*registrar)(handler, handler, handler, void *);

static struct {
	handler before, parent, child;
} handlers[HANDLERS_MAX];
static size_t n_handlers;

extern int __register_atfork(handler before, handler parent, handler child, void *dso);

__attribute__((visibility("default"))) int __register_atfork(handler before, handler parent, handler child, void *dso)
{
	static registrar libc;
	int r;

	if (!libc)
		*(void **)&libc = dlsym(RTLD_NEXT, "__register_atfork");
	/* The forks of programs themselves are libc's. */
	r = libc ? libc(before, parent, child, dso) : ENOSYS;
	if (r != 0)
		return r;
	if (n_handlers == HANDLERS_MAX)
		return ENOMEM;
	handlers[n_handlers].before = before;
	handlers[n_handlers].parent = parent;
	handlers[n_handlers].child = child;
	n_handlers++;
	return 0;
}

/* A library may have been closed since. */
static void call(handler h)
{
	void *address;
	Dl_info info;

	memcpy(&address, &h, sizeof(address));
	if (h && dladdr(address, &info) != 0)
		h();
}

void cuv_atfork_before(void)
{
	size_t i;

	for (i = n_handlers; i > 0; i--)
		call(handlers[i - 1].before);
}

void cuv_atfork_parent(void)
{
	size_t i;

	for (i = 0; i < n_handlers; i++)
		call(handlers[i].parent);
}

void cuv_atfork_child(void)
{
	size_t i;

	for (i = 0; i < n_handlers; i++)
		call(handlers[i].child);
}
