/* SPDX-License-Identifier: MIT */
#include "manager/dialect/jobe_words.h"

#include "lib/base/buf.h"
#include "lib/proto/limits.h"

#include <string.h>

/* What ends a word for a shell, or is not a word at all. */
#define OPERATORS "$`|&;<>()\n"

struct words {
	const char *what;
	const char *at;
	struct cuv_buf word;
	bool open; /* the word has begun, "" perhaps */
};

static int refuse(const struct words *w, const char *why, struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s: %s; words are taken as they are, quoted by ' \" or \\",
			     w->what, why);
}

/* Behind the quote; stops behind the other one. */
static int take_quoted(struct words *w, char quote, struct cuv_error *err)
{
	for (; *w->at && *w->at != quote; w->at++) {
		if (quote == '"' && strchr("$`", *w->at))
			return refuse(w, "no shell looks at it, so $ and ` need a \\ or '", err);
		if (quote == '"' && *w->at == '\\' && w->at[1] && strchr("$`\"\\", w->at[1]))
			w->at++;
		cuv_buf_add_char(&w->word, *w->at);
	}
	if (!*w->at)
		return refuse(w, "a quote has no end", err);
	w->at++;
	return 0;
}

static int take(struct words *w, struct cuv_error *err)
{
	const char c = *w->at++;

	w->open = true;
	if (c == '\'' || c == '"')
		return take_quoted(w, c, err);
	if (strchr(OPERATORS, c))
		return refuse(w, "no shell looks at it, so $ ` | & ; < > ( ) and newlines need quotes", err);
	if (c == '\\' && !*w->at)
		return refuse(w, "nothing follows the last \\", err);
	cuv_buf_add_char(&w->word, c == '\\' ? *w->at++ : c);
	return 0;
}

static int end_word(struct words *w, struct cuv_strv *ret, struct cuv_error *err)
{
	int r = 0;

	if (w->open && (ret->n >= CUV_ARGS_MAX || w->word.len > CUV_ARG_BYTES_MAX))
		return cuv_error_set(err, CUV_E_FIELD_INVALID, "%s: more than %d words, or one of more than %d bytes",
				     w->what, CUV_ARGS_MAX, CUV_ARG_BYTES_MAX);
	if (w->open)
		r = cuv_buf_err(&w->word) < 0 ? -1 : cuv_strv_add(ret, cuv_buf_str(&w->word));
	cuv_buf_reset(&w->word);
	w->open = false;
	return r < 0 ? cuv_error_set(err, CUV_E_OVERLOADED, "no memory for the request") : 0;
}

int cuv_jobe_words(const char *what, const char *text, struct cuv_strv *ret, struct cuv_error *err)
{
	struct words w = {.what = what, .at = text, .word = CUV_BUF_INIT(strlen(text))};
	int r = 0;

	while (r == 0 && *w.at) {
		if (*w.at == ' ' || *w.at == '\t') {
			w.at++;
			r = end_word(&w, ret, err);
		} else {
			r = take(&w, err);
		}
	}
	if (r == 0)
		r = end_word(&w, ret, err);
	cuv_buf_done(&w.word);
	return r;
}
