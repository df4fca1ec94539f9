/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/zygotes.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/base/kernel.h"
#include "lib/base/lease.h"
#include "lib/base/log.h"
#include "worker-image/launcher/environ.h"
#include "worker-image/launcher/fdmsg.h"

#include "worker-image/zygote/protocol.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define START_MS 60000 /* to import everything, on a busy host */
#define FAILED_MS 5000 /* until it is tried again; doubled each time */
#define FAILED_MS_MAX 600000
#define UNUSED_POOL_MS 60000 /* without a run: nobody waits in it any more */
#define PERIOD_MS 2000	     /* of which the peak of runs at once is kept */
#define TICK_MS 1000
/* The zygote; and at each place an init or a run before it enters the slot's cgroup. */
#define PROCESSES_LEAST 128u
#define CLEAR_MS 2000
#define CLEAR_PAUSE_MS 3
#define REFUSALS_MAX 8
#define STEADY_NS (60 * CUV_NS_PER_S) /* warm for so long: what was before does not count */
#define DEATHS_MAX 3		      /* of warm zygotes, until it is their packages' fault */

void cuv_zygotes_init(struct cuv_zygotes *z, const struct cuv_zygotes_settings *set, const struct cuv_host *host,
		      const struct cuv_cgroups *cgroups)
{
	size_t i;

	cuv_assert(set->max <= CUV_ZYGOTES_MAX);
	*z = (struct cuv_zygotes){.host = host, .cgroups = cgroups, .set = *set, .clear_ns = CUV_NEVER};
	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		z->zygote[i].news = z->zygote[i].boxes = z->zygote[i].lease = -1;
		z->zygote[i].ns = CUV_SLOTNS_INIT;
	}
}

/* Or has left something that is not gone yet. */
static bool is_alive(const struct cuv_zygote *g)
{
	return g->keeper > 0 || g->clear_by_ns > 0;
}

static unsigned id_of(const struct cuv_zygotes *z, const struct cuv_zygote *g)
{
	return CUV_IDENTITIES_MAX - 1 - (unsigned)(g - z->zygote);
}

static bool is_of(const struct cuv_zygote *g, const struct cuv_run *run)
{
	return g->state != CUV_ZYGOTE_NONE && g->state != CUV_ZYGOTE_ENDING && strcmp(g->run.env, run->env) == 0 &&
	       strcmp(g->run.tenant, run->tenant) == 0 && strcmp(g->run.image, run->image) == 0 &&
	       strcmp(g->run.zygote, run->zygote) == 0;
}

