/* SPDX-License-Identifier: MIT */
/*
 * System calls without errno: the result, or -errno as the kernel gives it. Processes
 * that share their memory share the C library's errno too: one's would be taken
 * for the other's. Whatever such a process calls is made of these (maker_box.c).
 */
#ifndef CUV_SYS_H
#define CUV_SYS_H

#include <sys/syscall.h>

/* cuv_sys(SYS_…, arguments…): up to six, numbers or pointers. */
#define cuv_sys(...) CUV_SYS_FILLED(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define CUV_SYS_FILLED(number, a, b, c, d, e, f, ...)                                                                  \
	cuv_sys_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#if defined(__x86_64__)
static inline long cuv_sys_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
static inline long cuv_sys_call(long number, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
	return x0;
}
#else
#error "how this processor calls the kernel is not known here"
#endif

#endif
