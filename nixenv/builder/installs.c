/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/installs.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAEMONS_MAX 16
/* Started before it is known how many wheels there are: the time that one takes to
 * start is then the time in which the resolver waits for the network. */
#define DAEMONS_EARLY 4

enum job_state {
	JOB_WAITS, /* for its wheel; the environment: for all others */
	JOB_READY,
	JOB_RUNS,
	JOB_DONE,
};

/* One derivation; the last is the environment. */
struct job {
	enum job_state state;
	char *file; /* owned; NULL: the store has the wheel */
	uint64_t size_bytes;
};

struct hand {
	struct cuv_installs *all;
	pthread_t thread;
	bool started;
};

struct cuv_installs {
	const struct cuv_builder *b;
	const char *tmp;
	const struct cuv_lock *lock;
	const struct cuv_env_paths *paths;
	struct hand hands[DAEMONS_MAX];
	struct cuv_nix_daemon *daemons[DAEMONS_MAX]; /* of the hands */
	size_t n_hands;
	int news; /* readable when n_done or failed has changed */

	pthread_mutex_t mutex; /* over all below */
	pthread_cond_t wake;
	struct job *jobs;
	size_t n_jobs;
	size_t n_done;
	size_t n_done_before; /* valid from the beginning */
	bool stop;
	size_t n_at_work; /* hands */
	int place;	  /* held while any is; -1: none */
	bool failed;
	struct cuv_error err; /* the first one */
};

/* --- the threads --- */

/* Under the mutex: the largest that can be built, NULL if there is none now. */
static struct job *next_job(struct cuv_installs *s)
{
	struct job *found = NULL;

	for (size_t i = 0; i < s->n_jobs; i++) {
		struct job *j = &s->jobs[i];

		if (j->state == JOB_READY && (!found || j->size_bytes > found->size_bytes))
			found = j;
	}
	return found;
}

static int do_job(struct cuv_installs *s, struct cuv_nix_daemon *d, const struct job *j, struct cuv_error *err)
{
	size_t i = (size_t)(j - s->jobs);

	if (j->file && cuv_nix_daemon_add_file(d, s->paths->wheels.items[i], j->file, err) < 0)
		return -EINVAL;
	if (j->file)
		(void)unlink(j->file);
	return cuv_nix_daemon_build(d, &s->paths->derivations[i], err);
}

/* Under the mutex. */
static void job_ended(struct cuv_installs *s, struct job *j, int r, const struct cuv_error *err)
{
	if (r == 0) {
		j->state = JOB_DONE;
		if (++s->n_done == s->n_jobs - 1)
			s->jobs[s->n_jobs - 1].state = JOB_READY;
	} else if (!s->failed) {
		s->failed = true;
		s->err = *err;
	}
	if (r < 0 || s->n_done == s->n_jobs)
		s->stop = true;
	(void)pthread_cond_broadcast(&s->wake);
	(void)eventfd_write(s->news, 1);
}

static void *hand_main(void *arg)
{
	struct hand *h = arg;
	struct cuv_installs *s = h->all;

	(void)pthread_mutex_lock(&s->mutex);
	while (!s->stop) {
		struct cuv_error err = CUV_ERROR_INIT;
		struct job *j = next_job(s);
		int r;

		if (!j) {
			(void)pthread_cond_wait(&s->wake, &s->mutex);
			continue;
		}
		j->state = JOB_RUNS;
		(void)pthread_mutex_unlock(&s->mutex);
		r = do_job(s, s->daemons[h - s->hands], j, &err);
		(void)pthread_mutex_lock(&s->mutex);
		job_ended(s, j, r, &err);
	}
	if (--s->n_at_work == 0)
		s->place = cuv_close(s->place);
	(void)pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* --- from the outside --- */

static int add_hand(struct cuv_installs *s, struct cuv_error *err)
{
	if (cuv_nix_daemon_start(s->b, s->tmp, &s->daemons[s->n_hands], err) < 0)
		return -EINVAL;
	s->hands[s->n_hands++].all = s;
	return 0;
}

static size_t processors(void)
{
	return (size_t)CUV_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
}

int cuv_installs_open(const struct cuv_builder *b, const char *tmp, struct cuv_installs **ret, struct cuv_error *err)
{
	_cleanup_(cuv_installs_freep) struct cuv_installs *s = calloc(1, sizeof(*s));

	if (!s)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	s->b = b;
	s->tmp = tmp;
	s->place = -1;
	(void)pthread_mutex_init(&s->mutex, NULL);
	(void)pthread_cond_init(&s->wake, NULL);
	s->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->news < 0)
		return cuv_error_set_errno(err, -errno, "the environment can't be built: %s", strerror(errno));
	for (size_t i = 0; i < CUV_MIN(processors(), (size_t)DAEMONS_EARLY); i++)
		if (add_hand(s, err) < 0)
			return -EINVAL;
	*ret = TAKE_PTR(s);
	return 0;
}

