/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/resolve_error.h"

#include "lib/base/buf.h"
#include "nixenv/builder/pins.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define INDEX_RETRY_S 30

static bool has(const char *text, const char *what)
{
	return strstr(text, what) != NULL;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

/* --- which requirement --- */

void cuv_resolve_point(const struct cuv_requirements *reqs, const char *package, struct cuv_error *err)
{
	const struct cuv_requirement *req = reqs ? cuv_requirements_find(reqs, package) : NULL;

	if (!req || err->line != 0)
		return;
	err->line = (uint32_t)(req - reqs->items) + 1;
	err->column = 1;
	cuv_error_copy_text(err->excerpt, sizeof(err->excerpt), req->text, strlen(req->text));
}

/* The name that stands at text, "" when there is none. */
static size_t name_at(const char *text, char ret[CUV_NAME_LEN_MAX + 1])
{
	size_t n = 0;

	while (n < CUV_NAME_LEN_MAX && is_name_char(text[n]))
		n++;
	/* A full stop ends the sentence. */
	while (n > 0 && text[n - 1] == '.')
		n--;
	memcpy(ret, text, n);
	ret[n] = '\0';
	return n;
}

/* First the names that the user required, then any that is in the file. */
static void find_requirement(const char *text, const struct cuv_requirements *reqs, struct cuv_error *err)
{
	static const char required[] = "you require ";
	char name[CUV_NAME_LEN_MAX + 1];

	for (const char *at = strstr(text, required); at; at = strstr(at, required)) {
		at += strlen(required);
		if (name_at(at, name) > 0)
			cuv_resolve_point(reqs, name, err);
	}
	for (const char *at = text; *at && err->line == 0;) {
		size_t n = name_at(at, name);

		if (n > 0)
			cuv_resolve_point(reqs, name, err);
		at += n ? n : 1;
	}
}

/* --- the reason, cleaned --- */

/* What says where the service is or goes: addresses and paths of two parts. */
static bool is_private(const char *word, size_t len)
{
	size_t slashes = 0;

	for (size_t i = 0; i < len; i++) {
		if (word[i] == '/')
			slashes++;
		if (i + 2 < len && memcmp(word + i, "://", 3) == 0)
			return true;
	}
	return slashes >= 2 || (slashes >= 1 && word[strspn(word, "`'\"(")] == '/');
}

void cuv_clean_text(struct cuv_buf *out, const char *line, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n = strcspn(line + i, " \t\n");

		n = CUV_MIN(n, len - i);
		if (n > 0 && is_private(line + i, n))
			cuv_buf_add_str(out, "(address)");
		else
			cuv_buf_add(out, line + i, n);
		i += n;
		if (i < len)
			cuv_buf_add_char(out, line[i++]);
	}
}

/* Advice about options that nobody here can set, and what names addresses only. */
static bool is_noise(const char *line, size_t len)
{
	static const char *const marks[] = {"--no-build",   "--no-binary",     "--only-binary", "--index",
					    "--prerelease", "--exclude-newer", "`pip ",		"`uv ",
					    "warning:",	    "Failed to fetch", "for url"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (memmem(line, len, marks[i], strlen(marks[i])))
			return true;
	return false;
}

static void explain(const char *text, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf out = CUV_BUF_INIT(sizeof(err->explanation) * 2);

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n"), skip = strspn(line, " ");
		const char *start = line + CUV_MIN(skip, len);
		size_t n = len - CUV_MIN(skip, len);

		if (n > 7 && memcmp(start, "cause: ", 7) == 0) {
			start += 7;
			n -= 7;
		}
		if (n > 0 && !is_noise(start, n) && memcmp(start, "error:", CUV_MIN(n, (size_t)6)) != 0) {
			if (out.len > 0)
				cuv_buf_add_char(&out, '\n');
			cuv_clean_text(&out, start, n);
		}
		line += len + (line[len] == '\n');
	}
	cuv_error_copy_text(err->explanation, sizeof(err->explanation), cuv_buf_str(&out), out.len);
}

/* --- what kind --- */

