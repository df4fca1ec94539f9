/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/share.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/book.h"
#include "nixenv/builder/evict.h"
#include "nixenv/builder/pack.h"
#include "nixenv/builder/public.h"
#include "nixenv/builder/verify.h"
#include "nixenv/cachekey.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE "cache.secret"
#define PUBLIC_FILE "cache.public"
#define KEY_PREFIX "cuvette"
#define NAR_SUFFIX ".nar.zst"
#define NAR_FILE_SIZE (CUV_ENV_DIGEST_SIZE + CUV_NAR_HASH_PART_SIZE + 16)

/* One archive that is being packed. What a worker is given is a copy. */
struct packing {
	struct cuv_narinfo info;
	char file[NAR_FILE_SIZE]; /* "": free */
	struct cuv_worker worker;
};

/* Who waits: for one that is being packed, or for a free worker. */
struct waiting {
	void *owner; /* NULL: free */
	char file[NAR_FILE_SIZE];
	struct cuv_share_ask ask;
};

struct cuv_share {
	const struct cuv_builder *b;
	struct cuv_cache_secret secret;
	struct packing packing[CUV_SHARE_WORKERS];
	struct waiting waiting[CUV_SHARE_WAITING_MAX]; /* in the order they came */
	size_t n_waiting;
};

/* --- the key --- */

static int write_secret(const struct cuv_builder *b, const char *path, const struct cuv_cache_secret *s)
{
	_cleanup_close_ int fd = -1;
	char text[CUV_CACHE_KEY_TEXT_SIZE], tmp[PATH_MAX];
	int r;

	cuv_path_join(b->state.tmp, SECRET_FILE, tmp);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	cuv_cache_secret_text(s, text);
	r = cuv_write_all(fd, text, strlen(text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	/* Another builder may have made one meanwhile: that one stays. */
	if (r == 0 && link(tmp, path) < 0 && errno != EEXIST)
		r = -errno;
	(void)unlink(tmp);
	sodium_memzero(text, sizeof(text));
	return r;
}

static int read_secret(const char *path, struct cuv_cache_secret *ret)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_CACHE_KEY_TEXT_SIZE);
	int r = cuv_read_file(AT_FDCWD, path, &text);

	if (r < 0)
		return r;
	while (text.len > 0 && text.data[text.len - 1] == '\n')
		text.data[--text.len] = '\0';
	r = cuv_cache_secret_parse(cuv_buf_str(&text), ret);
	sodium_memzero(text.data, text.len);
	return r;
}

static int write_public(const struct cuv_share *s)
{
	char key[CUV_CACHE_KEY_TEXT_SIZE], text[CUV_CACHE_KEY_TEXT_SIZE + 1], path[PATH_MAX];

	cuv_cache_secret_public(&s->secret, key);
	cuv_log(CUV_LOG_INFO, "sharing", CUV_S("key", key));
	(void)snprintf(text, sizeof(text), "%s\n", key);
	cuv_path_join(s->b->state.nix, PUBLIC_FILE, path);
	return cuv_builder_write(&s->b->state, path, text, strlen(text));
}

static int open_key(struct cuv_share *s)
{
	char path[PATH_MAX];
	int r;

	cuv_path_join(s->b->state.nix, SECRET_FILE, path);
	r = read_secret(path, &s->secret);
	if (r == -ENOENT) {
		struct cuv_cache_secret made;

		cuv_cache_secret_make(KEY_PREFIX, &made);
		r = write_secret(s->b, path, &made);
		sodium_memzero(&made, sizeof(made));
		r = r ? r : read_secret(path, &s->secret);
	}
	return r ? r : write_public(s);
}

struct cuv_share *cuv_share_new(const struct cuv_builder *b, struct cuv_error *err)
{
	struct cuv_share *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (s) {
		s->b = b;
		for (size_t i = 0; i < CUV_SHARE_WORKERS; i++)
			s->packing[i].worker = CUV_WORKER_INIT;
		r = open_key(s);
	}
	if (r == 0)
		return s;
	cuv_error_set(err, CUV_E_UNAVAILABLE, "the cache's key in %s/" SECRET_FILE " can't be used: %s", b->state.nix,
		      r == -EINVAL ? "it is not NAME:BASE64; remove it for a new one" : strerror(-r));
	return cuv_share_free(s);
}

