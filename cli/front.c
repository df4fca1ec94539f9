/* SPDX-License-Identifier: MIT */
#include "cli/front.h"

#include "lib/base/fd.h"
#include "lib/base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
#define MODE_MAX 0777u
#define ID_MAX (UINT32_MAX - 1ull)
#define ADDRESS_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/* --- settings --- */

int cuv_front_mode(const char *text, mode_t *ret, struct cuv_error *err)
{
	const size_t len = strlen(text);
	mode_t mode = 0;

	for (const char *c = text; *c >= '0' && *c <= '7' && mode <= MODE_MAX; c++)
		mode = mode * 8 + (mode_t)(*c - '0');
	if (len < 3 || len > 4 || strspn(text, "01234567") != len || mode > MODE_MAX)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "unix-mode: `%s` is not a mode such as 0660", text);
	*ret = mode;
	return 0;
}

static bool find_user(const char *name, uid_t *ret)
{
	const struct passwd *pw;
	uint64_t n;

	if (cuv_parse_u64(name, ID_MAX, &n) == 0) {
		*ret = (uid_t)n;
		return true;
	}
	pw = getpwnam(name);
	if (pw)
		*ret = pw->pw_uid;
	return pw != NULL;
}

static bool find_group(const char *name, gid_t *ret)
{
	const struct group *gr;
	uint64_t n;

	if (cuv_parse_u64(name, ID_MAX, &n) == 0) {
		*ret = (gid_t)n;
		return true;
	}
	gr = getgrnam(name);
	if (gr)
		*ret = gr->gr_gid;
	return gr != NULL;
}

int cuv_front_owner(const char *text, uid_t *ret_uid, gid_t *ret_gid, struct cuv_error *err)
{
	const char *colon = strchr(text, ':');
	const size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char user[64];

	*ret_uid = (uid_t)-1;
	*ret_gid = (gid_t)-1;
	if (len >= sizeof(user) || !*text || (colon && !colon[1]))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "unix-owner: `%s` is not USER, USER:GROUP or :GROUP",
				     text);
	memcpy(user, text, len);
	user[len] = '\0';
	if (len > 0 && !find_user(user, ret_uid))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "unix-owner: there is no user `%s`", user);
	if (colon && !find_group(colon + 1, ret_gid))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "unix-owner: there is no group `%s`", colon + 1);
	return 0;
}

int cuv_front_path(const char *path, struct cuv_error *err)
{
	const char *name = strrchr(path, '/');

	if (path[0] == '/' && name[1] && strcmp(name, "/.") != 0 && strcmp(name, "/..") != 0 &&
	    strlen(path) < ADDRESS_SIZE) {
		if (strlen(name + 1) <= CUV_FRONT_NAME_MAX)
			return 0;
		return cuv_error_set(err, CUV_E_BAD_REQUEST,
				     "listen-unix: the name `%s` of the socket is too long: it may have %d bytes",
				     name + 1, CUV_FRONT_NAME_MAX);
	}
	return cuv_error_set(err, CUV_E_BAD_REQUEST,
			     "listen-unix: `%s` is not the absolute path of a file, of at most %zu bytes", path,
			     ADDRESS_SIZE - 1);
}

/* --- the socket --- */

static int failed(const char *path, const char *why, struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_UNAVAILABLE, "no socket can be made at %s: %s", path, why);
}

/* The folder itself, whatever its name leads to later: only root and we can put things in
 * it, or, where it is sticky, take ours away. */
static int open_folder(const char *path, struct cuv_front *f, struct cuv_error *err)
{
	const char *name = strrchr(path, '/') + 1;
	char folder[ADDRESS_SIZE];
	struct stat st;

	(void)snprintf(folder, sizeof(folder), "%.*s", (int)CUV_MAX(name - path - 1, 1), path);
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	f->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (f->folder < 0 || fstat(f->folder, &st) < 0)
		return failed(path, strerror(errno), err);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return failed(path, "the folder belongs to another user", err);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
		return failed(path, "others can write to the folder", err);
	return 0;
}

/* By the folder's descriptor, so that its own path is not gone through again. */
static void address_of(const struct cuv_front *f, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/%s", f->folder, f->name);
}

/* Whether somebody listens there. */
static bool is_served(const struct cuv_front *f)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;

	address_of(f, &addr);
	return fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != ECONNREFUSED;
}

/* What a service that was killed has left. */
static int clear(const struct cuv_front_settings *s, const struct cuv_front *f, struct cuv_error *err)
{
	struct stat st;

	if (fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : failed(s->path, strerror(errno), err);
	if (!S_ISSOCK(st.st_mode))
		return failed(s->path, "there is something that is not a socket", err);
	if (st.st_uid != geteuid() && st.st_uid != s->uid)
		return failed(s->path, "there is one of another user", err);
	if (is_served(f))
		return failed(s->path, "another process listens there", err);
	if (unlinkat(f->folder, f->name, 0) < 0 && errno != ENOENT)
		return failed(s->path, strerror(errno), err);
	return 0;
}

/* Its mode is there before its name is, and nobody is heard before its owner is. */
static int make(const struct cuv_front_settings *s, struct cuv_front *f)
{
	struct sockaddr_un addr;
	struct stat st;
	mode_t mask;
	int r;

	f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f->fd < 0 || fchmod(f->fd, s->mode) < 0)
		return -errno;
	address_of(f, &addr);
	mask = umask(0);
	r = bind(f->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	(void)umask(mask);
	if (r < 0)
		return r;
	/* Later it is only known for ours by what is found here. */
	if (fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		r = -errno;
		(void)unlinkat(f->folder, f->name, 0);
		return r;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	if (fchownat(f->folder, f->name, s->uid, s->gid, AT_SYMLINK_NOFOLLOW) < 0 || listen(f->fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

int cuv_front_open(const struct cuv_front_settings *s, struct cuv_front *ret, struct cuv_error *err)
{
	int r;

	*ret = CUV_FRONT_INIT;
	if (!s->path)
		return 0;
	r = open_folder(s->path, ret, err);
	if (r == 0)
		r = clear(s, ret, err);
	if (r < 0)
		return r;
	r = make(s, ret);
	return r < 0 ? failed(s->path, strerror(-r), err) : 0;
}

void cuv_front_close(struct cuv_front *f)
{
	struct stat st;

	if (f->ino && fstatat(f->folder, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == f->dev &&
	    st.st_ino == f->ino)
		(void)unlinkat(f->folder, f->name, 0);
	f->fd = cuv_close(f->fd);
	f->folder = cuv_close(f->folder);
	f->ino = 0;
}
