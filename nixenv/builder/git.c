/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/git.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/builder/sealed.h"
#include "nixenv/builder/state.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADVERTISEMENT "/info/refs?service=git-upload-pack"
#define UPLOAD "/git-upload-pack"
#define HEAD_BYTES_MAX 65536 /* before the pack begins */
#define UNPACK_CPU_S 120
#define UNPACK_MEMORY_BYTES (2ull * 1024 * 1024 * 1024)
#define REASON_BYTES_MAX 2048

/* One request: its body goes to a buffer or to a file. */
struct exchange {
	const struct cuv_git_ask *ask;
	struct cuv_dial dial;
	struct cuv_buf *to;
	int fd;
	uint64_t got_bytes;
	bool progress;
	bool too_large;
	bool stopped; /* cancelled or too late */
	int write_error;
};

static bool must_stop(const struct cuv_git_ask *a)
{
	struct pollfd pfd = {.fd = a->cancel_fd, .events = POLLIN};

	return cuv_now_ns() >= a->deadline_ns || (a->cancel_fd >= 0 && poll(&pfd, 1, 0) > 0);
}

static int stopped(const struct cuv_git_ask *a, struct cuv_error *err)
{
	if (cuv_now_ns() >= a->deadline_ns)
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "fetching %s took longer than the limit", a->what);
	return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * n;
	int r;

	if (x->got_bytes + len > (x->to ? CUV_GIT_REFS_BYTES_MAX : CUV_GIT_PACK_BYTES_MAX)) {
		x->too_large = true;
		return 0;
	}
	r = x->to ? cuv_buf_add(x->to, data, len) : cuv_write_all(x->fd, data, len);
	if (r < 0) {
		x->write_error = r;
		return 0;
	}
	x->got_bytes += len;
	return len;
}

static int on_tick(void *arg, curl_off_t total, _unused_ curl_off_t now, _unused_ curl_off_t up_total,
		   _unused_ curl_off_t up)
{
	struct exchange *x = arg;

	if (x->progress && x->ask->on_progress)
		x->ask->on_progress(x->ask->arg, x->got_bytes, (uint64_t)CUV_MAX(total, (curl_off_t)x->got_bytes));
	x->stopped = must_stop(x->ask);
	return x->stopped ? 1 : 0;
}

static int exchange_failed(const struct exchange *x, CURLcode code, long http, struct cuv_error *err)
{
	if (x->stopped)
		return stopped(x->ask, err);
	if (x->write_error == -ENOSPC || x->write_error == -EDQUOT) {
		cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
		err->retry_after_s = 60;
		return -EINVAL;
	}
	if (x->write_error)
		return cuv_error_set_errno(err, x->write_error, "%s can't be written", x->ask->what);
	if (x->too_large)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE, "%s is too large: %s more than %llu MiB",
				     x->ask->what, x->to ? "its list of refs has" : "this commit's files need",
				     (x->to ? CUV_GIT_REFS_BYTES_MAX : CUV_GIT_PACK_BYTES_MAX) >> 20);
	return cuv_dial_error(&x->dial, code, http, err);
}

static void easy_freep(CURL **e)
{
	curl_easy_cleanup(*e);
}

static void slist_freep(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}

/* Sends body, or nothing. 0; 1 when the answer leads elsewhere; -EINVAL. */
static int perform(struct exchange *x, const struct cuv_buf *body, struct cuv_error *err)
{
	_cleanup_(easy_freep) CURL *e = curl_easy_init();
	_cleanup_(slist_freep) struct curl_slist *headers = NULL;
	CURLcode c = CURLE_OK;
	long http = 0;
	int r;

	if (!e)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (cuv_dial_setup(&x->dial, e, err) < 0)
		return -EINVAL;
#define SET(option, value) c = c ? c : curl_easy_setopt(e, option, value)
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, x);
	SET(CURLOPT_XFERINFOFUNCTION, on_tick);
	SET(CURLOPT_XFERINFODATA, x);
	SET(CURLOPT_NOPROGRESS, 0L);
	if (body) {
		headers = curl_slist_append(NULL, "Content-Type: application/x-git-upload-pack-request");
		SET(CURLOPT_POSTFIELDSIZE, (long)body->len);
		SET(CURLOPT_POSTFIELDS, cuv_buf_str(body));
		SET(CURLOPT_HTTPHEADER, headers);
	}
#undef SET
	if (c != CURLE_OK)
		return cuv_error_set(err, CUV_E_INTERNAL, "a request can't be made: %s", curl_easy_strerror(c));
	c = curl_easy_perform(e);
	(void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &http);
	if (c == CURLE_OK && http == 200)
		return 0;
	r = c == CURLE_OK && !body ? cuv_dial_follow(&x->dial, e, err) : 0;
	return r != 0 ? r : exchange_failed(x, c, http, err);
}