/* The run that executes the zygote of such runs. */
static int make_run(const struct cuv_run *of, struct cuv_run *ret)
{
	struct cuv_run m = CUV_RUN_INIT;
	size_t i;
	int r = 0;

	memcpy(m.image, of->image, sizeof(m.image));
	memcpy(m.env, of->env, sizeof(m.env));
	memcpy(m.zygote, of->zygote, sizeof(m.zygote));
	memcpy(m.tenant, of->tenant, sizeof(m.tenant));
	snprintf(m.run_id, sizeof(m.run_id), "zygote");
	cuv_limits_default(&m.limits); /* one CPU, as its runs: libraries count them */
	m.limits.value[CUV_LIMIT_PROCESSES] =
		CUV_MIN(CUV_MAX(PROCESSES_LEAST, 4 * cuv_kernel_cpus()), cuv_limit_info(CUV_LIMIT_PROCESSES)->max);
	for (i = 0; r == 0 && i < of->closure.n; i++)
		r = cuv_strv_add(&m.closure, of->closure.items[i]);
	if (r == 0 && !cuv_strv_has(&m.closure, of->zygote))
		r = cuv_strv_add(&m.closure, of->zygote);
	if (r == 0)
		r = cuv_strv_addf(&m.argv, "/nix/store/%s/bin/cuvette-zygote", of->zygote);
	if (r == 0)
		r = cuv_strv_add(&m.argv, of->argv.items[0]);
	if (r == 0)
		r = cuv_strv_add(&m.argv, CUV_ZYGOTE_PRELOAD_PACKAGES);
	if (r == 0 && m.closure.n > CUV_CLOSURE_MAX)
		r = -E2BIG;
	if (r < 0) {
		cuv_run_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

static void close_ends(struct cuv_zygote *g)
{
	g->news = cuv_close(g->news);
	g->boxes = cuv_close(g->boxes);
}

/* Unlocked, not only closed: keepers that were forked meanwhile have it too. */
static void give_lease_back(struct cuv_zygote *g)
{
	if (g->lease >= 0)
		(void)flock(g->lease, LOCK_UN);
	g->lease = cuv_close(g->lease);
}

static void clear(struct cuv_zygote *g)
{
	close_ends(g);
	give_lease_back(g);
	cuv_slotns_done(&g->ns);
	cuv_run_done(&g->run);
	*g = (struct cuv_zygote){.news = -1, .boxes = -1, .lease = -1, .ns = CUV_SLOTNS_INIT};
}

/* Keepers of boxes that were in it count themselves out of it: until the last one
 * has, the entry can't be another's. */
static void clear_if_left(struct cuv_zygote *g)
{
	if (g->keepers == 0)
		clear(g);
}

static int fork_keeper(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	struct cuv_seat seat = CUV_SEAT_INIT;
	const pid_t self = getpid();
	int news[2] = {-1, -1}, boxes[2] = {-1, -1}, control[2] = {-1, -1}, r;

	r = cuv_slotns_make(z->host->proc_fd, &g->ns, NULL);
	if (r == 0 && (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, news) < 0 ||
		       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, boxes) < 0 ||
		       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0))
		r = -errno;
	if (r == 0) {
		seat.host = z->host;
		seat.cgroups = z->cgroups;
		seat.slot = id_of(z, g);
		seat.ns = g->ns;
		seat.orders = news[1];
		seat.maker_boxes = boxes[1];
		seat.maker_control = control[0];
		seat.zygote = control[1];
		g->keeper = fork();
		if (g->keeper == 0)
			cuv_zygote_keeper_main(&seat, self, &g->run);
		r = g->keeper < 0 ? -errno : 0;
	}
	cuv_close(news[1]);
	cuv_close(boxes[1]);
	cuv_close(control[0]);
	cuv_close(control[1]);
	g->news = news[0];
	g->boxes = boxes[0];
	if (r < 0)
		cuv_slotns_done(&g->ns); /* the next start makes new ones */
	return r;
}

static void fail(struct cuv_zygotes *z, struct cuv_zygote *g, const char *why)
{
	z->failed++;
	close_ends(g);
	g->state = CUV_ZYGOTE_FAILED;
	g->deadline_ns = cuv_deadline_ms(CUV_MIN((uint64_t)FAILED_MS << CUV_MIN(g->failures, 10u), FAILED_MS_MAX));
	g->failures++;
	snprintf(g->why, sizeof(g->why), "%s", why);
	cuv_log(CUV_LOG_WARNING, "zygote-failed", CUV_S("environment", g->run.env), CUV_S("why", why),
		CUV_I("bare", g->bare));
}

/* An environment that goes, or is to go, gets no zygote. */
static int take_lease(const struct cuv_zygotes *z, struct cuv_zygote *g)
{
	if (z->host->leases_fd < 0 || !g->run.env[0] || g->lease >= 0)
		return 0;
	g->lease = cuv_lease_take(z->host->leases_fd, g->run.env, false);
	if (g->lease < 0) {
		int r = g->lease;

		g->lease = -1;
		return r;
	}
	if (!cuv_lease_is_wanted(g->lease))
		return 0;
	give_lease_back(g);
	return -EBUSY;
}

static void start(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	int r = take_lease(z, g);

	if (r == 0)
		r = fork_keeper(z, g);
	g->state = CUV_ZYGOTE_STARTING;
	g->warmed = false;
	g->refusals = 0;
	g->started_ns = g->used_ns = cuv_now_ns();
	g->deadline_ns = cuv_deadline_ms(START_MS);
	if (r < 0) {
		g->keeper = 0;
		give_lease_back(g);
		fail(z, g, r == -EBUSY || r == -ENOENT ? "its environment is being removed" : strerror(-r));
	}
}

