/* SPDX-License-Identifier: MIT */
/*
 * cuvette-builder: from requirements to environments in a Nix store.
 *
 * Theory of operation
 *
 * The builder owns the store below $STATE/nix and is the one process of Cuvette
 * that uses the network. It starts as whoever starts the service, reads the
 * settings of the package index, and then takes the id it is given (--uid, --gid)
 * for good. From then on its main process only answers: a request's key (a hash of
 * its canonical requirements, date, platform, image and indexes) is looked up in
 * memory, else in a folder of links (index.h). A known environment is answered
 * without a process, a lock or the network.
 *
 *   client ──session──► main (server.c) ──fork──► between ──fork──► worker (make.c)
 *                        poll loop, cache          waits only        pid 1 of its own
 *                                                                    pid namespace
 *                                                      uv, nix-daemon, nix-store ◄─┘
 *
 * An unknown one becomes a flight: one worker per key, and every session that asks
 * for the same key follows it. The worker resolves (uv, in a root of its own with
 * nothing of the host, under Landlock, without capabilities; resolve.c), computes
 * the store path of the answer in C (so a lock that is known needs no build),
 * fetches the wheels that the store lacks (download.c), gives each to Nix as it comes
 * and has Nix install it (installs.c; what nixenv/nix/ defines, sent as derivations).
 * A link is made when Nix has said that the environment is valid; so what a link leads
 * to is whole.
 *
 * No user's byte reaches uv or Nix but as canonical requirements text and as JSON
 * data. No foreign code runs here: wheels are unpacked and byte-compiled, and
 * source distributions are built to wheels in boxes of the launcher (sdist.c).
 *
 * Ends of things: a session that closes leaves its flight; the last one to leave
 * ends it. A worker that dies takes all that it started with it (the kernel ends a
 * pid namespace with its first process), and it dies with the builder. What is
 * half done lies in a folder of $STATE/nix/tmp, which the next builder clears, or is
 * unknown to the index.
 *
 * Limits: 16 flights, of which 4 resolve and 2 install at a time (place.h), 64 in line,
 * 512 sessions; sizes and times in nixenv/lock.h, lib/proto/limits.h, resolve.c and nix.c.
 *
 * Descriptors: 3 supervisor's control (READY or FAILURE out, hang-up ends us),
 * --listen-fd a listening socket, --control-fd the manager's control socket,
 * --launcher-fd an end of the launcher's, which the manager has, too.
 */
#include "lib/base/fd.h"
#include "lib/base/landlock.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "nixenv/builder/builder.h"
#include "nixenv/builder/git.h"
#include "nixenv/builder/nix.h"
#include "nixenv/builder/parcel.h"
#include "nixenv/builder/server.h"
#include "nixenv/builder/share.h"
#include "nixenv/pylock_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUPERVISOR_FD 3

struct options {
	const char *state;
	const char *allow_degraded;
	uint64_t uid; /* UINT64_MAX: stay who we are */
	uint64_t gid;
	int listen_fd;
	int control_fd;
	bool chores;
	struct cuv_budget budget;
	int launcher_fd;
	bool no_sdists;
	unsigned lock_kinds;
	const char *wheelhouse;
	bool shares;
};

static const char help[] = "usage: cuvette-builder --state DIR [options]\n"
			   "\n"
			   "Makes environments for a running Cuvette; started by `cuvette serve` and\n"
			   "`cuvette run`. Descriptor 3 is the supervisor's control socket.\n"
			   "\n"
			   "  --state DIR            state folder, with the store in DIR/nix\n"
			   "  --uid N, --gid N       take these ids first (as root)\n"
			   "  --listen-fd N          a listening SOCK_SEQPACKET socket for sessions\n"
			   "  --control-fd N         the manager's control socket\n"
			   "  --chores               whoever has the control socket may ask for chores\n"
			   "  --env-bytes N          what environments may take together; 0: no bound\n"
			   "  --env-count N          how many there may be; 0: no bound\n"
			   "  --launcher-fd N        a control socket of the launcher, for what is built in boxes\n"
			   "  --no-sdists            build no source distributions, whoever asks for it\n"
			   "  --lock-kinds LIST      kinds of lock entries that are taken, too: vcs, archive, path\n"
			   "  --wheelhouse DIR       folder of the files of `path`\n"
			   "  --share                give clients of the binary cache what is public\n"
			   "  --allow-degraded NAME[,NAME]  start although these layers are missing; here: landlock\n"
			   "  --help, --version\n";