/* --- the refs --- */

static int wire_error(const struct cuv_git_ask *a, enum cuv_git_wire_result r, struct cuv_error *err)
{
	switch (r) {
	case CUV_GIT_NO_SUCH_REF:
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE, "%s has no branch, tag or commit `%s`", a->what,
				     a->ref);
	case CUV_GIT_ABBREVIATED:
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE,
				     "%s has no branch or tag `%s`; if it is a commit, write all of its 40 digits",
				     a->what, a->ref);
	case CUV_GIT_OTHER_HASHES:
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE,
				     "%s names its objects by SHA-256, which is not read; use one with SHA-1 names",
				     a->what);
	case CUV_GIT_EMPTY:
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE, "%s has no commits", a->what);
	case CUV_GIT_REFUSED:
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE, "the server does not give %s", a->what);
	case CUV_GIT_OK:
	case CUV_GIT_MALFORMED:
	default:
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE,
				     "at the address of %s is no git server of the smart HTTP protocol", a->what);
	}
}

static int find_commit(struct exchange *x, struct cuv_git_offer *ret, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf refs = CUV_BUF_INIT(CUV_GIT_REFS_BYTES_MAX);
	enum cuv_git_wire_result result;
	int r;

	x->to = &refs;
	do {
		cuv_buf_reset(&refs);
		x->got_bytes = 0;
		r = perform(x, NULL, err);
	} while (r > 0);
	x->to = NULL;
	if (r < 0)
		return r;
	result = cuv_git_find(cuv_buf_str(&refs), refs.len, x->ask->ref, ret);
	if (result != CUV_GIT_OK)
		return wire_error(x->ask, result, err);
	if (!ret->advertised && !ret->any_commit)
		return cuv_error_set(
			err, CUV_E_URL_UNAVAILABLE,
			"the server of %s gives commits only that a branch or tag is at; name one of these",
			x->ask->what);
	return 0;
}

/* --- the pack --- */

/* Where the refs were found in the end is where the pack is, too. */
static int upload_address(const struct exchange *x, char ret[CUV_URL_BYTES_MAX + 1], struct cuv_error *err)
{
	const char *url = x->dial.url.bare;
	size_t len = strlen(url), tail = strlen(ADVERTISEMENT);

	if (len <= tail || strcmp(url + len - tail, ADVERTISEMENT) != 0)
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE, "the address of %s redirects to no git repository",
				     x->ask->what);
	(void)snprintf(ret, CUV_URL_BYTES_MAX + 1, "%.*s" UPLOAD, (int)(len - tail), url);
	return 0;
}

static int fetch_pack(struct exchange *refs, const struct cuv_git_offer *offer, const char *path, struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf body = CUV_BUF_INIT(1024);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	struct exchange x = {.ask = refs->ask, .fd = fd, .progress = true};
	char url[CUV_URL_BYTES_MAX + 1];
	int r;

	if (fd < 0)
		return cuv_error_set_errno(err, -errno, "a pack can't be written: %s", strerror(errno));
	cuv_git_request(offer, &body);
	if (upload_address(refs, url, err) < 0)
		return -EINVAL;
	r = cuv_dial_open(&x.dial, refs->ask->settings, CUV_SOURCE_USER, url, refs->ask->what, err);
	if (r == 0)
		r = perform(&x, &body, err);
	cuv_dial_done(&x.dial);
	return r;
}

static int pack_offset(const struct cuv_git_ask *a, const char *path, size_t *ret, struct cuv_error *err)
{
	_cleanup_free_ char *head = malloc(HEAD_BYTES_MAX);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = head && fd >= 0 ? pread(fd, head, HEAD_BYTES_MAX, 0) : -1;
	enum cuv_git_wire_result result;

	if (n < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "a pack can't be read");
	result = cuv_git_pack_offset(head, (size_t)n, ret);
	return result == CUV_GIT_OK ? 0 : wire_error(a, result, err);
}

/* --- the child --- */

static int unpack_failed(const struct cuv_git_ask *a, const struct cuv_child_result *res, struct cuv_error *err)
{
	const char *reason = cuv_buf_str(&res->err);

	if (res->end == CUV_CHILD_TIMEOUT || res->end == CUV_CHILD_CANCELLED)
		return stopped(a, err);
	if (res->end == CUV_CHILD_SIGNALED && res->status != SIGXCPU && res->status != SIGXFSZ &&
	    res->status != SIGKILL)
		return cuv_error_set(err, CUV_E_BUILD_FAILED, "%s can't be unpacked: signal %d ended it", a->what,
				     res->status);
	if (res->end == CUV_CHILD_SIGNALED || res->status == 3)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "%s is too large: at most %u files of %llu MiB together, read within %u s",
				     a->what, CUV_GIT_FILES_MAX, CUV_GIT_TREE_BYTES_MAX >> 20, UNPACK_CPU_S);
	cuv_error_set(err, CUV_E_BUILD_FAILED, "%s can't be unpacked: %.*s", a->what, (int)strcspn(reason, "\n"),
		      reason);
	return -EINVAL;
}