static unsigned count_alive(const struct cuv_zygotes *z)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		n += is_alive(&z->zygote[i]);
	return n;
}

/* Those on their way out make room already. */
static unsigned count_staying(const struct cuv_zygotes *z)
{
	unsigned n = 0;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		n += is_alive(&z->zygote[i]) && z->zygote[i].state != CUV_ZYGOTE_ENDING;
	return n;
}

/* The longest unused one of these: alive or not, and without runs in it. */
static struct cuv_zygote *oldest(struct cuv_zygotes *z, bool alive)
{
	struct cuv_zygote *found = NULL;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		struct cuv_zygote *g = &z->zygote[i];

		if (g->state == CUV_ZYGOTE_NONE || g->state == CUV_ZYGOTE_ENDING || is_alive(g) != alive ||
		    g->keepers > (alive ? g->waiting : 0))
			continue;
		if (!found || g->used_ns < found->used_ns)
			found = g;
	}
	return found;
}

/* It gets no new runs; when the last one has left it, its keeper is let go. */
static void retire(struct cuv_zygote *g)
{
	g->state = CUV_ZYGOTE_ENDING;
	g->boxes = cuv_close(g->boxes);
	if (g->keepers == 0)
		g->news = cuv_close(g->news);
}

static struct cuv_zygote *free_entry(struct cuv_zygotes *z)
{
	struct cuv_zygote *g;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		if (z->zygote[i].state == CUV_ZYGOTE_NONE)
			return &z->zygote[i];
	g = oldest(z, false);
	if (g)
		clear(g);
	return g;
}

static void begin(struct cuv_zygotes *z, const struct cuv_run *run)
{
	struct cuv_zygote *g;

	if (count_alive(z) >= z->set.max) {
		g = count_staying(z) >= z->set.max ? oldest(z, true) : NULL;
		if (g && g->state == CUV_ZYGOTE_WARM)
			retire(g);
		return; /* when it is gone there is room for another */
	}
	g = free_entry(z);
	if (g && make_run(run, &g->run) == 0)
		start(z, g);
}

/* The limits that a zygote's boxes are made with, whoever will use them. */
static bool has_usual_box(const struct cuv_run *run)
{
	struct cuv_limits usual;
	const struct cuv_limits *l = &run->limits;

	cuv_limits_default(&usual);
	return l->value[CUV_LIMIT_WORK] == usual.value[CUV_LIMIT_WORK] &&
	       l->value[CUV_LIMIT_WORK_INODES] == usual.value[CUV_LIMIT_WORK_INODES] &&
	       l->value[CUV_LIMIT_TMP] == usual.value[CUV_LIMIT_TMP] &&
	       l->value[CUV_LIMIT_SHM] == usual.value[CUV_LIMIT_SHM];
}

static const char *never(const struct cuv_zygotes *z, const struct cuv_run *run)
{
	const unsigned needed = CUV_CG_MEMORY | CUV_CG_PIDS;

	if (run->strict)
		return "isolation is strict";
	if (run->deterministic)
		return "a deterministic run has a hash seed and random states of its own";
	if (z->set.max == 0)
		return "the service has no zygotes";
	/* It runs main.py as `python main.py` does, and nothing else. */
	if (!run->zygote[0] || run->argv.n < 2 || strcmp(run->argv.items[1], "main.py") != 0)
		return "there is no zygote for this program";
	if ((z->cgroups->controllers & needed) != needed)
		return "the host gives no control groups for memory and processes";
	if (!has_usual_box(run))
		return "the limits of its folders are its own";
	if (cuv_environ_threads(&run->limits) != 1)
		return "libraries count CPUs when they are imported";
	return NULL;
}

