/* SPDX-License-Identifier: MIT */
#include "manager/watch.h"

#include "lib/base/clock.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#define TICK_MS 100

static void cut(struct cuv_watch_slot *s, int how)
{
	s->cut = true;
	s->deadline_ns = CUV_NEVER;
	(void)shutdown(s->fd, how);
}

static void look(struct cuv_watch *w)
{
	uint64_t now = cuv_now_ns();
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->slots[i].fd >= 0 && w->slots[i].deadline_ns <= now)
			cut(&w->slots[i], w->slots[i].how);
}

static void wait_tick(struct cuv_watch *w)
{
	uint64_t until = cuv_deadline_ms(TICK_MS);
	struct timespec ts = {.tv_sec = (time_t)(until / CUV_NS_PER_S), .tv_nsec = (long)(until % CUV_NS_PER_S)};

	(void)pthread_cond_timedwait(&w->wake, &w->lock, &ts);
}

static void *watch_thread(void *arg)
{
	struct cuv_watch *w = arg;

	pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		if (w->busy == 0) {
			w->parked = true;
			pthread_cond_wait(&w->wake, &w->lock);
			w->parked = false;
		} else {
			wait_tick(w);
			look(w);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int cuv_watch_start(struct cuv_watch *w, size_t n)
{
	pthread_condattr_t attr;
	size_t i;
	int r;

	*w = (struct cuv_watch){.n = n, .slots = calloc(n, sizeof(*w->slots))};
	if (!w->slots)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		w->slots[i].fd = -1;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_condattr_destroy(&attr);
	r = pthread_create(&w->thread, NULL, watch_thread, w);
	if (r != 0) {
		free(TAKE_PTR(w->slots));
		return -r;
	}
	return 0;
}

void cuv_watch_stop(struct cuv_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	cuv_assert(w->busy == 0);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(TAKE_PTR(w->slots));
}

size_t cuv_watch_enter(struct cuv_watch *w, int fd)
{
	size_t i;

	cuv_assert(fd >= 0);
	pthread_mutex_lock(&w->lock);
	for (i = 0; i < w->n && w->slots[i].fd >= 0; i++)
		;
	cuv_assert(i < w->n);
	w->slots[i] = (struct cuv_watch_slot){.fd = fd, .deadline_ns = CUV_NEVER};
	w->busy++;
	if (w->parked)
		pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return i;
}

void cuv_watch_set(struct cuv_watch *w, size_t slot, uint64_t deadline_ns, int how)
{
	pthread_mutex_lock(&w->lock);
	cuv_assert(slot < w->n && w->slots[slot].fd >= 0);
	w->slots[slot].deadline_ns = deadline_ns;
	w->slots[slot].how = how;
	w->slots[slot].cut = false;
	pthread_mutex_unlock(&w->lock);
}

bool cuv_watch_was_cut(struct cuv_watch *w, size_t slot)
{
	bool was;

	pthread_mutex_lock(&w->lock);
	was = w->slots[slot].cut;
	pthread_mutex_unlock(&w->lock);
	return was;
}

void cuv_watch_leave(struct cuv_watch *w, size_t slot)
{
	pthread_mutex_lock(&w->lock);
	cuv_assert(slot < w->n && w->slots[slot].fd >= 0 && w->busy > 0);
	w->slots[slot].fd = -1;
	w->busy--;
	pthread_mutex_unlock(&w->lock);
}

void cuv_watch_cut_all(struct cuv_watch *w)
{
	size_t i;

	pthread_mutex_lock(&w->lock);
	for (i = 0; i < w->n; i++)
		if (w->slots[i].fd >= 0)
			cut(&w->slots[i], SHUT_RDWR);
	pthread_mutex_unlock(&w->lock);
}
