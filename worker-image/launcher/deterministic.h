/* SPDX-License-Identifier: MIT */
/*
 * A run that is to be the same each time: which environment variables it has for that,
 * and the file that they lead the interpreter to before main.py.
 */
#ifndef CUV_LAUNCHER_DETERMINISTIC_H
#define CUV_LAUNCHER_DETERMINISTIC_H

#include "lib/base/strv.h"

/* Appends NAME=value strings. 0 or -ENOMEM. */
int cuv_deterministic_environ(struct cuv_strv *ret);
/* In the box, by the process that becomes the program: writes the file, which removes
 * itself when it is read. 0 or -errno. */
int cuv_deterministic_install(void);

#endif