static void packing_done(struct packing *p)
{
	cuv_worker_stop(&p->worker);
	cuv_narinfo_done(&p->info);
	p->file[0] = '\0';
}

struct cuv_share *cuv_share_free(struct cuv_share *s)
{
	for (size_t i = 0; s && i < CUV_SHARE_WORKERS; i++)
		packing_done(&s->packing[i]);
	if (s)
		sodium_memzero(&s->secret, sizeof(s->secret));
	free(s);
	return NULL;
}

/* --- narinfos --- */

static int not_found(struct cuv_error *err)
{
	return cuv_error_set(err, CUV_E_NOT_FOUND, "no such path is shared here");
}

static int internal(struct cuv_error *err, const char *what, int r)
{
	cuv_log(CUV_LOG_WARNING, "share-failed", CUV_S("what", what), CUV_S("error", strerror(-r)));
	return cuv_error_set_errno(err, r, "%s: %s", what, strerror(-r));
}

/* What is there, whole and public; all else looks as if it were not. */
static int find_path(const struct cuv_share *s, const char *hash_part, struct cuv_narinfo *ret, struct cuv_error *err)
{
	int r = cuv_book_find(s->b, hash_part, ret);

	if (r < 0)
		return internal(err, "the store's book can't be read", r);
	if (r > 0 || !cuv_public_has(s->b, ret->store_name) || cuv_verify_is_damaged(s->b, ret->store_name))
		return not_found(err);
	return 0;
}

static void nar_file(const struct cuv_narinfo *info, char ret[NAR_FILE_SIZE])
{
	char hash[CUV_NAR_HASH_PART_SIZE];

	cuv_nix32(info->nar_hash.bytes, sizeof(info->nar_hash.bytes), hash);
	(void)snprintf(ret, NAR_FILE_SIZE, "%.*s-%s" NAR_SUFFIX, CUV_ENV_DIGEST_SIZE - 1, info->store_name, hash);
}

static int answer_narinfo(struct cuv_share *s, const struct cuv_share_ask *ask, struct cuv_error *err)
{
	_cleanup_narinfo_ struct cuv_narinfo info = CUV_NARINFO_INIT;
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_NARINFO_BYTES_MAX);
	char file[NAR_FILE_SIZE];
	int r;

	if (find_path(s, ask->hash_part, &info, err) < 0)
		return -EINVAL;
	nar_file(&info, file);
	(void)snprintf(info.url, sizeof(info.url), "nar/%s", file);
	info.packing = CUV_PACKING_ZSTD;
	r = cuv_narinfo_sign(&info, &s->secret);
	r = r ? r : cuv_narinfo_write(&info, &text);
	r = r ? r : cuv_memfd("narinfo", text.data, text.len);
	return r < 0 ? internal(err, "a narinfo can't be made", r) : r;
}

/* --- archives: the worker --- */

struct nar_list {
	struct {
		char name[NAR_FILE_SIZE];
		struct timespec used;
		uint64_t bytes;
	} * items;
	size_t n;
	uint64_t bytes;
};