/* What it is told to import when it is started next. 0 or -ENOMEM. */
static int set_preload(struct cuv_zygote *g, bool bare)
{
	struct cuv_strv argv = CUV_STRV_INIT;
	int r = cuv_strv_add(&argv, g->run.argv.items[0]);

	if (r == 0)
		r = cuv_strv_add(&argv, g->run.argv.items[1]);
	if (r == 0)
		r = cuv_strv_add(&argv, bare ? CUV_ZYGOTE_PRELOAD_NOTHING : CUV_ZYGOTE_PRELOAD_PACKAGES);
	if (r < 0) {
		cuv_strv_done(&argv);
		return r;
	}
	cuv_strv_done(&g->run.argv);
	g->run.argv = argv;
	g->bare = bare;
	return 0;
}

/* A warm one that imports is better than one that does not, and that than none. */
static unsigned worth(const struct cuv_zygote *g)
{
	return g->state != CUV_ZYGOTE_WARM ? 0 : g->bare ? 1 : 2;
}

/* The one to use: warm if there is one, else what there is. */
static struct cuv_zygote *lookup(struct cuv_zygotes *z, const struct cuv_run *run)
{
	struct cuv_zygote *found = NULL;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		struct cuv_zygote *g = &z->zygote[i];

		if (!is_of(g, run))
			continue;
		if (!found || worth(g) > worth(found) ||
		    (worth(g) == worth(found) && g->started_ns > found->started_ns))
			found = g;
	}
	return found;
}

struct cuv_zygote *cuv_zygotes_find(struct cuv_zygotes *z, const struct cuv_run *run, char ret_why[CUV_WHY_COLD_SIZE])
{
	const char *why = never(z, run);
	struct cuv_zygote *g = why ? NULL : lookup(z, run);

	if (g) {
		g->used_ns = cuv_now_ns();
		if (g->state == CUV_ZYGOTE_WARM)
			return g;
		if (g->state == CUV_ZYGOTE_FAILED && !is_alive(g) && g->used_ns >= g->deadline_ns &&
		    set_preload(g, false) == 0) {
			g->deaths = 0;
			start(z, g);
		}
		why = g->state == CUV_ZYGOTE_FAILED ? g->why : "the zygote is being started";
	} else if (!why) {
		begin(z, run);
		why = "the zygote is being started";
	}
	snprintf(ret_why, CUV_WHY_COLD_SIZE, "%s", why);
	return NULL;
}

static int copy_run(const struct cuv_zygote *from, struct cuv_zygote *to)
{
	size_t i;
	int r = 0;

	to->run = from->run;
	to->run.closure = to->run.argv = CUV_STRV_INIT;
	for (i = 0; r == 0 && i < from->run.closure.n; i++)
		r = cuv_strv_add(&to->run.closure, from->run.closure.items[i]);
	for (i = 0; r == 0 && i < from->run.argv.n; i++)
		r = cuv_strv_add(&to->run.argv, from->run.argv.items[i]);
	return r;
}

/* Starts the one that takes its place; until that is warm it goes on. */
static void succeed(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	struct cuv_zygote *next;
	int r;

	if (g->replaced)
		return;
	g->replaced = true;
	next = count_alive(z) < CUV_ZYGOTES_MAX ? free_entry(z) : NULL;
	if (!next) {
		retire(g);
		return;
	}
	r = copy_run(g, next);
	next->bare = g->bare;
	if (r == 0) {
		start(z, next);
	} else {
		clear(next);
		retire(g);
	}
}

/* A new one is warm: those that it was made to replace go, unless they have imported
 * what it could not. */
static void retire_replaced(struct cuv_zygotes *z, const struct cuv_zygote *by)
{
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		struct cuv_zygote *g = &z->zygote[i];

		if (g != by && g->state == CUV_ZYGOTE_WARM && g->replaced && worth(g) <= worth(by) &&
		    is_of(g, &by->run))
			retire(g);
	}
}

void cuv_zygotes_used(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	const uint64_t now = cuv_now_ns();

	g->used_ns = now;
	if (now >= g->period_end_ns) {
		g->busy_peak = 0;
		g->period_end_ns = now + PERIOD_MS * CUV_NS_PER_MS;
	}
	g->busy_peak = CUV_MAX(g->busy_peak, g->keepers - g->waiting);
	if (++g->runs >= 2 * z->set.runs)
		retire(g); /* nothing came of its successor */
	else if (g->runs >= z->set.runs)
		succeed(z, g);
}

