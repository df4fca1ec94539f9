/* SPDX-License-Identifier: MIT */
/*
 * What clients of Jobe write as arguments goes through a shell there, and they quote for
 * it: name='two words'. Here is no shell; this takes such a text apart as one would.
 */
#ifndef CUV_JOBE_WORDS_H
#define CUV_JOBE_WORDS_H

#include "lib/base/error.h"
#include "lib/base/strv.h"

/* Adds the words of a text to the list: blanks separate them, ' " and \ quote. what:
 * "`runargs`", for errors. 0, or negative with err set: FIELD_INVALID for a quote
 * without its end, and for what only a shell could do ($ ` | & ; < > and brackets,
 * newlines), OVERLOADED. */
int cuv_jobe_words(const char *what, const char *text, struct cuv_strv *ret, struct cuv_error *err);

#endif
