/* SPDX-License-Identifier: MIT */
#include "manager/json_write.h"

#include "manager/json_plain.h"

/* Of those that have to be escaped: the letter behind the backslash; 'u': by number. */
static char escape_of(unsigned char c)
{
	static const char letters[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	if (c >= 0x20)
		return (char)c;
	return letters[c] ? letters[c] : 'u';
}

/* n bytes as they are, and the one behind them. */
static void add_escaped(struct cuv_buf *b, const char *text, size_t n)
{
	const unsigned char c = (unsigned char)text[n];
	char *room = cuv_buf_room(b, n + 2);

	if (!room)
		return;
	memcpy(room, text, n);
	room[n] = '\\';
	room[n + 1] = escape_of(c);
	cuv_buf_grew(b, n + 2);
	if (room[n + 1] == 'u')
		cuv_buf_addf(b, "%04X", c);
}

int cuv_json_add_string(struct cuv_buf *b, const char *text, size_t len)
{
	const char *end = text + len;
	size_t n;

	cuv_buf_add_char(b, '"');
	for (; (n = cuv_json_plain(text, (size_t)(end - text))) < (size_t)(end - text); text += n + 1)
		add_escaped(b, text, n);
	cuv_buf_add(b, text, n);
	return cuv_buf_add_char(b, '"');
}

static int add_object(struct cuv_buf *b, const json_t *object)
{
	json_t *whole = (json_t *)(uintptr_t)object, *member;
	const char *name, *separator = "{";

	if (json_object_size(object) == 0)
		return cuv_buf_add_str(b, "{}");
	json_object_foreach(whole, name, member)
	{
		cuv_buf_add_char(b, *separator);
		cuv_json_add_string(b, name, strlen(name));
		cuv_buf_add_char(b, ':');
		if (cuv_json_add(b, member) < 0)
			break;
		separator = ",";
	}
	return cuv_buf_add_char(b, '}');
}

static int add_array(struct cuv_buf *b, const json_t *array)
{
	const size_t n = json_array_size(array);
	size_t i;

	cuv_buf_add_char(b, '[');
	for (i = 0; i < n && cuv_buf_err(b) == 0; i++) {
		if (i > 0)
			cuv_buf_add_char(b, ',');
		cuv_json_add(b, json_array_get(array, i));
	}
	return cuv_buf_add_char(b, ']');
}

static int add_real(struct cuv_buf *b, const json_t *value)
{
	char text[64];
	const size_t len = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));

	cuv_assert(len <= sizeof(text));
	return cuv_buf_add(b, text, len);
}

int cuv_json_add(struct cuv_buf *b, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return add_object(b, value);
	case JSON_ARRAY:
		return add_array(b, value);
	case JSON_STRING:
		return cuv_json_add_string(b, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return cuv_buf_addf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_REAL:
		return add_real(b, value);
	case JSON_TRUE:
		return cuv_buf_add_str(b, "true");
	case JSON_FALSE:
		return cuv_buf_add_str(b, "false");
	case JSON_NULL:
	default:
		return cuv_buf_add_str(b, "null");
	}
}
