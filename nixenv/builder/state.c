/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/state.h"

#include "lib/base/fd.h"
#include "lib/base/lease.h"
#include "nixenv/builder/recipes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void cuv_path_join(const char *folder, const char *name, char ret[PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%s/%s", folder, name);

	cuv_assert(n > 0 && n < PATH_MAX);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	/* Nix makes outputs read-only; what is below must be removable. */
	if (type == FTW_DNR)
		(void)chmod(path, 0700);
	(void)remove(path);
	return 0;
}

static int open_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	if (type == FTW_D && (st->st_mode & 0700) != 0700)
		(void)chmod(path, 0700);
	return 0;
}

int cuv_remove_tree(const char *path)
{
	struct stat st;

	(void)nftw(path, open_one, 16, FTW_PHYS | FTW_MOUNT);
	(void)nftw(path, remove_one, 16, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
	return lstat(path, &st) == 0 ? -ENOTEMPTY : 0;
}

static void temporary_name(const struct cuv_builder_state *s, char ret[PATH_MAX])
{
	static unsigned serial;
	char name[64];

	(void)snprintf(name, sizeof(name), "new-%d-%u", (int)getpid(), serial++);
	cuv_path_join(s->tmp, name, ret);
}

int cuv_builder_write(const struct cuv_builder_state *s, const char *path, const void *data, size_t len)
{
	_cleanup_close_ int fd = -1;
	char tmp[PATH_MAX];
	int r;

	temporary_name(s, tmp);
	(void)unlink(tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = cuv_write_all(fd, data, len);
	if (r == 0 && rename(tmp, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(tmp);
	return r;
}

int cuv_builder_link(const struct cuv_builder_state *s, const char *target, const char *path)
{
	char tmp[PATH_MAX];

	temporary_name(s, tmp);
	(void)unlink(tmp);
	if (symlink(target, tmp) < 0)
		return -errno;
	if (rename(tmp, path) < 0) {
		int r = -errno;

		(void)unlink(tmp);
		return r;
	}
	return 0;
}

bool cuv_builder_has_path(const struct cuv_builder_state *s, const char *store_name)
{
	char path[PATH_MAX];

	cuv_path_join(s->store, store_name, path);
	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Nix's settings; the folder they lie in is its NIX_CONF_DIR, so that no setting
 * of the host has a say. */
static int write_conf(const struct cuv_builder_state *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char path[PATH_MAX], text[1024];
	int n = snprintf(text, sizeof(text),
			 "experimental-features = nix-command flakes\n"
			 "sandbox = true\n"
			 "sandbox-fallback = false\n"
			 "build-users-group =\n"
			 "substituters =\n"
			 "flake-registry =\n"
			 "max-jobs = %ld\n"
			 "cores = 1\n"
			 "max-build-log-size = 1048576\n"
			 "keep-build-log = false\n"
			 "sync-before-registering = false\n",
			 CUV_MAX(1, CUV_MIN(cpus, 16)));

	cuv_path_join(s->recipes, "nix.conf", path);
	return cuv_builder_write(s, path, text, (size_t)n);
}

static int write_recipes(const struct cuv_builder_state *s)
{
	for (const struct cuv_embedded *recipe = cuv_recipes; recipe->name; recipe++) {
		char path[PATH_MAX];
		int r;

		cuv_path_join(s->recipes, recipe->name, path);
		r = cuv_builder_write(s, path, recipe->data, recipe->len);
		if (r < 0)
			return r;
	}
	return write_conf(s);
}

/* Removes what dead builders left in tmp/: the folders that nobody has locked. */
static void clear_dead(const char *top)
{
	DIR *d = opendir(top);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		_cleanup_close_ int fd = -1;
		char path[PATH_MAX];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		cuv_path_join(top, e->d_name, path);
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)cuv_remove_tree(path);
	}
	if (d)
		(void)closedir(d);
}

/* Several builders may work on one store (a service's, and those of runs of
 * their own): each has a folder in tmp/, locked for as long as it or one of its
 * workers lives. Another that starts may clear it away before it is locked. */
static int make_tmp(struct cuv_builder_state *s)
{
	char top[PATH_MAX];

	cuv_path_join(s->nix, "tmp", top);
	if (mkdir(top, 0755) < 0 && errno != EEXIST)
		return -errno;
	clear_dead(top);
	for (int tries = 0; tries < 100; tries++) {
		struct stat mine, named;

		cuv_path_join(top, "builder-XXXXXX", s->tmp);
		if (!mkdtemp(s->tmp))
			return -errno;
		s->tmp_lock = open(s->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (s->tmp_lock >= 0 && flock(s->tmp_lock, LOCK_EX | LOCK_NB) == 0 && fstat(s->tmp_lock, &mine) == 0 &&
		    lstat(s->tmp, &named) == 0 && mine.st_ino == named.st_ino)
			return 0;
		s->tmp_lock = cuv_close(s->tmp_lock);
	}
	return -EAGAIN;
}

int cuv_builder_state_reopen(struct cuv_builder_state *s)
{
	char leases[PATH_MAX];

	cuv_path_join(s->nix, CUV_LEASES_FOLDER, leases);
	s->leases = open(leases, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return s->leases < 0 ? -errno : 0;
}

/* Where the resolver would make a build's environment there is a file, so that it can't
 * begin one, whatever it is asked. */
static int forbid_builds(const struct cuv_builder_state *s)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];

	cuv_path_join(s->uv_cache, "builds-v0", path);
	for (int tries = 0; tries < 2; tries++) {
		fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0)
			return 0;
		if (errno != EISDIR)
			return -errno;
		if (cuv_remove_tree(path) < 0)
			return -EIO;
	}
	return -EBUSY;
}

static int make_folders(struct cuv_builder_state *s)
{
	char leases[PATH_MAX];
	int r;
	const struct {
		const char *name;
		char *path;
	} folders[] = {
		{"recipes", s->recipes},
		{"known", s->known},
		{"locks", s->locks},
		{"uv-cache", s->uv_cache},
		{"home", s->home},
		{"damaged", s->damaged},
		{CUV_LEASES_FOLDER, leases},
		{"sdists", s->sdists},
		{"public-3", s->publics},
		{"nars", s->nars},
		{"interpreters", s->interpreters},
	};
	static const char *const indexes[] = {"env", "req", "pin", "wheel"};

	cuv_path_join(s->nix, "nix/store", s->store);
	cuv_path_join(s->nix, "nix/var/nix/gcroots/cuvette", s->roots);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		cuv_path_join(s->nix, folders[i].name, folders[i].path);
		if (mkdir(folders[i].path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	for (size_t i = 0; i < ARRAY_SIZE(indexes); i++) {
		char path[PATH_MAX];

		cuv_path_join(s->roots, indexes[i], path);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	r = forbid_builds(s);
	if (r == 0)
		r = cuv_builder_state_reopen(s);
	return r < 0 ? r : make_tmp(s);
}

/* Nix takes paths of these characters only without quoting of any kind. */
static bool path_is_plain(const char *path)
{
	return strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._+-") == strlen(path);
}

int cuv_builder_state_open(const char *dir, struct cuv_builder_state *ret, struct cuv_error *err)
{
	struct cuv_builder_state s = {0};
	_cleanup_free_ char *real = realpath(dir, NULL);
	int r;

	if (!real)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "the state folder %s can't be opened: %s (run: make store)", dir, strerror(errno));
	if (!path_is_plain(real) || strlen(real) > 80)
		return cuv_error_set(err, CUV_E_UNAVAILABLE,
				     "the state folder's path may have 80 letters, digits, ._+- only: %s", real);
	(void)snprintf(s.nix, sizeof(s.nix), "%s/nix", real);
	r = make_folders(&s);
	if (r == 0)
		r = write_recipes(&s);
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the store in %s can't be used: %s (run: make store)",
				     s.nix, strerror(-r));
	*ret = s;
	return 0;
}
