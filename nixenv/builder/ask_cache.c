/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/ask_cache.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/dial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define CONNECT_MS 2000L
#define REQUEST_MS 5000L
#define ALL_MS 10000u
#define PARALLEL 8L
#define POLL_MS 100

struct request {
	struct cuv_dial dial;
	CURL *easy;
	char *url;
	struct cuv_buf body;
};

struct asking {
	const struct cuv_builder *b;
	const struct cuv_trusted_cache *cache;
	struct cuv_cache_question *q;
	struct request *requests;
	size_t n, n_done;
	CURLM *multi;
	int netrc;
	bool unreachable;
};

static void asking_done(struct asking *a)
{
	for (size_t i = 0; a->requests && i < a->n; i++) {
		struct request *r = &a->requests[i];

		if (r->easy) {
			(void)curl_multi_remove_handle(a->multi, r->easy);
			curl_easy_cleanup(r->easy);
		}
		cuv_dial_done(&r->dial);
		cuv_buf_done(&r->body);
		free(r->url);
	}
	free(a->requests);
	(void)curl_multi_cleanup(a->multi);
	(void)cuv_close(a->netrc);
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct request *r = arg;

	return cuv_buf_add(&r->body, data, size * n) < 0 ? 0 : n;
}

static int start(struct asking *a, size_t i, struct cuv_error *err)
{
	struct request *r = &a->requests[i];
	CURLcode c = CURLE_OK;

	r->body = CUV_BUF_INIT(CUV_NARINFO_BYTES_MAX);
	if (asprintf(&r->url, "%s%.*s.narinfo", a->cache->url, CUV_ENV_DIGEST_SIZE - 1, a->q[i].store_name) < 0) {
		r->url = NULL;
		return -ENOMEM;
	}
	if (cuv_dial_open(&r->dial, &a->b->settings, CUV_SOURCE_INDEX, r->url, "a narinfo", err) < 0)
		return -EHOSTUNREACH;
	r->dial.netrc_fd = a->netrc;
	r->easy = curl_easy_init();
	if (!r->easy || cuv_dial_setup(&r->dial, r->easy, err) < 0)
		return -EHOSTUNREACH;
#define SET(option, value) c = c ? c : curl_easy_setopt(r->easy, option, value)
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	SET(CURLOPT_TIMEOUT_MS, REQUEST_MS);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, r);
	SET(CURLOPT_PRIVATE, (char *)&a->requests[i]);
#undef SET
	return c != CURLE_OK || curl_multi_add_handle(a->multi, r->easy) != CURLM_OK ? -ENOMEM : 0;
}

/* What the cache says is believed when it is signed, and about what was asked. */
static void judge(struct asking *a, size_t i)
{
	struct cuv_cache_question *q = &a->q[i];
	const struct cuv_buf *body = &a->requests[i].body;
	const char *why = NULL;
	uint32_t line = 0;

	if (cuv_narinfo_parse(cuv_buf_str(body), body->len, &q->info, &line) < 0)
		why = "not understood";
	else if (strcmp(q->info.store_name, q->store_name) != 0)
		why = "about another path";
	else if (!cuv_narinfo_verify(&q->info, a->cache->keys, a->cache->n_keys, &q->sig))
		why = "not signed by a trusted key";
	if (!why)
		return;
	cuv_log(CUV_LOG_WARNING, "narinfo-refused", CUV_S("cache", a->cache->url), CUV_S("path", q->store_name),
		CUV_S("why", why), CUV_I("line", line));
	cuv_narinfo_done(&q->info);
	q->sig = NULL;
}

static void take_one(struct asking *a, const CURLMsg *msg)
{
	struct request *r = NULL;
	long http = 0;

	(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
	(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE, &http);
	a->n_done++;
	if (msg->data.result == CURLE_OK && http == 200) {
		judge(a, (size_t)(r - a->requests));
	} else if (http != 404) {
		if (!a->unreachable)
			cuv_log(CUV_LOG_WARNING, "cache-unreachable", CUV_S("cache", a->cache->url),
				CUV_I("http", http), CUV_S("error", curl_easy_strerror(msg->data.result)));
		a->unreachable = true;
	}
}

static int loop(struct asking *a, int cancel_fd)
{
	struct curl_waitfd extra = {.fd = cancel_fd, .events = CURL_WAIT_POLLIN};
	uint64_t deadline = cuv_deadline_ms(ALL_MS);
	int running, left;

	while (a->n_done < a->n && !a->unreachable) {
		struct pollfd p = {.fd = cancel_fd, .events = POLLIN};
		CURLMsg *msg;

		if (curl_multi_perform(a->multi, &running) != CURLM_OK)
			return -ENOMEM;
		while ((msg = curl_multi_info_read(a->multi, &left)))
			if (msg->msg == CURLMSG_DONE)
				take_one(a, msg);
		if (cancel_fd >= 0 && poll(&p, 1, 0) > 0)
			return -ECANCELED;
		if (cuv_now_ns() >= deadline)
			return -EHOSTUNREACH;
		if (a->n_done < a->n)
			(void)curl_multi_poll(a->multi, &extra, cancel_fd >= 0 ? 1 : 0, POLL_MS, NULL);
	}
	return a->unreachable ? -EHOSTUNREACH : 0;
}

int cuv_ask_cache(const struct cuv_builder *b, const struct cuv_trusted_cache *cache, struct cuv_cache_question *q,
		  size_t n, int cancel_fd)
{
	_cleanup_(asking_done) struct asking a = {
		.b = b, .cache = cache, .q = q, .n = n, .multi = curl_multi_init(), .netrc = -1};
	struct cuv_error err = CUV_ERROR_INIT;
	int r = 0;

	a.requests = calloc(n, sizeof(*a.requests));
	a.netrc = cuv_dial_netrc(&b->settings);
	if (!a.requests || !a.multi || curl_multi_setopt(a.multi, CURLMOPT_MAX_HOST_CONNECTIONS, PARALLEL) != CURLM_OK)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		a.requests[i].dial.netrc_fd = -1;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = start(&a, i, &err);
	return r ? r : loop(&a, cancel_fd);
}
