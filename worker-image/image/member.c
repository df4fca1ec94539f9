/* SPDX-License-Identifier: MIT */
#include "worker-image/image/member.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

/* A path taken apart: parts point into text. */
struct parts {
	char text[CUV_MEMBER_NAME_MAX];
	const char *part[CUV_MEMBER_DEPTH_MAX];
	size_t n;
};

/* What is left out of an image. The first rule that matches decides; '*' also
 * matches '/'. */
static const struct rule {
	const char *pattern;
	bool keep;
} rules[] = {
	/* Licences go wherever the files go. */
	{"usr/share/doc/*/copyright", true},
	{"usr/share/doc/*/*", false},
	/* Pages and data for people, package managers and debuggers. */
	{"usr/share/man/*", false},
	{"usr/share/info/*", false},
	{"usr/share/lintian/*", false},
	{"usr/share/bug/*", false},
	{"usr/share/menu/*", false},
	{"usr/share/binfmts/*", false},
	{"usr/share/base-files/*", false},
	{"usr/share/debianutils/*", false},
	{"usr/share/doc-base/*", false},
	{"usr/share/applications/*", false},
	{"usr/share/pixmaps/*", false},
	{"usr/share/gdb/*", false},
	{"usr/share/gcc/*", false},
	{"usr/share/locale/*", false},
	{"usr/lib/binfmt.d/*", false},
	/* The same zones twice more; zoneinfo.available_timezones() leaves them out. */
	{"usr/share/zoneinfo/right/*", false},
	{"usr/share/zoneinfo/posix/*", false},
	/* The interpreter's own tests and their helper modules. */
	{"usr/lib/python3*/test/*", false},
	{"usr/lib/python3*/*/test/*", false},
	{"usr/lib/python3*/*/tests/*", false},
	{"usr/lib/python3*/lib-dynload/_test*.so", false},
	{"usr/lib/python3*/lib-dynload/_xxtestfuzz*.so", false},
	/* A compiler of its own size that only shows its own files. */
	{"usr/bin/*lto-dump*", false},
	/* Administration of a machine; an image is none. */
	{"usr/sbin/*", false},
	{"usr/bin/localedef", false},
	{"usr/bin/tzselect", false},
	{"usr/bin/ldd", false},
	{"etc/update-motd.d/*", false},
	{"etc/ca-certificates/*", false},
	{"etc/default/*", false},
	{"etc/dpkg/*", false},
	{"etc/issue*", false},
};

