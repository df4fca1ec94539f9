/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/transfer.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FAILURES_MAX 3	/* in a row, without progress */
#define ATTEMPTS_MAX 40 /* redirects not counted */
#define PAUSE_MS 250	/* after the first failure; it doubles */
#define RETRY_AFTER_S_MAX 20
#define DROPPED_BYTES_MAX 65536u /* of a body that is not the file */
#define DIGITS_MAX 18

/* --- the answer's head --- */

static const char *header(CURL *e, const char *name)
{
	struct curl_header *h;

	return curl_easy_header(e, name, 0, CURLH_HEADER, -1, &h) == CURLHE_OK ? h->value : NULL;
}

static int number(const char **text, uint64_t *ret)
{
	size_t n = strspn(*text, "0123456789");

	if (n == 0 || n > DIGITS_MAX)
		return -EINVAL;
	*ret = strtoull(*text, NULL, 10);
	*text += n;
	return 0;
}

int cuv_content_range(const char *text, uint64_t *ret_first, uint64_t *ret_total)
{
	uint64_t first, last, total = 0;

	if (strncasecmp(text, "bytes ", 6) != 0)
		return -EINVAL;
	text += 6;
	if (number(&text, &first) < 0 || *text++ != '-' || number(&text, &last) < 0 || *text++ != '/')
		return -EINVAL;
	if (*text == '*')
		text++;
	else if (number(&text, &total) < 0 || total <= last)
		return -EINVAL;
	if (*text || last < first)
		return -EINVAL;
	*ret_first = first;
	*ret_total = total;
	return 0;
}

/* A strong ETag, else the date; a weak one says nothing about bytes. */
static void keep_validator(struct cuv_transfer *t)
{
	const char *value = header(t->easy, "ETag");

	if (!value || strncmp(value, "W/", 2) == 0)
		value = header(t->easy, "Last-Modified");
	t->validator[0] = '\0';
	if (value && strlen(value) < sizeof(t->validator))
		(void)snprintf(t->validator, sizeof(t->validator), "%s", value);
}

static int begin_again(struct cuv_transfer *t)
{
	*t->all_bytes -= t->got_bytes;
	t->got_bytes = 0;
	t->resumed = false;
	t->validator[0] = '\0';
	crypto_hash_sha256_init(&t->hash);
	return ftruncate(t->fd, 0) < 0 || lseek(t->fd, 0, SEEK_SET) < 0 ? -errno : 0;
}

/* Decides by status and headers what the body is: the file, its rest, or nothing
 * that is wanted. False ends the request. */
static bool read_head(struct cuv_transfer *t)
{
	curl_off_t length = -1;
	uint64_t first, total = 0;
	const char *range;
	long http = 0;
	int r;

	t->head_read = true;
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http);
	(void)curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	t->body_wanted = http == 200 || http == 206;
	if (!t->body_wanted)
		return true;
	range = header(t->easy, "Content-Range");
	if (http == 206 && (!range || cuv_content_range(range, &first, &total) < 0 || first != t->got_bytes)) {
		t->misplaced = true;
		return false;
	}
	if (http == 200 && t->got_bytes > 0 && (r = begin_again(t)) < 0) {
		t->write_error = -r;
		return false;
	}
	t->resumed |= http == 206 && t->got_bytes > 0;
	keep_validator(t);
	if (length > 0)
		total = t->got_bytes + (uint64_t)length;
	if (t->item->size_bytes == 0 && total > 0)
		t->total_bytes = total;
	return true;
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct cuv_transfer *t = arg;
	size_t len = size * n;
	uint64_t max = t->item->size_bytes ? t->item->size_bytes : CUV_WHEEL_BYTES_MAX;
	int r;

	if (!t->head_read && !read_head(t))
		return 0;
	if (!t->body_wanted) {
		t->dropped_bytes += len;
		return t->dropped_bytes > DROPPED_BYTES_MAX ? 0 : len;
	}
	if (t->got_bytes + len > max || t->total_bytes > max || *t->all_bytes + len > t->all_max) {
		t->too_large = true;
		return 0;
	}
	r = cuv_write_all(t->fd, data, len);
	if (r < 0) {
		t->write_error = -r;
		return 0;
	}
	if (!t->item->unhashed)
		crypto_hash_sha256_update(&t->hash, (const unsigned char *)data, len);
	t->got_bytes += len;
	t->gained_bytes += len;
	*t->all_bytes += len;
	return len;
}