void cuv_zygotes_left(struct cuv_zygotes *z, struct cuv_zygote *g, bool refused)
{
	g->refusals = refused ? g->refusals + 1 : 0;
	/* Not while there are runs in it: they would end with it. */
	if (g->state == CUV_ZYGOTE_WARM && g->refusals >= REFUSALS_MAX && g->keepers == g->waiting)
		fail(z, g, "it can't be forked");
}

unsigned cuv_zygotes_standby(const struct cuv_zygotes *z, const struct cuv_zygote *g)
{
	if (g->state != CUV_ZYGOTE_WARM || cuv_now_ns() > g->used_ns + UNUSED_POOL_MS * CUV_NS_PER_MS)
		return 0;
	/* Boxes wait in any case; whether runs do is the pool's size. */
	return CUV_MIN(CUV_MAX(CUV_MAX(z->set.pool, 1u), g->busy_peak + 1), cuv_kernel_cpus() + 2);
}

/* At once: as it was when it had worked, otherwise without importing what may be at
 * fault. After that only when some time has passed, and somebody asks. */
static void try_again(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	const bool as_it_was = g->warmed && ++g->deaths <= DEATHS_MAX;

	if (as_it_was || (!g->bare && set_preload(g, true) == 0))
		start(z, g);
}

/* It is dead, and runs that it was forked for are not: they end where they are, and
 * what is known of it goes to another entry. False when there is none. */
static bool leave_to_its_runs(struct cuv_zygotes *z, struct cuv_zygote *g, const char *why)
{
	struct cuv_zygote *next = z->stopping ? NULL : free_entry(z);

	if (!next)
		return false;
	if (copy_run(g, next) < 0) {
		clear(next);
		return false;
	}
	next->bare = g->bare;
	next->warmed = g->warmed;
	next->deaths = g->deaths;
	next->failures = g->failures;
	next->used_ns = g->used_ns;
	retire(g);
	fail(z, next, why);
	try_again(z, next);
	return true;
}

void cuv_zygotes_on_news(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	struct cuv_zygote_news news;
	struct cuv_fdmsg msg;
	int r = cuv_fdmsg_recv(g->news, &news, sizeof(news), 0, &msg, MSG_DONTWAIT);

	if (r == -EAGAIN)
		return;
	if (r != 0) {
		g->news = cuv_close(g->news); /* the rest when it is reaped */
		return;
	}
	if (!news.warm) {
		if (g->state != CUV_ZYGOTE_ENDING && (g->keepers == g->waiting || !leave_to_its_runs(z, g, news.why)))
			fail(z, g, news.why);
		return;
	}
	if (g->state == CUV_ZYGOTE_STARTING) {
		g->state = CUV_ZYGOTE_WARM;
		g->warmed = true;
		z->warmed++;
		retire_replaced(z, g);
		cuv_log(CUV_LOG_INFO, "zygote-warm", CUV_S("environment", g->run.env), CUV_I("imported", news.imported),
			CUV_I("failed", news.failed), CUV_I("pss_bytes", news.pss_bytes),
			CUV_I("start_ms", (cuv_now_ns() - g->started_ns) / CUV_NS_PER_MS), CUV_I("bare", g->bare));
	}
	g->pss_bytes = news.pss_bytes;
}

/* Kills what there is; 0 when there was nothing. */
static int kill_rest(const struct cuv_zygotes *z, const struct cuv_zygote *g)
{
	struct cuv_cgroup_slot c;
	int r;

	if (!z->cgroups->ops)
		return 0;
	r = cuv_cgroup_slot_open(z->cgroups, id_of(z, g), &c);
	if (r < 0)
		return r;
	r = cuv_cgroup_slot_is_empty(&c) == 1 ? 0 : cuv_cgroup_slot_kill(&c, 0);
	cuv_cgroup_slot_close(&c);
	return r;
}

