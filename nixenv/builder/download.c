/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/download.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/lock.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PARALLEL_MAX 8
#define ATTEMPTS_MAX 3
#define CONNECT_S 15
#define STALL_S 30
#define STALL_BYTES_PER_S 1024
#define INDEX_RETRY_S 30

struct transfer {
	struct cuv_download *item;
	struct fetch *fetch;
	CURL *easy; /* NULL while it waits and when it is done */
	int fd;
	int write_error; /* positive errno of the disk */
	bool too_large;
	unsigned attempts;
	uint64_t got_bytes;
	uint64_t total_bytes; /* 0 when not known */
	crypto_hash_sha256_state hash;
};

struct fetch {
	const struct cuv_download_options *o;
	struct transfer *transfers;
	size_t n;
	size_t n_done;
	size_t next; /* the first that was not started */
	CURLM *multi;
};

/* --- one transfer --- */

static void transfer_close(struct fetch *f, struct transfer *t)
{
	if (t->easy) {
		(void)curl_multi_remove_handle(f->multi, t->easy);
		curl_easy_cleanup(t->easy);
		t->easy = NULL;
	}
	t->fd = cuv_close(t->fd);
}

static uint64_t bytes_of_all(const struct fetch *f)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < f->n; i++)
		sum += f->transfers[i].got_bytes;
	return sum;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	size_t len = size * n;
	uint64_t max = t->item->size_bytes ? t->item->size_bytes : CUV_WHEEL_BYTES_MAX;
	int r;

	if (t->got_bytes + len > max || bytes_of_all(t->fetch) + len > t->fetch->o->bytes_max) {
		t->too_large = true;
		return 0;
	}
	r = cuv_write_all(t->fd, data, len);
	if (r < 0) {
		t->write_error = -r;
		return 0;
	}
	crypto_hash_sha256_update(&t->hash, (const unsigned char *)data, len);
	t->got_bytes += len;
	return len;
}

static CURLcode configure(struct transfer *t, const struct cuv_download_options *o)
{
	struct curl_blob ca = {.data = o->ca->data, .len = o->ca->len, .flags = CURL_BLOB_NOCOPY};
	CURL *e = t->easy;
	CURLcode c = CURLE_OK;

#define SET(option, value) c = c ? c : curl_easy_setopt(e, option, value)
	SET(CURLOPT_URL, t->item->url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 1L);
	SET(CURLOPT_MAXREDIRS, 5L);
	SET(CURLOPT_FAILONERROR, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
	SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	SET(CURLOPT_USERAGENT, "cuvette/" CUV_VERSION);
	SET(CURLOPT_WRITEFUNCTION, on_data);
	SET(CURLOPT_WRITEDATA, t);
	SET(CURLOPT_PRIVATE, t);
	SET(CURLOPT_BUFFERSIZE, 262144L);
	if (o->ca->len)
		SET(CURLOPT_CAINFO_BLOB, &ca);
#undef SET
	return c;
}

/* Begins, or begins again; 0 or -errno. */
static int transfer_start(struct fetch *f, struct transfer *t)
{
	t->got_bytes = 0;
	t->attempts++;
	crypto_hash_sha256_init(&t->hash);
	t->fd = open(t->item->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (t->fd < 0)
		return -errno;
	t->easy = curl_easy_init();
	if (!t->easy || configure(t, f->o) != CURLE_OK || curl_multi_add_handle(f->multi, t->easy) != CURLM_OK)
		return -EIO;
	return 0;
}

/* --- errors --- */

static int no_space(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
	err->retry_after_s = 60;
	return -EINVAL;
}

static int transfer_error(const struct transfer *t, CURLcode code, long http, struct cuv_error *err)
{
	if (t->write_error == ENOSPC || t->write_error == EDQUOT)
		return no_space(err);
	if (t->write_error)
		return cuv_error_set(err, CUV_E_INTERNAL, "a wheel can't be written: %s", strerror(t->write_error));
	if (t->too_large && t->item->size_bytes)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "the wheel of %s is larger than the index says",
				     t->item->what);
	if (t->too_large)
		return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
				     "the wheel of %s is too large: the limit is %llu MiB for one, %llu MiB for all",
				     t->item->what, CUV_WHEEL_BYTES_MAX >> 20, CUV_CLOSURE_BYTES_MAX >> 20);
	if (http >= 400)
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE,
			      "the package index does not give the wheel of %s (HTTP %ld)", t->item->what, http);
	else
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE, "the wheel of %s can't be fetched: %s", t->item->what,
			      curl_easy_strerror(code));
	err->retry_after_s = INDEX_RETRY_S;
	return -EINVAL;
}