/* --- beginning --- */

static int no_space(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_NO_SPACE, "the service's disk is full");
	err->retry_after_s = 60;
	return -EINVAL;
}

static int disk_error(int r, struct cuv_error *err)
{
	if (r == -ENOSPC || r == -EDQUOT)
		return no_space(err);
	return cuv_error_set(err, CUV_E_INTERNAL, "a download can't be written: %s", strerror(-r));
}

int cuv_transfer_open(struct cuv_transfer *t, struct cuv_error *err)
{
	crypto_hash_sha256_init(&t->hash);
	t->fd = open(t->item->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	return t->fd < 0 ? disk_error(-errno, err) : 0;
}

static void drop_request(struct cuv_transfer *t, CURLM *multi)
{
	if (t->easy) {
		(void)curl_multi_remove_handle(multi, t->easy);
		curl_easy_cleanup(t->easy);
		t->easy = NULL;
	}
	curl_slist_free_all(t->headers);
	t->headers = NULL;
}

void cuv_transfer_close(struct cuv_transfer *t, CURLM *multi)
{
	drop_request(t, multi);
	cuv_dial_done(&t->dial);
	t->fd = cuv_close(t->fd);
}

static CURLcode set_range(struct cuv_transfer *t)
{
	char text[CUV_VALIDATOR_SIZE + 16];
	CURLcode c;

	if (t->got_bytes == 0)
		return CURLE_OK;
	(void)snprintf(text, sizeof(text), "%llu-", (unsigned long long)t->got_bytes);
	c = curl_easy_setopt(t->easy, CURLOPT_RANGE, text);
	if (c != CURLE_OK || !t->validator[0])
		return c;
	(void)snprintf(text, sizeof(text), "If-Range: %s", t->validator);
	t->headers = curl_slist_append(NULL, text);
	return t->headers ? curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) : CURLE_OUT_OF_MEMORY;
}

int cuv_transfer_start(struct cuv_transfer *t, CURLM *multi, struct cuv_error *err)
{
	CURL *e = curl_easy_init();

	t->easy = e;
	t->head_read = t->body_wanted = t->misplaced = false;
	t->dropped_bytes = t->gained_bytes = 0;
	t->due_ns = 0;
	if (!e)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (cuv_dial_setup(&t->dial, e, err) < 0)
		return -EINVAL;
	if (set_range(t) != CURLE_OK || curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_WRITEDATA, t) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_PRIVATE, t) != CURLE_OK || curl_multi_add_handle(multi, e) != CURLM_OK)
		return cuv_error_set(err, CUV_E_INTERNAL, "a download can't be started");
	return 0;
}

/* --- the end of a request --- */

static bool is_final(const struct cuv_transfer *t, long http)
{
	if (t->dial.refused || t->failures > FAILURES_MAX || t->attempts >= ATTEMPTS_MAX)
		return true;
	return http >= 400 && http != 408 && http != 416 && http != 429 && http < 500;
}

static uint64_t pause_ns(const struct cuv_transfer *t, long asked_s)
{
	uint64_t ms = (uint64_t)PAUSE_MS << (t->failures > 0 ? t->failures - 1 : 0);

	/* Not all at the same moment. */
	ms += randombytes_uniform((uint32_t)ms / 4 + 1);
	if (asked_s > 0)
		ms = CUV_MAX(ms, (uint64_t)CUV_MIN(asked_s, RETRY_AFTER_S_MAX) * 1000);
	return ms * CUV_NS_PER_MS;
}

