/* SPDX-License-Identifier: MIT */
/*
 * What a request may say of lint and format: which rules, how long a line, for which
 * Python. It is read into values here, against ruff's own list of rules, so that no text
 * of a client's is ever an option of ruff's.
 */
#ifndef CUV_LINT_SETTINGS_H
#define CUV_LINT_SETTINGS_H

#include "lib/base/error.h"
#include "nixenv/python.h"

#define CUV_LINT_SELECT_MAX 64	  /* selectors */
#define CUV_LINT_SELECTOR_SIZE 12 /* of one, its NUL included */
#define CUV_LINT_SELECT_TEXT_MAX 1024
#define CUV_LINT_LINE_MAX 320

struct cuv_lint_settings {
	/* Selectors with commas between them, of letters and digits alone; "": ruff's own. */
	char select[CUV_LINT_SELECT_MAX * CUV_LINT_SELECTOR_SIZE];
	unsigned line_length; /* 0: ruff's own */
	unsigned minor;	      /* 12: code is for Python 3.12; 0: the Python that it runs with */
};

/* Each reads a text into its member; what: how errors call it, as "the field `lint_select`".
 * 0, or negative with err set. */
/* Selectors with commas or blanks between them, or a JSON array of strings. */
int cuv_lint_select_read(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err);
/* 1 to CUV_LINT_LINE_MAX. */
int cuv_lint_line_read(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err);
/* "py312", of those that ruff knows. */
int cuv_lint_target_read(const char *what, const char *text, struct cuv_lint_settings *ret, struct cuv_error *err);

/* "py311": what ruff takes the code for; settings NULL: nothing was said. */
#define CUV_LINT_TARGET_SIZE 16
void cuv_lint_target(const struct cuv_lint_settings *settings, const struct cuv_python *python,
		     char ret[CUV_LINT_TARGET_SIZE]);
/* All of it as a text that is equal for equal settings, and so part of what is known of
 * code that came before. */
#define CUV_LINT_SETTINGS_TEXT_SIZE (sizeof(((struct cuv_lint_settings *)0)->select) + 64)
void cuv_lint_settings_text(const struct cuv_lint_settings *settings, const struct cuv_python *python,
			    char ret[CUV_LINT_SETTINGS_TEXT_SIZE]);
/* True when a kept ruff, which has settings of its own, says the same. */
bool cuv_lint_settings_kept(const struct cuv_lint_settings *settings, const struct cuv_python *python);

#endif
