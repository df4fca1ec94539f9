/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_include.h"

#include "nixenv/pep508_scan.h"
#include "nixenv/requirements.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_name_char(char c)
{
	return c && (cuv_is_alnum(c) || strchr("._+-@", c));
}

static bool is_dots(const char *name, size_t len)
{
	return (len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.');
}

bool cuv_requirements_file_name_valid(const char *name)
{
	size_t names = 0, len;

	if (strlen(name) >= CUV_ERROR_FILE_SIZE)
		return false;
	for (;; name += len + 1) {
		for (len = 0; is_name_char(name[len]);)
			len++;
		if (len == 0 || is_dots(name, len) || ++names > CUV_FILE_NAMES_MAX)
			return false;
		if (name[len] == '\0')
			return true;
		if (name[len] != '/')
			return false;
	}
}

/* Takes the last name off path; false when there is none. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!*path)
		return false;
	*(slash ? slash : path) = '\0';
	return true;
}

/* Puts a name behind path; false when it is none or there is no room. */
static bool go_down(char *path, const char *name, size_t len)
{
	size_t at = strlen(path);

	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return false;
	if (at + 1 + len >= CUV_ERROR_FILE_SIZE)
		return false;
	(void)snprintf(path + at, CUV_ERROR_FILE_SIZE - at, "%s%.*s", at ? "/" : "", (int)len, name);
	return true;
}

static const char *refuse_kind(const char *value, size_t len)
{
	if (len == 0)
		return "the name of a file is missing";
	if (memmem(value, len, "://", 3))
		return "a file from an address is not fetched; send it along";
	if (memchr(value, '\\', len))
		return "folders are separated by /";
	if (value[0] == '/' || value[0] == '~')
		return "the name of a file sent along is relative, without / or ~ at its beginning";
	return NULL;
}

int cuv_include_resolve(const char *from, const char *value, size_t len, char ret[CUV_ERROR_FILE_SIZE],
			const char **ret_reason)
{
	size_t start = 0;

	*ret_reason = refuse_kind(value, len);
	if (*ret_reason)
		return -EINVAL;
	(void)snprintf(ret, CUV_ERROR_FILE_SIZE, "%s", cuv_requirements_file_name_valid(from) ? from : "x");
	(void)go_up(ret);
	for (size_t i = 0; i <= len; i++) {
		const char *name = value + start;
		size_t n = i - start;

		if (i < len && value[i] != '/')
			continue;
		start = i + 1;
		if (n == 1 && name[0] == '.')
			continue;
		if (is_dots(name, n) && !go_up(ret)) {
			*ret_reason =
				"this leads out of the folder of the requirements file; only files below it can be "
				"sent along";
			return -EINVAL;
		}
		if (!is_dots(name, n) && (n == 0 || !go_down(ret, name, n))) {
			*ret_reason = "the name of a file sent along has letters, digits and . _ + - @, with / between "
				      "folders";
			return -EINVAL;
		}
	}
	if (cuv_requirements_file_name_valid(ret))
		return 0;
	*ret_reason = "this is no file's name, or too deep or too long";
	return -EINVAL;
}
