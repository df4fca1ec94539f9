/* SPDX-License-Identifier: MIT */
#include <Python.h>

#include "worker-image/zygote/zygote.h"

#include <signal.h>

void cuv_signals_default(void)
{
	sigset_t none;
	int s;

	for (s = 1; s < _NSIG; s++)
		(void)signal(s, SIG_DFL); /* refused for two of the kernel's and two of glibc's */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
