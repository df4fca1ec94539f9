/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/desk.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <string.h>

#define TEND_MS 200

void cuv_desk_init(struct cuv_desk *d)
{
	*d = (struct cuv_desk){.worker = CUV_WORKER_INIT, .tend_ns = CUV_NEVER};
}

static void item_done(struct cuv_desk_item *i)
{
	cuv_chore_ask_done(&i->ask);
	(void)cuv_close(i->fd);
}

void cuv_desk_done(struct cuv_desk *d)
{
	cuv_worker_stop(&d->worker);
	for (size_t i = 0; i < d->n; i++)
		item_done(&d->item[i]);
	d->n = 0;
}

int cuv_desk_add(struct cuv_desk *d, void *owner, struct cuv_chore_ask *ask, int fd)
{
	if (d->n >= CUV_DESK_MAX)
		return -EAGAIN;
	d->item[d->n++] = (struct cuv_desk_item){.owner = owner, .ask = *ask, .fd = fd};
	*ask = CUV_CHORE_ASK_INIT;
	return 0;
}

static void remove_at(struct cuv_desk *d, size_t at)
{
	item_done(&d->item[at]);
	memmove(&d->item[at], &d->item[at + 1], (d->n - at - 1) * sizeof(d->item[0]));
	d->n--;
}

void cuv_desk_next(struct cuv_desk *d)
{
	cuv_worker_stop(&d->worker);
	if (d->n > 0)
		remove_at(d, 0);
}

void cuv_desk_leave(struct cuv_desk *d, void *owner)
{
	for (size_t i = d->n; i-- > 0;) {
		if (d->item[i].owner != owner)
			continue;
		if (i == 0)
			cuv_desk_next(d);
		else
			remove_at(d, i);
	}
}

void cuv_desk_tend_later(struct cuv_desk *d)
{
	if (d->tend_ns == CUV_NEVER)
		d->tend_ns = cuv_deadline_ms(TEND_MS);
}

int cuv_desk_start(struct cuv_desk *d, const struct cuv_builder *b)
{
	if (d->worker.pid > 0)
		return 0;
	if (d->n == 0 && cuv_now_ns() >= d->tend_ns) {
		struct cuv_chore_ask ask = CUV_CHORE_ASK_INIT;

		ask.verb = CUV_CHORE_TEND;
		d->tend_ns = CUV_NEVER;
		(void)cuv_desk_add(d, NULL, &ask, -1);
	}
	return d->n > 0 ? cuv_chore_start(b, &d->item[0].ask, d->item[0].fd, &d->worker) : 0;
}
