/* SPDX-License-Identifier: MIT */
/*
 * Functions that are easy to use wrongly become compile errors. Included in
 * every translation unit by the build, after the system headers they live in.
 * Use instead: cuv_buf, snprintf, cuv_parse_u64, gmtime_r, memfd or mkstemp.
 */
#ifndef CUV_BANNED_H
#define CUV_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CUV_BANNED(f) cuv_banned_function_##f

#undef strcpy
#define strcpy CUV_BANNED(strcpy)
#undef strcat
#define strcat CUV_BANNED(strcat)
#undef strncpy
#define strncpy CUV_BANNED(strncpy)
#undef strncat
#define strncat CUV_BANNED(strncat)
#undef strtok
#define strtok CUV_BANNED(strtok)
#undef sprintf
#define sprintf CUV_BANNED(sprintf)
#undef vsprintf
#define vsprintf CUV_BANNED(vsprintf)
#undef gets
#define gets CUV_BANNED(gets)
#undef atoi
#define atoi CUV_BANNED(atoi)
#undef atol
#define atol CUV_BANNED(atol)
#undef system
#define system CUV_BANNED(system)
#undef popen
#define popen CUV_BANNED(popen)
#undef tmpnam
#define tmpnam CUV_BANNED(tmpnam)
#undef gmtime
#define gmtime CUV_BANNED(gmtime)
#undef localtime
#define localtime CUV_BANNED(localtime)
#undef asctime
#define asctime CUV_BANNED(asctime)
#undef ctime
#define ctime CUV_BANNED(ctime)

#endif