void cuv_installs_freep(struct cuv_installs **p)
{
	struct cuv_installs *s = *p;

	if (!s)
		return;
	(void)pthread_mutex_lock(&s->mutex);
	s->stop = true;
	(void)pthread_cond_broadcast(&s->wake);
	(void)pthread_mutex_unlock(&s->mutex);
	for (size_t i = 0; i < s->n_hands; i++)
		if (s->daemons[i])
			cuv_nix_daemon_break(s->daemons[i]);
	for (size_t i = 0; i < s->n_hands; i++) {
		if (s->hands[i].started)
			(void)pthread_join(s->hands[i].thread, NULL);
		cuv_nix_daemon_freep(&s->daemons[i]);
	}
	for (size_t i = 0; i < s->n_jobs; i++)
		free(s->jobs[i].file);
	free(s->jobs);
	(void)cuv_close(s->news);
	(void)cuv_close(s->place);
	(void)pthread_cond_destroy(&s->wake);
	(void)pthread_mutex_destroy(&s->mutex);
	free(s);
	*p = NULL;
}

/* Adds the scripts and the lock, where the store lacks them. */
static int add_texts(struct cuv_installs *s, const bool valid[3], struct cuv_error *err)
{
	_cleanup_buf_ struct cuv_buf lock = CUV_BUF_INIT(CUV_LOCK_BYTES_MAX);
	const struct cuv_env_scripts *scripts = &s->b->pins.scripts;

	if (cuv_lock_canonical(s->lock, &lock) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "the lock has no canonical form");
	const struct {
		const char *store_name;
		const void *data;
		size_t len;
	} texts[3] = {
		{s->paths->install_script, scripts->install, scripts->install_len},
		{s->paths->farm_script, scripts->farm, scripts->farm_len},
		{s->paths->lock, cuv_buf_str(&lock), lock.len},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!valid[i] &&
		    cuv_nix_daemon_add_text(s->daemons[0], texts[i].store_name, texts[i].data, texts[i].len, err) < 0)
			return -EINVAL;
	return 0;
}