/* What it leaves should be gone before the next one has its cgroup. One look at it. */
static void clear_cgroup(struct cuv_zygotes *z, struct cuv_zygote *g)
{
	if (kill_rest(z, g) < 0 && cuv_now_ns() < g->clear_by_ns) {
		z->clear_ns = CUV_MIN(z->clear_ns, cuv_deadline_ms(CLEAR_PAUSE_MS));
		return;
	}
	g->clear_by_ns = 0;
	if (g->keepers == 0)
		give_lease_back(g);
	if (g->state == CUV_ZYGOTE_ENDING)
		clear_if_left(g);
	else if (!z->stopping)
		try_again(z, g);
}

void cuv_zygotes_clear(struct cuv_zygotes *z)
{
	size_t i;

	z->clear_ns = CUV_NEVER;
	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		if (z->zygote[i].clear_by_ns > 0)
			clear_cgroup(z, &z->zygote[i]);
}

bool cuv_zygotes_reaped(struct cuv_zygotes *z, pid_t pid)
{
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		struct cuv_zygote *g = &z->zygote[i];

		if (g->keeper != pid)
			continue;
		if (g->news >= 0)
			cuv_zygotes_on_news(z, g);
		g->keeper = 0;
		cuv_slotns_done(&g->ns);
		if (g->state == CUV_ZYGOTE_STARTING || g->state == CUV_ZYGOTE_WARM)
			fail(z, g, "its keeper was killed");
		close_ends(g);
		g->clear_by_ns = cuv_deadline_ms(CLEAR_MS);
		clear_cgroup(z, g);
		return true;
	}
	return false;
}

/* One that is used gets a successor, one that is not just ends. */
static void recycle_old(struct cuv_zygotes *z, struct cuv_zygote *g, uint64_t now)
{
	if (now < g->used_ns + UNUSED_POOL_MS * CUV_NS_PER_MS && now < g->started_ns + 2 * z->set.age_ns)
		succeed(z, g);
	else
		retire(g);
}

uint64_t cuv_zygotes_tick(struct cuv_zygotes *z)
{
	const uint64_t now = cuv_now_ns();
	uint64_t pss = 0;
	size_t i;

	for (i = 0; i < CUV_ZYGOTES_MAX; i++) {
		struct cuv_zygote *g = &z->zygote[i];

		pss += is_alive(g) && g->state != CUV_ZYGOTE_ENDING ? g->pss_bytes : 0;
		if (g->state == CUV_ZYGOTE_STARTING && now >= g->deadline_ns)
			(void)kill(g->keeper, SIGKILL);
		else if (g->state == CUV_ZYGOTE_WARM && g->deaths + g->failures > 0 && now >= g->started_ns + STEADY_NS)
			g->deaths = g->failures = 0;
		else if (g->state == CUV_ZYGOTE_WARM && cuv_lease_is_wanted(g->lease))
			retire(g);
		else if (g->state == CUV_ZYGOTE_WARM && now >= g->started_ns + z->set.age_ns)
			recycle_old(z, g, now);
		else if (g->state == CUV_ZYGOTE_ENDING && !is_alive(g))
			clear_if_left(g);
		else if (g->state == CUV_ZYGOTE_ENDING && g->keepers == 0)
			g->news = cuv_close(g->news);
		else if (g->state == CUV_ZYGOTE_FAILED && !is_alive(g) && g->keepers == 0 && g->clear_by_ns == 0)
			give_lease_back(g); /* its last run was there still when it was cleared */
	}
	if (pss > z->set.memory_bytes) {
		struct cuv_zygote *g = oldest(z, true);

		if (g && g->state == CUV_ZYGOTE_WARM)
			retire(g);
	}
	return z->set.max > 0 ? now + TICK_MS * CUV_NS_PER_MS : CUV_NEVER;
}

void cuv_zygotes_stop(struct cuv_zygotes *z)
{
	size_t i;

	z->stopping = true;
	for (i = 0; i < CUV_ZYGOTES_MAX; i++)
		if (z->zygote[i].keeper > 0) {
			z->zygote[i].state = CUV_ZYGOTE_ENDING;
			(void)kill(z->zygote[i].keeper, SIGKILL);
		}
}