static int parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	if (cuv_parse_u64(text, max, ret) == 0)
		return 0;
	fprintf(stderr, "cuvette-builder: %s is not a number up to %llu\n", text, (unsigned long long)max);
	return -EINVAL;
}

static int read_kinds(const char *text, unsigned *ret)
{
	struct cuv_error err;

	if (cuv_lock_kinds_read(text, ret, &err) == 0)
		return 0;
	fprintf(stderr, "cuvette-builder: %s\n", err.message);
	return -EINVAL;
}

/* 0; 1 when all is said (--help); -EINVAL. */
static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{"state", required_argument, NULL, 's'},
		{"uid", required_argument, NULL, 'u'},
		{"gid", required_argument, NULL, 'g'},
		{"listen-fd", required_argument, NULL, 'l'},
		{"launcher-fd", required_argument, NULL, 'L'},
		{"no-sdists", no_argument, NULL, 'S'},
		{"lock-kinds", required_argument, NULL, 'k'},
		{"wheelhouse", required_argument, NULL, 'w'},
		{"share", no_argument, NULL, 'B'},
		{"control-fd", required_argument, NULL, 'c'},
		{"allow-degraded", required_argument, NULL, 'd'},
		{"chores", no_argument, NULL, 'C'},
		{"env-bytes", required_argument, NULL, 'b'},
		{"env-count", required_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	uint64_t n;
	int c;

	*o = (struct options){
		.uid = UINT64_MAX, .gid = UINT64_MAX, .listen_fd = -1, .control_fd = -1, .launcher_fd = -1};
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		int r = 0;

		if (c == 's')
			o->state = optarg;
		else if (c == 'd')
			o->allow_degraded = optarg;
		else if (c == 'C')
			o->chores = true;
		else if (c == 'b')
			r = parse_number(optarg, INT64_MAX, &o->budget.bytes);
		else if (c == 'n')
			r = parse_number(optarg, INT64_MAX, &o->budget.count);
		else if (c == 'u')
			r = parse_number(optarg, UINT_MAX - 1, &o->uid);
		else if (c == 'g')
			r = parse_number(optarg, UINT_MAX - 1, &o->gid);
		else if (c == 'l' && (r = parse_number(optarg, 1023, &n)) == 0)
			o->listen_fd = (int)n;
		else if (c == 'c' && (r = parse_number(optarg, 1023, &n)) == 0)
			o->control_fd = (int)n;
		else if (c == 'L' && (r = parse_number(optarg, 1023, &n)) == 0)
			o->launcher_fd = (int)n;
		else if (c == 'S')
			o->no_sdists = true;
		else if (c == 'k')
			r = read_kinds(optarg, &o->lock_kinds);
		else if (c == 'w')
			o->wheelhouse = optarg;
		else if (c == 'B')
			o->shares = true;
		else if (c == 'h' || c == 'V')
			return fputs(c == 'h' ? help : "cuvette-builder " CUV_VERSION "\n", stdout) < 0 ? -EIO : 1;
		else if (c == '?')
			r = -EINVAL;
		if (r < 0)
			return -EINVAL;
	}
	if (!o->state || optind < argc || (o->uid == UINT64_MAX) != (o->gid == UINT64_MAX)) {
		fputs(help, stderr);
		return -EINVAL;
	}
	return 0;
}

/* --- start --- */