static uint64_t size_in_store(const struct cuv_installs *s, size_t i)
{
	char path[PATH_MAX];
	struct stat st;

	cuv_path_join(s->b->state.store, s->paths->wheels.items[i], path);
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static int start_hands(struct cuv_installs *s, struct cuv_error *err)
{
	s->n_at_work = s->n_hands;
	for (size_t i = 0; i < s->n_hands; i++) {
		int r = pthread_create(&s->hands[i].thread, NULL, hand_main, &s->hands[i]);

		if (r != 0)
			return cuv_error_set_errno(err, -r, "a thread can't be started: %s", strerror(r));
		s->hands[i].started = true;
	}
	return 0;
}

int cuv_installs_begin(struct cuv_installs *s, struct cuv_error *err)
{
	size_t todo = CUV_MAX(s->n_jobs - s->n_done, (size_t)2) - 1; /* the environment is built last */
	size_t wanted = CUV_MIN(CUV_MIN(processors(), todo), (size_t)DAEMONS_MAX);

	while (s->n_hands < wanted)
		if (add_hand(s, err) < 0)
			return -EINVAL;
	return start_hands(s, err);
}

int cuv_installs_begin_guess(struct cuv_installs *s, int place, uint64_t deadline_ns, struct cuv_error *err)
{
	s->place = place;
	for (size_t i = 0; i < s->n_hands; i++)
		cuv_nix_daemon_limit(s->daemons[i], deadline_ns);
	return start_hands(s, err);
}

/* What the store has, in one question: installations, wheels, texts. */
static int ask_store(struct cuv_installs *s, bool *ret, struct cuv_error *err)
{
	_cleanup_strv_ struct cuv_strv names = CUV_STRV_INIT;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->lock->n; i++)
		r = cuv_strv_add(&names, s->paths->installs.items[i]);
	for (size_t i = 0; r == 0 && i < s->lock->n; i++)
		r = cuv_strv_add(&names, s->paths->wheels.items[i]);
	r = r ? r : cuv_strv_add(&names, s->paths->install_script);
	r = r ? r : cuv_strv_add(&names, s->paths->farm_script);
	r = r ? r : cuv_strv_add(&names, s->paths->lock);
	if (r < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	return cuv_nix_daemon_valid(s->daemons[0], &names, ret, err);
}

struct cuv_nix_daemon **cuv_installs_lend(struct cuv_installs *s, size_t *ret_n)
{
	*ret_n = s->n_hands;
	return s->daemons;
}

/* What was lent and did not come back. */
static int renew(struct cuv_installs *s, uint64_t deadline_ns, struct cuv_error *err)
{
	for (size_t i = 0; i < s->n_hands; i++)
		if (!s->daemons[i] && cuv_nix_daemon_start(s->b, s->tmp, &s->daemons[i], err) < 0)
			return -EINVAL;
	cuv_nix_daemon_limit(s->daemons[0], deadline_ns);
	return 0;
}

int cuv_installs_plan(struct cuv_installs *s, const struct cuv_lock *lock, const struct cuv_env_paths *paths,
		      uint64_t deadline_ns, bool *ret_needed, struct cuv_error *err)
{
	_cleanup_free_ bool *valid = calloc(2 * lock->n + 3, sizeof(*valid));
	size_t n = lock->n;

	s->lock = lock;
	s->paths = paths;
	free(s->jobs); /* of a plan that nothing came of */
	s->n_jobs = s->n_done = 0;
	s->jobs = calloc(n + 1, sizeof(*s->jobs));
	if (!valid || !s->jobs)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	s->n_jobs = n + 1;
	if (renew(s, deadline_ns, err) < 0 || ask_store(s, valid, err) < 0 || add_texts(s, valid + 2 * n, err) < 0)
		return -EINVAL;
	/* Its builds are waited for by cuv_installs_wait, which has a deadline itself. */
	cuv_nix_daemon_limit(s->daemons[0], CUV_NEVER);
	for (size_t i = 0; i < n; i++) {
		struct job *j = &s->jobs[i];

		ret_needed[i] = !valid[i] && !valid[n + i];
		j->state = valid[i] ? JOB_DONE : valid[n + i] ? JOB_READY : JOB_WAITS;
		j->size_bytes = j->state == JOB_READY ? size_in_store(s, i) : 0;
		s->n_done += valid[i];
	}
	s->n_done_before = s->n_done;
	if (s->n_done == n)
		s->jobs[n].state = JOB_READY;
	return 0;
}

bool cuv_installs_give(struct cuv_installs *s, size_t i, const char *path)
{
	struct job *j = &s->jobs[i];
	struct stat st;
	bool good;

	(void)pthread_mutex_lock(&s->mutex);
	cuv_assert(i < s->n_jobs - 1 && j->state == JOB_WAITS);
	j->file = strdup(path);
	j->size_bytes = lstat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
	j->state = JOB_READY;
	if (!j->file && !s->failed) {
		s->failed = s->stop = true;
		(void)cuv_error_set(&s->err, CUV_E_INTERNAL, "out of memory");
	}
	good = !s->failed;
	(void)pthread_cond_broadcast(&s->wake);
	(void)pthread_mutex_unlock(&s->mutex);
	return good;
}

/* Under the mutex: of what is being installed. The environment is no wheel. */
static const struct cuv_locked *largest_running(const struct cuv_installs *s)
{
	const struct job *found = NULL;

	for (size_t i = 0; i < s->lock->n; i++) {
		const struct job *j = &s->jobs[i];

		if (j->state == JOB_RUNS && (!found || j->size_bytes > found->size_bytes))
			found = j;
	}
	return found ? &s->lock->packages[found - s->jobs] : NULL;
}

/* True at the end: r and err are set. */
static bool look(struct cuv_installs *s, const struct cuv_installs_wait *o, int *r, struct cuv_error *err)
{
	const struct cuv_locked *largest;
	size_t done, total;
	bool failed;

	(void)pthread_mutex_lock(&s->mutex);
	failed = s->failed;
	if (failed)
		*err = s->err; /* in place of what was said because of it */
	done = s->n_done - s->n_done_before;
	total = s->n_jobs - s->n_done_before;
	largest = largest_running(s);
	(void)pthread_mutex_unlock(&s->mutex);
	*r = failed ? -EINVAL : 0;
	if (!failed)
		o->on_progress(o->arg, (uint32_t)done, (uint32_t)total, largest);
	return failed || done == total;
}

int cuv_installs_wait(struct cuv_installs *s, const struct cuv_installs_wait *o, struct cuv_error *err)
{
	int r;

	while (!look(s, o, &r, err)) {
		struct pollfd fds[] = {{.fd = s->news, .events = POLLIN}, {.fd = o->cancel_fd, .events = POLLIN}};
		eventfd_t unused;

		if (poll(fds, ARRAY_SIZE(fds), cuv_deadline_poll_ms(o->deadline_ns)) < 0 && errno != EINTR)
			return cuv_error_set_errno(err, -errno, "waiting failed: %s", strerror(errno));
		if (fds[1].revents)
			return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
		if (cuv_now_ns() >= o->deadline_ns)
			return cuv_error_set(err, CUV_E_BUILD_TIMEOUT,
					     "building the environment took longer than its limit");
		(void)eventfd_read(s->news, &unused);
	}
	return r;
}
