/* SPDX-License-Identifier: MIT */
/*
 * A fork copies the page tables of mappings that have a page of their own, and of no
 * other: what is mapped from files alone the child would fault in again, which for
 * the interpreter's code and constants is a third of all its faults. So each such
 * mapping gets one page of its own: a byte is written as it was. Whole tables are
 * copied then, at the price of a page each.
 */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

/* The code of large libraries is rarely used by most runs: copying its tables would
 * cost more than the faults. */
#define SEGMENT_BYTES_MAX (8ul * 1024 * 1024)

/* The interpreter, whose name is empty, and libc: of the others a small program uses a
 * page or two. */
static bool is_used_by_all(const struct dl_phdr_info *info)
{
	return !info->dlpi_name[0] || strstr(info->dlpi_name, "/libc.so.");
}

/* The whole mapping, since a part would become a mapping of its own; and executable
 * meanwhile, since this very function may be in it. */
static void touch(uintptr_t start, size_t len, int prot)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = start & ~(page - 1);
	volatile char *last = (volatile char *)(start + len - 1);
	char same;

	if (mprotect((void *)first, start + len - first, prot | PROT_WRITE) < 0)
		return;
	same = *last;
	*last = same;
	(void)mprotect((void *)first, start + len - first, prot);
}

static int touch_object(struct dl_phdr_info *info, _unused_ size_t size, _unused_ void *arg)
{
	size_t i;

	for (i = 0; i < info->dlpi_phnum && is_used_by_all(info); i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		const int prot = PROT_READ | (p->p_flags & PF_X ? PROT_EXEC : 0);

		if (p->p_type == PT_LOAD && !(p->p_flags & PF_W) && (p->p_flags & PF_R) && p->p_memsz > 0 &&
		    p->p_memsz <= SEGMENT_BYTES_MAX)
			touch(info->dlpi_addr + p->p_vaddr, p->p_memsz, prot);
	}
	return 0;
}

void cuv_text_share(void)
{
	(void)dl_iterate_phdr(touch_object, NULL);
}
