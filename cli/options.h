/* SPDX-License-Identifier: MIT */
/*
 * Options from one table per command: the long option, the environment variable
 * of the same meaning, the default and the help text stand in one line, and
 * parsing, --help and `serve --check` all read that line.
 *
 * A value is always text; the command gives it its meaning. Where several
 * places give one, the later in this order wins: default, .env file of the
 * working directory, environment, command line.
 */
#ifndef CUV_OPTIONS_H
#define CUV_OPTIONS_H

#include "lib/base/base.h"
#include "lib/base/strv.h"

#define CUV_OPTIONS_MAX 48

/* A secret comes from the environment only, where `ps` does not show it. */
#define CUV_NO_FLAG '\1'

struct cuv_option {
	const char *name; /* long option; '_' in it is typed as '-' */
	char letter;	  /* short option, 0: none; CUV_NO_FLAG: no option at all */
	const char *arg;  /* what the value is called in the help; NULL: a switch */
	const char *env;  /* environment variable; NULL: none */
	const char *def;  /* default, NULL: not set */
	const char *text; /* help, without a full stop */
};

struct cuv_usage {
	const char *command;  /* "serve" */
	const char *operands; /* "[--] MAIN.PY [ARGS]", "" when there are none */
	const char *about;    /* paragraph below the usage line */
	const char *more;     /* paragraph after the options; may be NULL */
	const struct cuv_option *options;
	size_t n_options;
	bool dotenv; /* read .env in the working directory */
	bool mixed;  /* options may follow operands, which are no other program's */
};

enum cuv_source { CUV_FROM_DEFAULT, CUV_FROM_DOTENV, CUV_FROM_ENVIRONMENT, CUV_FROM_FLAG };

struct cuv_value {
	const char *text; /* borrowed; NULL: not set */
	enum cuv_source source;
};

struct cuv_values {
	struct cuv_value value[CUV_OPTIONS_MAX]; /* by position in the table */
	struct cuv_strv all[CUV_OPTIONS_MAX];	 /* what the command line gave for it, each time */
	struct cuv_strv kept;			 /* owns what came from .env */
	char **operands;			 /* borrowed from argv, NULL-terminated */
	int n_operands;
};
#define CUV_VALUES_INIT ((struct cuv_values){0})
void cuv_values_done(struct cuv_values *v);
#define _cleanup_values_ _cleanup_(cuv_values_done)

/* What the command does next. */
enum cuv_parsed {
	CUV_PARSED_GO,	  /* the values are there */
	CUV_PARSED_HELP,  /* --help was asked for and printed: exit 0 */
	CUV_PARSED_USAGE, /* wrong words, said on stderr: exit 2 */
};
/* Options end at the first operand, so that a program's own are left alone, unless they
 * may be mixed: then they end at "--", and argv's order is changed. */
enum cuv_parsed cuv_options_parse(const struct cuv_usage *usage, int argc, char **argv, struct cuv_values *ret);

/* "default", ".env", "environment", "command line" */
const char *cuv_source_name(enum cuv_source source);
/* A table's name as it is typed: "cpu_time" is "cpu-time". */
void cuv_option_typed(const char *name, char *ret, size_t size);

#endif