static bool is_unreachable(const char *text)
{
	static const char *const marks[] = {
		"error sending request",      "client error (Connect)",	 "dns error",
		"operation timed out",	      "Failed to fetch",	 "HTTP status",
		"Could not connect",	      "error decoding response", "request or response body error",
		"authentication credentials", "Failed to download",
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (has(text, marks[i]))
			return true;
	return false;
}

/* "Failed to fetch: http://index/simple/idna/", in quotes or not: the last word of the address is the
 * package, or a file; nothing else of it is told. */
static void set_unreachable(const char *text, struct cuv_error *err)
{
	static const char mark[] = "Failed to fetch: ";
	const char *at = strstr(text, mark);
	char name[CUV_NAME_LEN_MAX + 1] = "";

	if (at) {
		const char *end, *start;

		at += strlen(mark);
		at += *at == '`';
		end = at + strcspn(at, "`?# \n");
		end -= end > at && end[-1] == '/';
		for (start = end; start > at && is_name_char(start[-1]);)
			start--;
		/* No host, where that is all there is. */
		if (start - at > 3 && start[-1] == '/' && start[-2] != '/' &&
		    name_at(start, name) != (size_t)(end - start))
			name[0] = '\0';
	}
	cuv_error_set(err, CUV_E_INDEX_UNREACHABLE, "the package index can't be reached%s%s%s",
		      name[0] ? "; it was asked for `" : "", name, name[0] ? "`" : "");
}

/* It was reached, and what it said is no answer of an index. */
static bool is_wrong_answer(const char *text)
{
	static const char *const marks[] = {"Received some unexpected JSON", "Received some unexpected HTML",
					    "Unsupported `Content-Type`",    "Missing `Content-Type`",
					    "Invalid `Content-Type`",	     "Unable to parse URL"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (has(text, marks[i]))
			return true;
	return false;
}

static bool is_wheel_matter(const char *text)
{
	return has(text, "no usable wheels") || has(text, "no wheels with a matching") ||
	       has(text, "no wheels are available") || has(text, "no source distribution");
}

/* The name that ends at end, "" when there is none. A specifier may stand between:
 * "tensorflow==1.15.0 has no wheels". */
static void name_ending(const char *text, const char *end, char ret[CUV_NAME_LEN_MAX + 1])
{
	const char *start = end;

	while (start && start > text && start[-1] != ' ' && start[-1] != '\n')
		start--;
	ret[0] = '\0';
	if (start)
		(void)name_at(start, ret);
}

static void name_before(const char *text, const char *mark, char ret[CUV_NAME_LEN_MAX + 1])
{
	name_ending(text, strstr(text, mark), ret);
}

static int add_project(const char *name, size_t max, struct cuv_strv *ret)
{
	char normal[CUV_NAME_LEN_MAX + 1];
	size_t n = 0;

	for (const char *c = name; *c; c++) {
		const bool separator = *c == '-' || *c == '_' || *c == '.';

		if (separator && n > 0 && normal[n - 1] == '-')
			continue;
		normal[n++] = separator ? '-' : *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
	}
	normal[n] = '\0';
	/* What is no name of a project must become no argument either. */
	if (n == 0 || normal[0] == '-' || normal[n - 1] == '-')
		return 0;
	return ret->n >= max || cuv_strv_has(ret, normal) ? 0 : cuv_strv_add(ret, normal);
}

static void set_wheel_matter(const char *text, const char *python, struct cuv_error *err)
{
	static const char *const marks[] = {" has no usable wheels", " have no usable wheels",
					    " has no wheels with a matching", " have no wheels with a matching"};
	char name[CUV_NAME_LEN_MAX + 1] = "";

	for (size_t i = 0; i < ARRAY_SIZE(marks) && !name[0]; i++)
		name_before(text, marks[i], name);
	cuv_error_set(err, CUV_E_WHEEL_UNAVAILABLE,
		      "%s%s%s has no wheel for CPython %s on " CUV_PLATFORM
		      "; source distributions are not built, so choose a version that has one",
		      name[0] ? "`" : "", name[0] ? name : "a required package", name[0] ? "`" : "", python);
}

/* "hint: Wheels are required for `docopt` because building from source is disabled …",
 * and the sentences about wheels. */
int cuv_resolve_lacking(const char *text, size_t max, struct cuv_strv *ret)
{
	static const char hint[] = "Wheels are required for `";
	static const char *const marks[] = {" has no usable wheels", " have no usable wheels"};
	char name[CUV_NAME_LEN_MAX + 1];
	int r = 0;

	for (const char *at = strstr(text, hint); at && r == 0; at = strstr(at, hint)) {
		at += strlen(hint);
		if (name_at(at, name) > 0)
			r = add_project(name, max, ret);
	}
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		for (const char *at = text; r == 0 && (at = strstr(at, marks[i])); at++) {
			name_ending(text, at, name);
			if (name[0])
				r = add_project(name, max, ret);
		}
	return r;
}

static bool is_version_char(char c)
{
	return is_name_char(c) || c == '+' || c == '!';
}

bool cuv_resolve_wanted(const char *text, struct cuv_wanted *ret)
{
	static const char *const marks[] = {"Failed to download and build `", "Failed to build `"};
	struct cuv_wanted w = {0};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const char *at = strstr(text, marks[i]);
		size_t n = 0;

		/* What follows is the reason: perhaps that it could not be fetched. */
		if (!at || is_unreachable(at + strlen(marks[i])))
			continue;
		at += strlen(marks[i]);
		at += name_at(at, w.name);
		if (!w.name[0] || w.name[0] == '-' || strncmp(at, "==", 2) != 0)
			continue;
		at += 2;
		while (n < CUV_VERSION_LEN_MAX && is_version_char(at[n]))
			n++;
		if (n == 0 || at[n] != '`')
			continue;
		memcpy(w.version, at, n);
		w.version[n] = '\0';
		*ret = w;
		return true;
	}
	return false;
}

static void set_unresolvable(const char *text, const char *python, const char *date, struct cuv_error *err)
{
	static const char no_version[] = "there is no version of ", no_versions[] = "there are no versions of ";
	char name[CUV_NAME_LEN_MAX + 1];
	const char *at = strstr(text, no_version);

	name_before(text, " was not found", name);
	if (name[0]) {
		cuv_error_set(err, CUV_E_REQUIREMENTS_UNRESOLVABLE, "there is no package `%s` in the index (as of %s)",
			      name, date);
		return;
	}
	if (has(text, "does not satisfy Python") || has(text, "depends on Python")) {
		cuv_error_set(err, CUV_E_REQUIREMENTS_UNRESOLVABLE,
			      "a package needs another Python than %s; choose a version that supports it", python);
		return;
	}
	at = at ? at + strlen(no_version) : (at = strstr(text, no_versions)) ? at + strlen(no_versions) : NULL;
	if (at && name_at(at, name) > 0)
		cuv_error_set(err, CUV_E_REQUIREMENTS_UNRESOLVABLE,
			      "there is no version `%.*s` in the index (as of %s)", (int)strcspn(at, " ,\n"), at, date);
	else
		cuv_error_set(err, CUV_E_REQUIREMENTS_UNRESOLVABLE,
			      "no set of versions satisfies all requirements (as of %s)", date);
}

/* The operator said that there is no network: what of the index is not in the cache. */
static void set_offline(const char *text, struct cuv_error *err)
{
	char name[CUV_NAME_LEN_MAX + 1];
	const char *end = strstr(text, " needs to be downloaded from a registry"), *start = end;

	name_before(text, " was not found in the cache", name);
	if (name[0]) {
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE,
			      "which versions of `%s` there are is not in the resolver's cache, and the network is "
			      "switched off (UV_OFFLINE)",
			      name);
	} else {
		while (start && start > text && start[-1] != ' ' && start[-1] != '\n')
			start--;
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE,
			      "what %s%.*s%s requires is not in the resolver's cache, and the network is switched off "
			      "(UV_OFFLINE)",
			      start ? "`" : "a package", start ? (int)CUV_MIN(end - start, CUV_NAME_LEN_MAX) : 0,
			      start ? start : "", start ? "`" : "");
	}
	err->retry_after_s = INDEX_RETRY_S;
}