static int again_later(struct cuv_transfer *t, CURLcode code, long http, long asked_s, uint64_t deadline_ns,
		       struct cuv_error *err)
{
	bool seam = t->misplaced || http == 416;
	int r;

	t->attempts++;
	t->failures = t->gained_bytes > 0 ? 1 : t->failures + 1;
	if (is_final(t, http))
		return cuv_dial_error(&t->dial, code, http, err);
	if (seam && (r = begin_again(t)) < 0)
		return disk_error(r, err);
	t->due_ns = cuv_now_ns() + pause_ns(t, asked_s);
	/* It would be cut off there; the reason is worth more than that. */
	if (t->due_ns >= deadline_ns)
		return cuv_dial_error(&t->dial, code, http, err);
	return 0;
}

static int too_large(const struct cuv_transfer *t, struct cuv_error *err)
{
	if (t->item->size_bytes)
		return cuv_error_set(err, CUV_E_HASH_MISMATCH, "%s is larger than the index says", t->item->what);
	return cuv_error_set(err, CUV_E_ENVIRONMENT_TOO_LARGE,
			     "%s is too large: the limit is %llu MiB for one file, %llu MiB for all", t->item->what,
			     CUV_WHEEL_BYTES_MAX >> 20, (unsigned long long)(t->all_max >> 20));
}

static int whole(struct cuv_transfer *t, struct cuv_error *err)
{
	struct cuv_sha256 hash = {0};
	int r;

	cuv_assert(!t->item->unhashed || !t->item->hash_known);
	if (!t->item->unhashed)
		crypto_hash_sha256_final(&t->hash, hash.bytes);
	if (t->item->hash_known && sodium_memcmp(hash.bytes, t->item->sha256.bytes, sizeof(hash.bytes)) != 0) {
		if (!t->resumed || t->begun_anew)
			return cuv_error_set(err, CUV_E_HASH_MISMATCH, "%s has another hash than %s", t->item->what,
					     t->item->source == CUV_SOURCE_USER ? "its line says" : "the index says");
		t->begun_anew = true;
		r = begin_again(t);
		t->due_ns = cuv_now_ns();
		return r < 0 ? disk_error(r, err) : 0;
	}
	t->item->sha256 = hash;
	t->item->size_bytes = t->got_bytes;
	t->total_bytes = t->got_bytes;
	t->done = true;
	return 0;
}

int cuv_transfer_finish(struct cuv_transfer *t, CURLM *multi, CURLcode code, uint64_t deadline_ns,
			struct cuv_error *err)
{
	curl_off_t asked_s = 0;
	long http = 0;
	int r;

	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &http);
	(void)curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked_s);
	/* Another address of the same name may have been a good one. */
	if (code != CURLE_COULDNT_CONNECT)
		t->dial.refused = NULL;
	if (t->write_error)
		return disk_error(-t->write_error, err);
	if (t->too_large)
		return too_large(t, err);
	/* A redirect's own body may be cut off. */
	r = code == CURLE_OK || (code == CURLE_WRITE_ERROR && http >= 300 && http < 400)
		    ? cuv_dial_follow(&t->dial, t->easy, err)
		    : 0;
	if (r < 0)
		return r;
	if (r == 0 && code == CURLE_OK && !t->head_read && !read_head(t) && t->write_error)
		return disk_error(-t->write_error, err);
	drop_request(t, multi);
	if (r > 0) {
		t->due_ns = cuv_now_ns();
		return 0;
	}
	if (code == CURLE_OK && !t->misplaced && (http == 200 || http == 206))
		return whole(t, err);
	return again_later(t, code, http, (long)CUV_MIN(asked_s, (curl_off_t)RETRY_AFTER_S_MAX), deadline_ns, err);
}
