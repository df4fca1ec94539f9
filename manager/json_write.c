/* SPDX-License-Identifier: MIT */
#include "manager/json_write.h"

/* Of those that have to be escaped: the letter behind the backslash; 'u': by number. */
static char escape_of(unsigned char c)
{
	static const char letters[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	if (c == '"' || c == '\\')
		return (char)c;
	if (c >= 0x20)
		return '\0';
	return letters[c] ? letters[c] : 'u';
}

int cuv_json_add_string(struct cuv_buf *b, const char *text, size_t len)
{
	const char *end = text + len, *at = text;

	cuv_buf_add_char(b, '"');
	while (at < end) {
		const char escape = escape_of((unsigned char)*at);

		if (!escape) {
			at++;
			continue;
		}
		cuv_buf_add(b, text, (size_t)(at - text));
		if (escape == 'u')
			cuv_buf_addf(b, "\\u%04x", (unsigned char)*at);
		else
			cuv_buf_add(b, (const char[]){'\\', escape}, 2);
		text = ++at;
	}
	cuv_buf_add(b, text, (size_t)(end - text));
	return cuv_buf_add_char(b, '"');
}