static void list_nars(DIR *d, struct nar_list *list)
{
	struct dirent *e;

	while ((e = readdir(d))) {
		struct stat st;
		void *more;

		if (strlen(e->d_name) >= NAR_FILE_SIZE || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		more = reallocarray(list->items, list->n + 1, sizeof(*list->items));
		if (!more)
			return;
		list->items = more;
		(void)snprintf(list->items[list->n].name, NAR_FILE_SIZE, "%s", e->d_name);
		list->items[list->n].used = st.st_mtim;
		list->items[list->n].bytes = (uint64_t)st.st_size;
		list->bytes += (uint64_t)st.st_size;
		list->n++;
	}
}

static bool before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* The longest unused go, but not the one that was made now. Who streams one has it open. */
static void trim_nars(const struct cuv_builder *b, const char *keep)
{
	struct nar_list list = {0};
	DIR *d = opendir(b->state.nars);

	if (!d)
		return;
	list_nars(d, &list);
	while (list.bytes > CUV_SHARE_BYTES_MAX) {
		size_t oldest = list.n;

		for (size_t i = 0; i < list.n; i++)
			if (list.items[i].bytes > 0 && strcmp(list.items[i].name, keep) != 0 &&
			    (oldest == list.n || before(&list.items[i].used, &list.items[oldest].used)))
				oldest = i;
		if (oldest == list.n)
			break;
		(void)unlinkat(dirfd(d), list.items[oldest].name, 0);
		list.bytes -= list.items[oldest].bytes;
		list.items[oldest].bytes = 0;
	}
	free(list.items);
	(void)closedir(d);
}

/* Its descriptor, for reading. */
static int pack_file(const struct cuv_builder *b, const struct packing *p, const char *work)
{
	char tmp[PATH_MAX], path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	int r;

	cuv_path_join(work, "nar", tmp);
	cuv_path_join(b->state.nars, p->file, path);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = cuv_pack(b, &p->info, fd);
	if (r < 0)
		return r;
	if (rename(tmp, path) < 0)
		return -errno;
	trim_nars(b, p->file);
	r = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static void do_pack(const struct cuv_builder *b, const struct cuv_worker_chore *c, int sock, const char *work,
		    _unused_ int given)
{
	const struct packing *p = c->arg;
	/* Nothing is collected meanwhile. */
	_cleanup_close_ int store = cuv_store_share(b), fd = -1;
	struct cuv_error err = CUV_ERROR_INIT;

	fd = store < 0 ? store : pack_file(b, p, work);
	if (fd >= 0) {
		(void)cuv_msg_send_plain(sock, CUV_MSG_SHARE, &fd, 1);
		return;
	}
	if (fd == -ENOENT) {
		not_found(&err);
	} else if (fd == -ENOSPC || fd == -EDQUOT) {
		cuv_error_set(&err, CUV_E_NO_SPACE, "the service's disk is full");
		err.retry_after_s = 60;
	} else if (fd == -EUCLEAN) {
		cuv_log(CUV_LOG_ERROR, "share-damaged", CUV_S("path", p->info.store_name));
		cuv_error_set(&err, CUV_E_INTERNAL, "the path is not what was built; `cuvette env verify` repairs it");
	} else {
		internal(&err, "the archive can't be made", fd);
	}
	(void)cuv_failure_send(sock, &err);
}

/* --- archives: who waits for them --- */

static struct packing *find_packing(struct cuv_share *s, const char *file)
{
	for (size_t i = 0; i < CUV_SHARE_WORKERS; i++)
		if (strcmp(s->packing[i].file, file) == 0)
			return &s->packing[i];
	return NULL;
}

/* The file if it is there, as used now. */
static int open_nar(const struct cuv_share *s, const char *file)
{
	char path[PATH_MAX];
	int fd;

	cuv_path_join(s->b->state.nars, file, path);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		(void)futimens(fd, NULL);
	return fd < 0 ? -errno : fd;
}

/* -EINPROGRESS when a worker has begun; takes info over. */
static int begin(struct cuv_share *s, struct packing *p, struct cuv_narinfo *info, const char *file,
		 struct cuv_error *err)
{
	int r;

	p->info = *info;
	*info = CUV_NARINFO_INIT;
	(void)snprintf(p->file, sizeof(p->file), "%s", file);
	r = cuv_worker_start_chore(s->b, &(struct cuv_worker_chore){.do_it = do_pack, .arg = p, .fd = -1}, &p->worker);
	if (r == 0)
		return -EINPROGRESS;
	packing_done(p);
	return internal(err, "the archive can't be made", r);
}

/* A descriptor; -EINPROGRESS: to be waited for, be it for a worker; -EINVAL with err. */
static int start_nar(struct cuv_share *s, const struct cuv_share_ask *ask, char file[NAR_FILE_SIZE],
		     struct cuv_error *err)
{
	_cleanup_narinfo_ struct cuv_narinfo info = CUV_NARINFO_INIT;
	struct packing *p;
	int fd;

	if (find_path(s, ask->hash_part, &info, err) < 0)
		return -EINVAL;
	nar_file(&info, file);
	if (strncmp(file + CUV_ENV_DIGEST_SIZE, ask->nar_hash, strlen(ask->nar_hash)) != 0)
		return not_found(err);
	fd = open_nar(s, file);
	if (fd != -ENOENT)
		return fd < 0 ? internal(err, "the archive can't be read", fd) : fd;
	if (find_packing(s, file))
		return -EINPROGRESS;
	p = find_packing(s, "");
	return p ? begin(s, p, &info, file, err) : -EINPROGRESS;
}

static int answer_nar(struct cuv_share *s, void *owner, const struct cuv_share_ask *ask, struct cuv_error *err)
{
	struct waiting w = {.owner = owner, .ask = *ask};
	int fd;

	if (s->n_waiting >= CUV_SHARE_WAITING_MAX) {
		cuv_error_set(err, CUV_E_OVERLOADED, "too many archives are asked for; try again");
		err->retry_after_s = 5;
		return -EINVAL;
	}
	fd = start_nar(s, ask, w.file, err);
	if (fd == -EINPROGRESS)
		s->waiting[s->n_waiting++] = w;
	return fd;
}

int cuv_share_ask(struct cuv_share *s, void *owner, const struct cuv_share_ask *ask, struct cuv_error *err)
{
	return ask->kind == CUV_SHARE_NARINFO ? answer_narinfo(s, ask, err) : answer_nar(s, owner, ask, err);
}

static void remove_waiting(struct cuv_share *s, size_t at)
{
	memmove(&s->waiting[at], &s->waiting[at + 1], (s->n_waiting - at - 1) * sizeof(s->waiting[0]));
	s->n_waiting--;
}

/* What is being packed goes on: the client may come again for it. */
void cuv_share_leave(struct cuv_share *s, void *owner)
{
	for (size_t i = s ? s->n_waiting : 0; i-- > 0;)
		if (s->waiting[i].owner == owner)
			remove_waiting(s, i);
}

int cuv_share_socket(const struct cuv_share *s, size_t i)
{
	return s ? s->packing[i].worker.sock : -1;
}

/* Owners may leave as they are told; so each look begins anew. */
static void tell_all(struct cuv_share *s, const char *file, int fd, const struct cuv_error *err,
		     void (*answer)(void *owner, int fd, const struct cuv_error *err))
{
	for (size_t i = 0; i < s->n_waiting;) {
		void *owner = s->waiting[i].owner;

		if (strcmp(s->waiting[i].file, file) != 0) {
			i++;
			continue;
		}
		remove_waiting(s, i);
		answer(owner, fd, err);
		i = 0;
	}
}

/* A worker is free: for those first in line that none is busy for. */
static void start_next(struct cuv_share *s, void (*answer)(void *owner, int fd, const struct cuv_error *err))
{
	for (size_t i = 0; i < s->n_waiting && find_packing(s, "");) {
		char file[NAR_FILE_SIZE], unused[NAR_FILE_SIZE];
		struct cuv_error err = CUV_ERROR_INIT;
		_cleanup_close_ int fd = -1;

		memcpy(file, s->waiting[i].file, sizeof(file));
		fd = start_nar(s, &s->waiting[i].ask, unused, &err);
		if (fd == -EINPROGRESS) {
			i++;
			continue;
		}
		tell_all(s, file, fd < 0 ? -1 : fd, &err, answer);
		i = 0;
	}
}

void cuv_share_input(struct cuv_share *s, size_t i, void (*answer)(void *owner, int fd, const struct cuv_error *err))
{
	_cleanup_frame_ struct cuv_frame f = CUV_FRAME_INIT;
	struct packing *p = &s->packing[i];
	struct cuv_error err = CUV_ERROR_INIT;
	char file[NAR_FILE_SIZE];
	_cleanup_close_ int fd = -1;
	int r = cuv_frame_recv(p->worker.sock, &f);

	if (r == -EAGAIN)
		return;
	if (r == 0 && f.type == CUV_MSG_SHARE)
		fd = cuv_frame_take_fd(&f, 0);
	if (fd < 0 && !(r == 0 && f.type == CUV_MSG_FAILURE && cuv_failure_get(&f.body, &err) == 0))
		cuv_error_set(&err, CUV_E_INTERNAL, "the archive's worker died");
	memcpy(file, p->file, sizeof(file));
	packing_done(p);
	tell_all(s, file, fd, &err, answer);
	start_next(s, answer);
}
