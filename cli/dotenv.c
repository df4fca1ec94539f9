/* SPDX-License-Identifier: MIT */
#include "cli/dotenv.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static bool is_name(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		bool letter = (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= 'a' && s[i] <= 'z') || s[i] == '_';

		if (!letter && (i == 0 || s[i] < '0' || s[i] > '9'))
			return false;
	}
	return len > 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **s, size_t *len)
{
	while (*len && is_blank(**s)) {
		(*s)++;
		(*len)--;
	}
	while (*len && is_blank((*s)[*len - 1]))
		(*len)--;
}

/* Where an unquoted value ends: before a '#' that follows a blank. */
static size_t unquoted_len(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] == '#' && (i == 0 || is_blank(s[i - 1])))
			break;
	while (i && is_blank(s[i - 1]))
		i--;
	return i;
}

static int parse_line(const char *s, size_t len, struct cuv_strv *ret)
{
	static const char export[] = "export ";
	const char *eq, *value;
	size_t name_len, value_len;

	trim(&s, &len);
	if (len > sizeof(export) - 1 && memcmp(s, export, sizeof(export) - 1) == 0) {
		s += sizeof(export) - 1;
		len -= sizeof(export) - 1;
		trim(&s, &len);
	}
	eq = memchr(s, '=', len);
	if (!eq || memchr(s, '\0', len) || !is_name(s, (size_t)(eq - s)))
		return 0;
	name_len = (size_t)(eq - s);
	value = eq + 1;
	value_len = len - name_len - 1;
	trim(&value, &value_len);
	if (value_len && (value[0] == '"' || value[0] == '\'')) {
		const char *end = memchr(value + 1, value[0], value_len - 1);

		if (!end)
			return 0;
		value++;
		value_len = (size_t)(end - value);
	} else {
		value_len = unquoted_len(value, value_len);
	}
	return cuv_strv_addf(ret, "%.*s=%.*s", (int)name_len, s, (int)value_len, value);
}

int cuv_dotenv_parse(const char *text, size_t len, struct cuv_strv *ret)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		int r = parse_line(text, n, ret);

		if (r < 0)
			return r;
		text += n + (end ? 1 : 0);
		len -= n + (end ? 1 : 0);
	}
	return 0;
}

int cuv_dotenv_read(const char *path, struct cuv_strv *ret)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(CUV_DOTENV_BYTES_MAX);
	int r = cuv_read_file(AT_FDCWD, path, &b);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = cuv_dotenv_parse(cuv_buf_str(&b), b.len, ret);
	if (r < 0)
		errno = -r;
	return r;
}

const char *cuv_dotenv_get(const struct cuv_strv *v, const char *name)
{
	size_t i = v->n, len = strlen(name);

	while (i-- > 0)
		if (strncmp(v->items[i], name, len) == 0 && v->items[i][len] == '=')
			return v->items[i] + len + 1;
	return NULL;
}