static bool worth_another_try(const struct transfer *t, long http)
{
	if (t->write_error || t->too_large || t->attempts >= ATTEMPTS_MAX)
		return false;
	return http < 400 || http == 408 || http == 429 || http >= 500;
}

/* --- the loop --- */

static int transfer_finish(struct fetch *f, struct transfer *t, CURLcode code, struct cuv_error *err)
{
	struct cuv_sha256 hash;
	long http = 0;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http);
	transfer_close(f, t);
	if (code != CURLE_OK) {
		if (!worth_another_try(t, http))
			return transfer_error(t, code, http, err);
		return transfer_start(f, t) < 0 ? cuv_error_set(err, CUV_E_INTERNAL, "a download can't be started") : 0;
	}
	crypto_hash_sha256_final(&t->hash, hash.bytes);
	if (sodium_memcmp(hash.bytes, t->item->sha256.bytes, sizeof(hash.bytes)) != 0)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "the wheel of %s has another hash than the index says",
				     t->item->what);
	t->item->size_bytes = t->got_bytes;
	t->total_bytes = t->got_bytes;
	f->n_done++;
	return 0;
}

static int start_waiting(struct fetch *f, int running, struct cuv_error *err)
{
	for (; f->next < f->n && running < PARALLEL_MAX; running++) {
		int r = transfer_start(f, &f->transfers[f->next++]);

		if (r == -ENOSPC || r == -EDQUOT)
			return no_space(err);
		if (r < 0)
			return cuv_error_set(err, CUV_E_INTERNAL, "a download can't be started: %s", strerror(-r));
	}
	return 0;
}

static void report(struct fetch *f)
{
	uint64_t total = 0;

	for (size_t i = 0; i < f->n; i++) {
		struct transfer *t = &f->transfers[i];
		curl_off_t length = 0;

		if (!t->total_bytes && t->easy &&
		    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK && length > 0)
			t->total_bytes = (uint64_t)length;
		total += CUV_MAX(t->total_bytes, t->got_bytes);
	}
	if (f->o->on_progress)
		f->o->on_progress(f->o->arg, (uint32_t)f->n_done, (uint32_t)f->n, bytes_of_all(f), total);
}

static int take_finished(struct fetch *f, struct cuv_error *err)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(f->multi, &left))) {
		struct transfer *t = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (transfer_finish(f, t, msg->data.result, err) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_end(const struct cuv_download_options *o, struct cuv_error *err)
{
	struct pollfd pfd = {.fd = o->cancel_fd, .events = POLLIN};

	if (o->cancel_fd >= 0 && poll(&pfd, 1, 0) > 0)
		return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	if (cuv_now_ns() >= o->deadline_ns)
		return cuv_error_set(err, CUV_E_BUILD_TIMEOUT, "fetching the wheels took longer than the limit");
	return 0;
}

static int fetch_loop(struct fetch *f, struct cuv_error *err)
{
	while (f->n_done < f->n) {
		struct curl_waitfd extra = {.fd = f->o->cancel_fd, .events = CURL_WAIT_POLLIN};
		int running = 0;

		if (curl_multi_perform(f->multi, &running) != CURLM_OK)
			return cuv_error_set(err, CUV_E_INTERNAL, "the downloads failed");
		if (take_finished(f, err) < 0 || start_waiting(f, running, err) < 0 || check_end(f->o, err) < 0)
			return -EINVAL;
		report(f);
		(void)curl_multi_poll(f->multi, &extra, f->o->cancel_fd >= 0 ? 1 : 0, 200, NULL);
	}
	report(f);
	return 0;
}

int cuv_download_all(struct cuv_download *items, size_t n, const struct cuv_download_options *o, struct cuv_error *err)
{
	struct fetch f = {.o = o, .n = n};
	int r = -EINVAL;

	if (n == 0)
		return 0;
	f.transfers = calloc(n, sizeof(*f.transfers));
	if (!f.transfers || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(f.transfers);
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		f.transfers[i] =
			(struct transfer){.item = &items[i], .fetch = &f, .fd = -1, .total_bytes = items[i].size_bytes};
	f.multi = curl_multi_init();
	if (f.multi)
		r = fetch_loop(&f, err);
	else
		cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < n; i++)
		transfer_close(&f, &f.transfers[i]);
	(void)curl_multi_cleanup(f.multi);
	curl_global_cleanup();
	free(f.transfers);
	return r;
}
