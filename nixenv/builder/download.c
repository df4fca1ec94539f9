/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/download.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "nixenv/builder/transfer.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define PARALLEL_MAX 8
#define POLL_MS 100
#define REPORT_NS (100 * CUV_NS_PER_MS)

struct fetch {
	const struct cuv_download_options *o;
	struct cuv_transfer *transfers;
	size_t n;
	size_t n_done;
	size_t n_running;
	uint64_t bytes; /* of all transfers */
	uint64_t reported_ns;
	CURLM *multi;
};

static uint64_t total_of(const struct cuv_transfer *t)
{
	return CUV_MAX(t->total_bytes, t->got_bytes);
}

static void report_one(const struct fetch *f, const struct cuv_transfer *t)
{
	struct cuv_download_progress p = {.done = (uint32_t)f->n_done, .total = (uint32_t)f->n, .bytes_done = f->bytes};

	if (!f->o->on_progress)
		return;
	for (size_t i = 0; i < f->n; i++)
		p.bytes_total += total_of(&f->transfers[i]);
	if (t) {
		p.file = t->item;
		p.file_done = t->got_bytes;
		p.file_total = total_of(t);
	}
	f->o->on_progress(f->o->arg, &p);
}

static void report_all(struct fetch *f)
{
	const struct cuv_transfer *largest = NULL;
	uint64_t now = cuv_now_ns();

	if (now - f->reported_ns < REPORT_NS)
		return;
	f->reported_ns = now;
	for (size_t i = 0; i < f->n; i++) {
		const struct cuv_transfer *t = &f->transfers[i], *smaller = t;

		if (!t->easy)
			continue;
		if (!largest || total_of(t) > total_of(largest)) {
			smaller = largest;
			largest = t;
		}
		if (smaller)
			report_one(f, smaller);
	}
	report_one(f, largest);
}

/* All that may run now do; what waits for its time does not hold up the others. */
static int start_due(struct fetch *f, struct cuv_error *err)
{
	uint64_t now = cuv_now_ns();

	for (size_t i = 0; i < f->n && f->n_running < PARALLEL_MAX; i++) {
		struct cuv_transfer *t = &f->transfers[i];

		if (t->done || t->easy || t->due_ns > now)
			continue;
		if ((t->fd < 0 && cuv_transfer_open(t, err) < 0) || cuv_transfer_start(t, f->multi, err) < 0) {
			err->line = t->item->line;
			return -EINVAL;
		}
		f->n_running++;
	}
	return 0;
}

static int take_finished(struct fetch *f, struct cuv_error *err)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(f->multi, &left))) {
		struct cuv_transfer *t = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		(void)curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		f->n_running--;
		if (cuv_transfer_finish(t, f->multi, msg->data.result, f->o->deadline_ns, err) < 0) {
			err->line = t->item->line;
			return -EINVAL;
		}
		if (t->done) {
			cuv_transfer_close(t, f->multi);
			f->n_done++;
			report_one(f, t);
			if (f->o->on_file && !f->o->on_file(f->o->file_arg, t->item))
				return cuv_error_set(err, CUV_E_CANCELLED, "the files are not wanted any more");
		}
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
	struct curl_waitfd extra = {.fd = f->o->cancel_fd, .events = CURL_WAIT_POLLIN};
	int running;

	for (;;) {
		if (start_due(f, err) < 0)
			return -EINVAL;
		if (curl_multi_perform(f->multi, &running) != CURLM_OK)
			return cuv_error_set(err, CUV_E_INTERNAL, "the downloads failed");
		if (take_finished(f, err) < 0)
			return -EINVAL;
		if (f->n_done == f->n)
			break;
		if (check_end(f->o, err) < 0)
			return -EINVAL;
		report_all(f);
		if (f->n_running > 0 || f->n_done < f->n)
			(void)curl_multi_poll(f->multi, &extra, f->o->cancel_fd >= 0 ? 1 : 0, POLL_MS, NULL);
	}
	report_one(f, NULL);
	return 0;
}

static int open_all(struct fetch *f, struct cuv_download *items, int netrc, struct cuv_error *err)
{
	for (size_t i = 0; i < f->n; i++) {
		struct cuv_transfer *t = &f->transfers[i];

		if (cuv_dial_open(&t->dial, f->o->settings, items[i].source, items[i].url, items[i].what, err) < 0) {
			err->line = items[i].line;
			return -EINVAL;
		}
		t->dial.netrc_fd = netrc;
	}
	return 0;
}

int cuv_download_all(struct cuv_download *items, size_t n, const struct cuv_download_options *o, struct cuv_error *err)
{
	struct fetch f = {.o = o, .n = n};
	_cleanup_close_ int netrc = -1;
	int r = -EINVAL;

	if (n == 0)
		return 0;
	f.transfers = calloc(n, sizeof(*f.transfers));
	if (!f.transfers || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(f.transfers);
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	}
	for (size_t i = 0; i < n; i++)
		f.transfers[i] = (struct cuv_transfer){.item = &items[i],
						       .fd = -1,
						       .total_bytes = items[i].size_bytes,
						       .all_bytes = &f.bytes,
						       .all_max = o->bytes_max};
	netrc = cuv_dial_netrc(o->settings);
	f.multi = curl_multi_init();
	if (!f.multi)
		cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	else if (open_all(&f, items, netrc, err) == 0)
		r = fetch_loop(&f, err);
	for (size_t i = 0; i < n; i++)
		cuv_transfer_close(&f.transfers[i], f.multi);
	(void)curl_multi_cleanup(f.multi);
	curl_global_cleanup();
	free(f.transfers);
	return r;
}