static bool is_socket(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* Ids first to last: once the uid is gone nothing else can be changed. */
static int drop_ids(const struct options *o, struct cuv_error *err)
{
	gid_t gid = (gid_t)o->gid;
	uid_t uid = (uid_t)o->uid;

	/* Nothing that it or its children execute may win rights back. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "%s", strerror(errno));
	if (o->uid == UINT64_MAX)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the builder can't take the uid %u: %s", uid,
				     strerror(errno));
	/* A change of uid clears it. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "%s", strerror(errno));
	return 0;
}

static bool is_allowed(const char *list, const char *layer)
{
	size_t len = strlen(layer);

	for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strncmp(at, layer, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

static int check_landlock(const struct options *o, bool *ret_sealed, struct cuv_error *err)
{
	*ret_sealed = cuv_landlock_abi() > 0;
	if (*ret_sealed || is_allowed(o->allow_degraded, "landlock"))
		return 0;
	return cuv_error_set(err, CUV_E_UNAVAILABLE,
			     "the kernel has no Landlock, which the resolver is shut in by; allow it with "
			     "--allow-degraded landlock");
}

static int open_builder(const struct options *o, struct cuv_builder *b, struct cuv_error *err)
{
	int r = cuv_settings_read(&b->settings);

	b->evicted = mmap(NULL, sizeof(*b->evicted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b->evicted == MAP_FAILED)
		b->evicted = NULL;
	b->launcher = o->launcher_fd;
	b->no_sdists = o->no_sdists;
	b->lock_kinds = o->lock_kinds;
	b->wheelhouse = o->wheelhouse;
	b->shares = o->shares;
	if (r < 0)
		return cuv_error_set(err, CUV_E_UNAVAILABLE, "the package index's settings can't be read: %s",
				     strerror(-r));
	if (cuv_caches_read(getenv("CUVETTE_CACHES"), &b->settings.access, &b->caches, err) < 0)
		return -EINVAL;
	if (drop_ids(o, err) < 0 || check_landlock(o, &b->sealed, err) < 0 || cuv_pins_read(&b->pins, err) < 0 ||
	    cuv_nix_check(err) < 0)
		return -EINVAL;
	if (cuv_builder_state_open(o->state, &b->state, err) < 0)
		return -EINVAL;
	cuv_settings_write_bundle(&b->settings, b->state.tmp);
	return 0;
}

/* SIGTERM and SIGINT as a descriptor; SIGPIPE is of no use to anybody. */
static int stop_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A session may have a descriptor of its own and one for its environment's lease. */
static void raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
}

static int report(bool supervised, const struct cuv_error *err)
{
	if (err->code == CUV_E_NONE)
		return supervised ? cuv_msg_send_plain(SUPERVISOR_FD, CUV_MSG_READY, NULL, 0) : 0;
	cuv_log(CUV_LOG_ERROR, "start-failed", CUV_S("message", err->message));
	if (supervised)
		(void)cuv_failure_send(SUPERVISOR_FD, err);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	static struct cuv_builder b;
	struct cuv_error err = CUV_ERROR_INIT;
	struct options o;
	_cleanup_close_ int stop = -1;
	struct cuv_share *share = NULL;
	unsigned starting_uid = getuid();
	bool supervised = is_socket(SUPERVISOR_FD);
	int r;

	/* Its own sealed children; see git.h and parcel.h. */
	if (argc > 1 && strcmp(argv[1], "--unpack-git") == 0)
		return cuv_git_unpack_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], CUV_PARCEL_UNPACK) == 0)
		return cuv_parcel_unpack_main();
	r = parse_options(argc, argv, &o);
	if (r != 0)
		return r > 0 ? 0 : 2;
	cuv_log_setup("builder", CUV_LOG_INFO);
	if (prctl(PR_SET_PDEATHSIG, supervised ? SIGKILL : 0) < 0 || sodium_init() < 0)
		return 1;
	(void)umask(022);
	for (int fd = SUPERVISOR_FD;
	     fd <= CUV_MAX(CUV_MAX(o.listen_fd, o.control_fd), CUV_MAX(o.launcher_fd, SUPERVISOR_FD)); fd++)
		(void)cuv_set_cloexec(fd, true);
	stop = stop_signals();
	if (stop < 0)
		cuv_error_set(&err, CUV_E_INTERNAL, "signals can't be read: %s", strerror(-stop));
	else if (open_builder(&o, &b, &err) == 0 && o.shares)
		share = cuv_share_new(&b, &err);
	if (report(supervised, &err) < 0)
		return 1;
	b.budget = o.budget;
	raise_descriptors();
	r = cuv_server_run(&b,
			   &(struct cuv_server_fds){.supervisor = supervised ? SUPERVISOR_FD : -1,
						    .control = o.control_fd,
						    .listener = o.listen_fd,
						    .chores = o.chores,
						    .uid = starting_uid},
			   share, stop);
	(void)cuv_share_free(share);
	(void)cuv_remove_tree(b.state.tmp);
	cuv_settings_done(&b.settings);
	cuv_caches_done(&b.caches);
	if (r < 0)
		cuv_log(CUV_LOG_ERROR, "server-failed", CUV_S("error", strerror(-r)));
	return r < 0 ? 1 : 0;
}
