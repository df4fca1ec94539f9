/* SPDX-License-Identifier: MIT */
#include "cli/state.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"
#include "lib/base/lease.h"
#include "lib/base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_NAME "serve.lock"
/* `cuvette status` holds the lock for a moment to see whether it is free. */
#define LOCK_WAIT_MS 300
#define LOCK_PAUSE_NS 20000000

void cuv_state_done(struct cuv_state *s)
{
	s->run_fd = cuv_close(s->run_fd);
}

int cuv_state_default(char *ret, size_t size)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const struct passwd *pw;
	int n;

	if (geteuid() == 0)
		n = snprintf(ret, size, "/var/lib/cuvette");
	else if (base && base[0] == '/')
		n = snprintf(ret, size, "%s/cuvette", base);
	else {
		if (!home || home[0] != '/') {
			pw = getpwuid(geteuid());
			home = pw ? pw->pw_dir : NULL;
		}
		if (!home || home[0] != '/')
			return -ENOENT;
		n = snprintf(ret, size, "%s/.local/state/cuvette", home);
	}
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Makes the folder and its parents. Only the last one gets mode; parents are
 * made so that others can pass through, which root's builder must. */
static int make_folders(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t i, len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (i = 1; i <= len; i++) {
		bool last = i == len;

		if (!last && path[i] != '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, last ? mode : 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static bool join(char *dst, size_t size, const char *path, const char *rest)
{
	int n = snprintf(dst, size, "%s%s", path, rest);

	return n >= 0 && (size_t)n < size;
}

static int set_paths(struct cuv_state *s, const char *path, struct cuv_error *err)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-";

	if (strspn(path, safe) != strlen(path)) {
		cuv_error_set(err, CUV_E_BAD_REQUEST,
			      "%s: the state folder's path may hold letters, digits and ._+- only (Nix's rule)", path);
		return -EINVAL;
	}
	if (strlen(path) >= sizeof(s->path)) {
		cuv_error_set(err, CUV_E_BAD_REQUEST,
			      "%s: the state folder's path is longer than the %zu bytes that leave room for a socket's "
			      "name; choose a shorter one",
			      path, sizeof(s->path) - 1);
		return -ENAMETOOLONG;
	}
	if (!join(s->path, sizeof(s->path), path, "") || !join(s->store, sizeof(s->store), path, "/nix/nix/store") ||
	    !join(s->leases, sizeof(s->leases), path, "/nix/" CUV_LEASES_FOLDER) ||
	    !join(s->manager, sizeof(s->manager), path, "/manager") ||
	    !join(s->pages, sizeof(s->pages), path, "/api-docs") ||
	    !join(s->launcher_sock, sizeof(s->launcher_sock), path, "/run/launcher.sock") ||
	    !join(s->builder_sock, sizeof(s->builder_sock), path, "/run/builder.sock"))
		return -ENAMETOOLONG;
	return 0;
}

/* Who could swap the folder under us, or lock out its users? */
static int check_owner(const struct cuv_state *s, struct cuv_error *err)
{
	char part[CUV_STATE_PATH_SIZE];
	struct stat st;
	char *slash;

	if (stat(s->path, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid()) {
		cuv_error_set(err, CUV_E_UNAVAILABLE,
			      "%s belongs to uid %u, not to uid %u who starts this; choose another state folder with "
			      "--state",
			      s->path, st.st_uid, geteuid());
		return -EPERM;
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		cuv_error_set(err, CUV_E_UNAVAILABLE, "%s can be written to by others; run: chmod go-w %s", s->path,
			      s->path);
		return -EPERM;
	}
	if (!s->root)
		return 0;
	memcpy(part, s->path, sizeof(part));
	do {
		if (stat(part, &st) < 0)
			return -errno;
		if (!(st.st_mode & S_IXOTH)) {
			cuv_error_set(err, CUV_E_UNAVAILABLE,
				      "the builder (uid %u), who owns the store, can't enter %s; choose another state "
				      "folder, or run: chmod o+x %s",
				      CUV_BUILDER_UID, part, part);
			return -EACCES;
		}
		slash = strrchr(part, '/');
		*slash = '\0';
	} while (part[0]);
	return 0;
}

static int check_nix(const struct cuv_state *s, struct cuv_error *err)
{
	char nix[sizeof(s->path) + 8];
	uid_t owner = s->root ? CUV_BUILDER_UID : geteuid();
	struct stat st;

	snprintf(nix, sizeof(nix), "%s/nix", s->path);
	if (mkdir(nix, 0755) == 0 && s->root && lchown(nix, owner, owner) < 0)
		return -errno;
	if (lstat(nix, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != owner) {
		cuv_error_set(
			err, CUV_E_UNAVAILABLE,
			"%s belongs to uid %u, but the builder runs as uid %u; was it made by another user? Choose "
			"another state folder with --state, or remove this one (it comes back)",
			nix, st.st_uid, owner);
		return -EPERM;
	}
	/* The launcher opens it at its start, which may be before the builder's. */
	if (mkdir(s->leases, 0755) == 0 && s->root && lchown(s->leases, owner, owner) < 0)
		return -errno;
	return 0;
}

/* Of the manager's own id: what it keeps is nobody else's to read. */
static int check_manager(const struct cuv_state *s, struct cuv_error *err)
{
	uid_t owner = s->root ? CUV_MANAGER_UID : geteuid();
	struct stat st;

	if (mkdir(s->manager, 0700) == 0 && s->root && lchown(s->manager, owner, owner) < 0)
		return -errno;
	if (lstat(s->manager, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode) && st.st_uid == owner && !(st.st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	cuv_error_set(err, CUV_E_UNAVAILABLE,
		      "%s belongs to uid %u with mode %03o, but must be the manager's (uid %u) alone; was it made by "
		      "another user? It holds the API keys: move it away, or choose another state folder with --state",
		      s->manager, st.st_uid, st.st_mode & 0777, owner);
	return -EPERM;
}

static int resolve(const char *text, bool make, struct cuv_state *s, struct cuv_error *err)
{
	char given[PATH_MAX], real[PATH_MAX];
	struct stat st;
	int r;

	if (text && snprintf(given, sizeof(given), "%s", text) >= (int)sizeof(given))
		r = -ENAMETOOLONG;
	else
		r = text ? 0 : cuv_state_default(given, sizeof(given));
	if (r < 0) {
		cuv_error_set(err, CUV_E_BAD_REQUEST, "no place for the state folder is known; give one with --state");
		return r;
	}
	if (make)
		r = make_folders(given, cuv_ids_are_root() ? 0755 : 0700);
	if (r == 0 && !realpath(given, real))
		r = -errno;
	if (r < 0) {
		cuv_error_set(err, CUV_E_UNAVAILABLE, "the state folder %s can't be %s (%s)", given,
			      make ? "made" : "opened", strerror(-r));
		return r;
	}
	s->root = cuv_ids_are_root();
	s->own = stat(real, &st) == 0 && st.st_uid == geteuid();
	return set_paths(s, real, err);
}

static int open_run(struct cuv_state *s)
{
	char run[sizeof(s->path) + 8];

	snprintf(run, sizeof(run), "%s/run", s->path);
	s->run_fd = open(run, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->run_fd < 0 ? -errno : 0;
}

int cuv_state_open(const char *text, struct cuv_state *ret, struct cuv_error *err)
{
	_cleanup_state_ struct cuv_state s = CUV_STATE_INIT;
	char run[sizeof(s.path) + 8];
	int r;

	*err = CUV_ERROR_INIT;
	r = resolve(text, true, &s, err);
	if (r == 0)
		r = check_owner(&s, err);
	if (r == 0)
		r = check_nix(&s, err);
	if (r == 0)
		r = check_manager(&s, err);
	if (r == 0) {
		snprintf(run, sizeof(run), "%s/run", s.path);
		if (mkdir(run, 0700) < 0 && errno != EEXIST)
			r = -errno;
	}
	if (r == 0)
		r = open_run(&s);
	if (r < 0) {
		if (err->code == CUV_E_NONE)
			cuv_error_set(err, CUV_E_UNAVAILABLE, "the state folder %s can't be used (%s)", s.path,
				      strerror(-r));
		return r;
	}
	*ret = s;
	s.run_fd = -1;
	return 0;
}

int cuv_state_look(const char *text, struct cuv_state *ret, struct cuv_error *err)
{
	struct cuv_state s = CUV_STATE_INIT;
	int r = resolve(text, false, &s, err);

	if (r < 0)
		return r;
	r = open_run(&s);
	if (r < 0 && r != -ENOENT && r != -EACCES) {
		cuv_error_set(err, CUV_E_UNAVAILABLE, "%s/run can't be opened (%s)", s.path, strerror(-r));
		return r;
	}
	*ret = s;
	return 0;
}

/* --- the service's lock --- */

/* "pid N\nurl U\n" */
static void read_note(int fd, struct cuv_service_note *ret)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(1024);
	const char *line;
	uint64_t pid;
	char number[24];
	size_t n;

	*ret = (struct cuv_service_note){0};
	if (cuv_pread_all(fd, &b) < 0)
		return;
	for (line = cuv_buf_str(&b); *line; line += n + (line[n] ? 1 : 0)) {
		n = strcspn(line, "\n");
		if (strncmp(line, "pid ", 4) == 0 && n - 4 < sizeof(number)) {
			snprintf(number, sizeof(number), "%.*s", (int)n - 4, line + 4);
			if (cuv_parse_u64(number, INT_MAX, &pid) == 0)
				ret->pid = (pid_t)pid;
		}
		if (strncmp(line, "url ", 4) == 0 && n - 4 < sizeof(ret->url))
			snprintf(ret->url, sizeof(ret->url), "%.*s", (int)n - 4, line + 4);
	}
}

int cuv_state_lock_service(const struct cuv_state *s, struct cuv_error *err)
{
	_cleanup_close_ int fd = openat(s->run_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	uint64_t deadline = cuv_deadline_ms(LOCK_WAIT_MS);
	struct cuv_service_note note;

	if (fd < 0) {
		int r = -errno;

		cuv_error_set(err, CUV_E_UNAVAILABLE, "%s/run/" LOCK_NAME " can't be opened (%s)", s->path,
			      strerror(-r));
		return r;
	}
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK && cuv_now_ns() < deadline) {
			nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
			continue;
		}
		read_note(fd, &note);
		cuv_error_set(err, CUV_E_UNAVAILABLE,
			      "a service runs on %s already (process %d%s%s); stop it, or give this one another folder "
			      "with --state",
			      s->path, note.pid, note.url[0] ? ", " : "", note.url);
		return -EBUSY;
	}
	return TAKE_FD(fd);
}

int cuv_state_note_service(int lock_fd, const char *url)
{
	char text[256];
	int n = snprintf(text, sizeof(text), "pid %d\n%s%s%s", getpid(), url ? "url " : "", url ? url : "",
			 url ? "\n" : "");

	cuv_assert(n > 0 && (size_t)n < sizeof(text));
	if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

int cuv_state_service(const struct cuv_state *s, struct cuv_service_note *ret)
{
	_cleanup_close_ int fd = -1;

	if (s->run_fd < 0) {
		char run[sizeof(s->path) + 8];

		snprintf(run, sizeof(run), "%s/run", s->path);
		return access(run, X_OK) == 0 || errno == ENOENT ? 0 : -errno;
	}
	fd = openat(s->run_fd, LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	read_note(fd, ret);
	return 1;
}