/* Sayings about one wheel's own content. */
static bool is_bad_wheel(const char *text)
{
	static const char *const marks[] = {"Failed to extract archive", "Invalid zip",
					    "Failed to read metadata",	 "Metadata field",
					    "Package metadata name",	 "Package metadata version",
					    "Couldn't parse metadata"};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (has(text, marks[i]))
			return true;
	return false;
}

static int wheel_error(const char *text, const struct cuv_requirements *reqs, struct cuv_error *err)
{
	if (has(text, "as a URL dependency"))
		cuv_error_set(
			err, CUV_E_REQUIREMENTS_UNRESOLVABLE,
			"a package names the address of another one in its metadata; only the requirements file may "
			"do that, so name it there too");
	else
		cuv_error_set(err, CUV_E_BUILD_FAILED,
			      "a wheel can't be read: it is damaged, or not what its name says");
	explain(text, err);
	find_requirement(text, reqs, err);
	return -EINVAL;
}

int cuv_resolve_error(const char *text, size_t len, const struct cuv_requirements *reqs, const char *python,
		      const char *date, struct cuv_error *err)
{
	_cleanup_free_ char *copy = strndup(text, len);
	bool solved_not;

	if (!copy)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	solved_not = has(copy, "No solution found");
	if (has(copy, "No space left on device") || has(copy, "os error 28")) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
		return -EINVAL;
	}
	if (has(copy, "Resource temporarily unavailable") || has(copy, "(os error 11)"))
		return cuv_error_set_errno(err, -EAGAIN, "the resolver could not start a process or thread");
	if (has(copy, "Cannot allocate memory") || has(copy, "(os error 12)") || has(copy, "memory allocation of "))
		return cuv_error_set_errno(err, -ENOMEM, "the resolver had not enough memory");
	if (has(copy, "as a URL dependency") || is_bad_wheel(copy))
		return wheel_error(copy, reqs, err);
	if (has(copy, "network was disabled")) {
		set_offline(copy, err);
		explain(copy, err);
		find_requirement(copy, reqs, err);
		return -EINVAL;
	}
	if (is_unreachable(copy)) {
		set_unreachable(copy, err);
		err->retry_after_s = INDEX_RETRY_S;
		explain(copy, err);
		return -EINVAL;
	}
	if (is_wrong_answer(copy)) {
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE,
			      "the package index answers with something that is no list of packages");
		err->retry_after_s = INDEX_RETRY_S;
		return -EINVAL;
	}
	if (!solved_not)
		return cuv_error_set(err, CUV_E_INTERNAL, "the resolver failed");
	if (is_wheel_matter(copy))
		set_wheel_matter(copy, python, err);
	else
		set_unresolvable(copy, python, date, err);
	explain(copy, err);
	find_requirement(copy, reqs, err);
	return -EINVAL;
}