static int refuse(struct cuv_error *err, const char *name, const char *why)
{
	char shown[200];

	/* One line, whatever the archive holds. */
	(void)snprintf(shown, sizeof(shown), "%s", name);
	for (char *c = shown; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return cuv_error_set(err, CUV_E_BUILD_FAILED, "archive member %s: %s", shown, why);
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* Appends text's parts to p. up: ".." takes the last part away again (for link
 * targets), else it is refused. Returns why not, or NULL. */
static const char *parts_add(struct parts *p, size_t *used, const char *text, bool up)
{
	size_t len = strlen(text);

	if (*used + len + 1 > sizeof(p->text))
		return "the name is too long";
	char *s = p->text + *used;
	memcpy(s, text, len + 1);
	*used += len + 1;

	while (*s) {
		char *end = strchrnul(s, '/');
		bool last = *end == '\0';

		*end = '\0';
		if (strcmp(s, "..") == 0) {
			if (!up)
				return "'..' is not allowed";
			if (p->n == 0)
				return "the link climbs out of the root";
			p->n--;
		} else if (*s && strcmp(s, ".") != 0) {
			if (p->n == CUV_MEMBER_DEPTH_MAX)
				return "too many folders";
			if (strlen(s) > 255)
				return "a part of the name is too long";
			p->part[p->n++] = s;
		}
		if (last)
			break;
		s = end + 1;
	}
	return NULL;
}

/* Joins parts [from, n) behind `ups` times "../". */
static bool parts_join(const struct parts *p, size_t from, size_t ups, struct cuv_member_name *ret)
{
	size_t len = 0;

	ret->path[0] = '\0';
	for (size_t i = 0; i < ups + p->n - from; i++) {
		const char *part = i < ups ? ".." : p->part[from + i - ups];
		int n = snprintf(ret->path + len, sizeof(ret->path) - len, "%s%s", len ? "/" : "", part);

		if (n < 0 || (size_t)n >= sizeof(ret->path) - len)
			return false;
		len += (size_t)n;
	}
	return true;
}

/* Folders that a merged root keeps below /usr. */
static const char *const moved[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* Puts "usr" before them. */
static const char *parts_merge(struct parts *p)
{
	for (size_t i = 0; p->n > 0 && i < ARRAY_SIZE(moved); i++) {
		if (strcmp(p->part[0], moved[i]) != 0)
			continue;
		if (p->n == CUV_MEMBER_DEPTH_MAX)
			return "too many folders";
		memmove(p->part + 1, p->part, p->n * sizeof(p->part[0]));
		p->part[0] = "usr";
		p->n++;
		break;
	}
	return NULL;
}

int cuv_member_clean(const char *name, struct cuv_member_name *ret_name, struct cuv_error *err)
{
	struct parts p = {.n = 0};
	struct cuv_member_name out;
	size_t used = 0;

	if (*name == '\0')
		return refuse(err, "(empty)", "it has no name");
	if (has_control(name))
		return refuse(err, name, "control characters are not allowed");
	if (*name == '/')
		return refuse(err, name, "absolute names are not allowed");
	const char *why = parts_add(&p, &used, name, false);
	if (why)
		return refuse(err, name, why);
	if (!parts_join(&p, 0, 0, &out))
		return refuse(err, name, "the name is too long");
	*ret_name = out;
	return 0;
}

int cuv_member_merge(const char *path, struct cuv_member_name *ret_name, struct cuv_error *err)
{
	struct parts p = {.n = 0};
	struct cuv_member_name out;
	size_t used = 0;

	const char *why = parts_add(&p, &used, path, false);
	if (!why)
		why = parts_merge(&p);
	if (!why && !parts_join(&p, 0, 0, &out))
		why = "the name is too long";
	if (why)
		return refuse(err, path, why);
	*ret_name = out;
	return 0;
}

bool cuv_member_is_merge(const char *path, const char *target)
{
	for (size_t i = 0; i < ARRAY_SIZE(moved); i++)
		if (strcmp(path, moved[i]) == 0)
			return strncmp(target, "usr/", 4) == 0 && strcmp(target + 4, path) == 0;
	return false;
}

int cuv_member_link(const char *path, const char *target, struct cuv_member_name *ret_target, struct cuv_error *err)
{
	struct parts link = {.n = 0}, to = {.n = 0};
	struct cuv_member_name out;
	size_t used = 0, shared = 0;
	const char *why = NULL;

	if (*target == '\0')
		why = "the link has no target";
	else if (has_control(target))
		why = "control characters are not allowed in a link";
	if (!why && *target != '/') {
		/* A relative target counts from the folder that the package knows. */
		why = parts_add(&to, &used, path, false);
		if (!why && to.n > 0)
			to.n--;
	}
	if (!why)
		why = parts_add(&to, &used, target, true);
	used = 0;
	if (!why)
		why = parts_add(&link, &used, path, false);
	if (!why)
		why = parts_merge(&to);
	if (!why)
		why = parts_merge(&link);
	if (why)
		return refuse(err, path, why);

	while (shared < to.n && shared + 1 < link.n && strcmp(to.part[shared], link.part[shared]) == 0)
		shared++;
	if (!parts_join(&to, shared, link.n ? link.n - 1 - shared : 0, &out))
		return refuse(err, path, "the link's target is too long");
	if (out.path[0] == '\0')
		memcpy(out.path, ".", 2);
	*ret_target = out;
	return 0;
}

bool cuv_member_wanted(const char *merged)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (fnmatch(rules[i].pattern, merged, 0) == 0)
			return rules[i].keep;
	return true;
}
