/* SPDX-License-Identifier: MIT */
/*
 * The subcommands of `cuvette`: one table in main.c, one file each. A command
 * gets its own words only (argv[0] is its name) and returns the exit status.
 *
 * Exit statuses that all commands share; what else one means by its status is
 * in docs/cli.md. The numbers are an interface: they never change.
 */
#ifndef CUV_COMMAND_H
#define CUV_COMMAND_H

#include "lib/base/error.h"

#define CUV_EXIT_OK 0
#define CUV_EXIT_FAILED 1      /* it was tried and did not work */
#define CUV_EXIT_USAGE 2       /* wrong words, or input that can't be accepted */
#define CUV_EXIT_UNAVAILABLE 3 /* ours, not the user's: no service, no index, no space */

int cuv_cmd_serve(int argc, char **argv);
int cuv_cmd_run(int argc, char **argv);
int cuv_cmd_doctor(int argc, char **argv);
int cuv_cmd_status(int argc, char **argv);
int cuv_cmd_env(int argc, char **argv);
int cuv_cmd_key(int argc, char **argv);

/* Writes "cuvette: <message>\n" to stderr. */
void cuv_say(const char *fmt, ...) _printf_(1, 2);
/* Writes an error to stderr as people read it: where, what, the line itself
 * with a mark below the column, and the longer explanation. file names the
 * user's file that line and column are about; NULL when there is none. */
void cuv_say_error(const struct cuv_error *err, const char *file);

#endif