static int unpack(const struct cuv_git_ask *a, const char *folder, size_t offset, const char *commit,
		  struct cuv_error *err)
{
	_cleanup_child_result_ struct cuv_child_result res = CUV_CHILD_RESULT_INIT;
	_cleanup_strv_ struct cuv_strv argv = CUV_STRV_INIT;
	const struct cuv_sealed sealed = {
		.work = a->work,
		.folder = folder,
		.argv = &argv,
		.stdin_fd = -1,
		.limits = {.cpu_s = UNPACK_CPU_S,
			   .memory_bytes = UNPACK_MEMORY_BYTES,
			   .file_bytes = CUV_GIT_TREE_BYTES_MAX + CUV_GIT_PACK_BYTES_MAX,
			   .descriptors = 64},
		.stderr_max = REASON_BYTES_MAX,
		.deadline_ns = a->deadline_ns,
		.cancel_fd = a->cancel_fd,
		.landlock = a->landlock,
	};
	int r;

	if (cuv_strv_add(&argv, "cuvette-builder") < 0 || cuv_strv_add(&argv, "--unpack-git") < 0 ||
	    cuv_strv_addf(&argv, "%zu", offset) < 0 || cuv_strv_add(&argv, commit) < 0 ||
	    (a->subdirectory && cuv_strv_add(&argv, a->subdirectory) < 0))
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	r = cuv_sealed_run(&sealed, &res);
	if (r < 0)
		return cuv_error_set_errno(err, r, "a repository can't be unpacked here: %s", strerror(-r));
	return cuv_child_ok(&res) ? 0 : unpack_failed(a, &res, err);
}

/* --- all of it --- */

static int hash_file(struct cuv_git_source *s)
{
	_cleanup_close_ int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	crypto_hash_sha256_state hash;
	unsigned char block[16384];
	ssize_t n;

	if (fd < 0)
		return -errno;
	crypto_hash_sha256_init(&hash);
	while ((n = read(fd, block, sizeof(block))) > 0) {
		crypto_hash_sha256_update(&hash, block, (unsigned long long)n);
		s->size_bytes += (uint64_t)n;
	}
	crypto_hash_sha256_final(&hash, s->sha256.bytes);
	return n < 0 ? -errno : 0;
}

static int fetch(const struct cuv_git_ask *a, struct cuv_git_offer *offer, const char *pack, struct cuv_error *err)
{
	struct exchange x = {.ask = a, .fd = -1};
	char url[CUV_URL_BYTES_MAX + 1];
	size_t len = strlen(a->url);
	int r;

	while (len > 0 && a->url[len - 1] == '/')
		len--;
	if (snprintf(url, sizeof(url), "%.*s" ADVERTISEMENT, (int)len, a->url) >= (int)sizeof(url))
		return cuv_error_set(err, CUV_E_ADDRESS_REFUSED, "the address of %s is too long", a->what);
	r = cuv_dial_open(&x.dial, a->settings, CUV_SOURCE_USER, url, a->what, err);
	if (r == 0 && !x.dial.url.site.https && !cuv_access_listed(&a->settings->access, &x.dial.url.site))
		r = cuv_error_set(err, CUV_E_ADDRESS_REFUSED, "the address of %s is no https address", a->what);
	if (r == 0 && (r = find_commit(&x, offer, err)) == 0)
		r = fetch_pack(&x, offer, pack, err);
	cuv_dial_done(&x.dial);
	return r;
}

int cuv_git_fetch(const struct cuv_git_ask *a, struct cuv_git_source *ret, struct cuv_error *err)
{
	struct cuv_git_source s = {0};
	struct cuv_git_offer offer;
	char folder[PATH_MAX], pack[PATH_MAX];
	size_t offset = 0;
	int r;

	cuv_path_join(a->work, "git", folder);
	cuv_path_join(folder, "pack", pack);
	cuv_path_join(folder, "source.tar", s.path);
	(void)cuv_remove_tree(folder);
	if (mkdir(folder, 0755) < 0)
		return cuv_error_set_errno(err, -errno, "a folder: %s", strerror(errno));
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	r = fetch(a, &offer, pack, err);
	curl_global_cleanup();
	if (r < 0 || pack_offset(a, pack, &offset, err) < 0 || unpack(a, folder, offset, offer.commit, err) < 0)
		return -EINVAL;
	(void)unlink(pack);
	memcpy(s.commit, offer.commit, sizeof(s.commit));
	r = hash_file(&s);
	if (r < 0)
		return cuv_error_set_errno(err, r, "an archive can't be read: %s", strerror(-r));
	*ret = s;
	return 0;
}
