/* SPDX-License-Identifier: MIT */
#include "manager/settings.h"

#include "lib/base/parse.h"
#include "lib/proto/messages.h"
#include "manager/origins.h"
#include "manager/profiles.h"
#include "manager/ruff/pool.h"
#include "nixenv/pylock_kinds.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_DEFAULT 256
#define CLIENTS_MAX 4096
#define MEMORY_DEFAULT (1024 * CUV_MIB)
#define MEMORY_MIN (64 * CUV_MIB)
#define DRAIN_DEFAULT_MS 30000
#define RUNS_QUEUE_DEFAULT 1000
#define RUNS_QUEUE_MAX 100000
#define RUNS_AT_ONCE_DEFAULT 8
#define RUNS_AT_ONCE_MAX 64
#define API_KEY_LEN_MAX 256

/* Of the dialects' limits, one for each. */
#define LIMITS 1000

static const struct option options[] = {
	{"listen", required_argument, NULL, 'l'},
	{"listen-fd", required_argument, NULL, 'f'},
	{"uid", required_argument, NULL, 'u'},
	{"gid", required_argument, NULL, 'g'},
	{"clients", required_argument, NULL, 'c'},
	{"memory", required_argument, NULL, 'm'},
	{"drain", required_argument, NULL, 'd'},
	{"zygote-sharing", required_argument, NULL, 'z'},
	{"lint-servers", required_argument, NULL, 'r'},
	{"origins", required_argument, NULL, 'o'},
	{"jobe-env", required_argument, NULL, 'j'},
	{"lock-kinds", required_argument, NULL, 'k'},
	{"prewarm", no_argument, NULL, 'p'},
	{"runs-queue", required_argument, NULL, 'q'},
	{"runs-at-once", required_argument, NULL, 'n'},
	{"share", no_argument, NULL, 'S'},
	{"store", required_argument, NULL, 's'},
	{"pages", required_argument, NULL, 'P'},
	{"allow-degraded", required_argument, NULL, 'a'},
#define X(suffix, name, ...) {"limits-" name, required_argument, NULL, LIMITS + CUV_PROFILE_##suffix},
	CUV_PROFILE_TABLE(X)
#undef X
		{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

const char *cuv_manager_settings_help(void)
{
	return "usage: cuvette-manager --listen ADDR:PORT [options]\n"
	       "Cuvette's HTTP process; started by `cuvette serve` with its sockets as\n"
	       "descriptors 3 (supervisor), 4 (launcher) and 5 (builder).\n"
	       "  --listen ADDR:PORT   IPv4 address and port, port 0 for any (127.0.0.1:8080)\n"
	       "  --listen-fd N        a Unix socket that listens, as descriptor N; needs a key\n"
	       "  --uid N --gid N      drop to these ids\n"
	       "  --clients N          connections handled at once (256)\n"
	       "  --memory SIZE        memory that all requests together may hold (1GiB)\n"
	       "  --drain SECONDS      longest wait for running requests at SIGTERM (30)\n"
	       "  --zygote-sharing HOW tenant (default), environment or none: who shares zygotes\n"
	       "  --lint-servers N     ruffs that are kept, at most 2; 0: none (2)\n"
	       "  --origins LIST       web pages that may use POST /execute\n"
	       "  --jobe-env DIGEST    environment of Jobe's programs that say nothing themselves\n"
	       "  --lock-kinds LIST    kinds of lock entries that are taken, too: vcs, archive, path\n"
	       "  --prewarm            make the environment of scripts (dialect E) at once\n"
	       "  --limits-DIALECT LIST  limits of a dialect's runs, as timeout=5,memory=256MiB\n"
	       "  --runs-queue N       runs of each client that may wait (mode=async) (1000)\n"
	       "  --runs-at-once N     of these as many are under way (8)\n"
	       "  --share              be a Nix binary cache; needs a key\n"
	       "  --store DIR          where keys are kept; a folder of our own\n"
	       "  --pages DIR          scripts of /docs and /redoc, where `make store` put them\n"
	       "  --allow-degraded LAYERS  start although the kernel has no such layer (landlock)\n"
	       "  --help               this text\n"
	       "API_KEY in the environment is a key that clients may send, besides those of the\n"
	       "store; without any the service is open and listens on loopback addresses only.\n";
}

static int bad(struct cuv_error *err, const char *option, const char *text)
{
	return cuv_error_set(err, CUV_E_BAD_REQUEST, "--%s: `%s` can't be used; see --help", option, text);
}

static int read_listen(const char *text, struct cuv_manager_settings *s)
{
	const char *colon = strrchr(text, ':');
	struct in_addr address;
	uint64_t port;
	size_t len;

	if (!colon)
		return -EINVAL;
	len = (size_t)(colon - text);
	if (len >= sizeof(s->address) || cuv_parse_u64(colon + 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	memcpy(s->address, text, len);
	s->address[len] = '\0';
	if (strcmp(s->address, "localhost") == 0)
		memcpy(s->address, "127.0.0.1", sizeof("127.0.0.1"));
	s->port = (uint16_t)port;
	return inet_pton(AF_INET, s->address, &address) == 1 ? 0 : -EINVAL;
}

/* Other layers are the launcher's to allow; their names are accepted here. */
static int read_degraded(const char *text, struct cuv_manager_settings *s)
{
	while (*text) {
		size_t len = strcspn(text, ",");
		char name[64];
		int layer;

		if (len == 0 || len >= sizeof(name))
			return -EINVAL;
		memcpy(name, text, len);
		name[len] = '\0';
		layer = cuv_layer_find(name);
		if (layer < 0 || !cuv_layer_degradable((enum cuv_layer)layer))
			return -EINVAL;
		if (layer == CUV_LAYER_LANDLOCK)
			s->landlock_may_miss = true;
		text += len + (text[len] == ',');
	}
	return 0;
}

static int read_option(int c, const char *text, struct cuv_manager_settings *s)
{
	struct cuv_error ignored;
	uint64_t n = 0;
	int r = 0;

	switch (c) {
	case 'l':
		return read_listen(text, s);
	case 'f':
		r = cuv_parse_u64(text, INT32_MAX, &n);
		s->listen_fd = (int)n;
		return r < 0 || n <= STDERR_FILENO ? -EINVAL : 0;
	case 'u':
		r = cuv_parse_u64(text, UINT32_MAX - 1, &n);
		s->uid = (uid_t)n;
		return r;
	case 'g':
		r = cuv_parse_u64(text, UINT32_MAX - 1, &n);
		s->gid = (gid_t)n;
		return r;
	case 'c':
		r = cuv_parse_u64(text, CLIENTS_MAX, &n);
		s->clients = (uint32_t)n;
		return r < 0 || n < 2 ? -EINVAL : 0;
	case 'm':
		r = cuv_parse_size(text, 1024 * CUV_GIB, &n);
		s->memory_bytes = n;
		return r < 0 || n < MEMORY_MIN ? -EINVAL : 0;
	case 'd':
		r = cuv_parse_milli(text, 3600 * 1000, &n);
		s->drain_ms = (uint32_t)n;
		return r;
	case 'z':
		r = cuv_sharing_find(text);
		if (r < 0)
			return -EINVAL;
		s->sharing = (enum cuv_sharing)r;
		return 0;
	case 'r':
		r = cuv_parse_u64(text, CUV_RUFF_SERVERS_MAX, &n);
		s->lint_servers = (unsigned)n;
		return r;
	case 'j':
		s->jobe_env = text;
		return cuv_env_digest_valid(text) ? 0 : -EINVAL;
	case 'o':
		s->origins = text;
		return cuv_origins_valid(text) ? 0 : -EINVAL;
	case 'k':
		return cuv_lock_kinds_read(text, &s->lock_kinds, &ignored);
	case 'p':
		s->prewarm = true;
		return 0;
	case 'q':
		r = cuv_parse_u64(text, RUNS_QUEUE_MAX, &n);
		s->runs_queue = (uint32_t)n;
		return r < 0 || n < 1 ? -EINVAL : 0;
	case 'n':
		r = cuv_parse_u64(text, RUNS_AT_ONCE_MAX, &n);
		s->runs_at_once = (uint32_t)n;
		return r < 0 || n < 1 ? -EINVAL : 0;
	case 'S':
		s->shares = true;
		return 0;
	case 's':
		s->store = text;
		return text[0] == '/' ? 0 : -EINVAL;
	case 'P':
		s->pages = text;
		return text[0] == '/' ? 0 : -EINVAL;
	case 'a':
		return read_degraded(text, s);
	default:
		return -EINVAL;
	}
}

static int check(const struct cuv_manager_settings *s, struct cuv_error *err)
{
	size_t len = s->api_key ? strlen(s->api_key) : 0;

	if ((s->uid == (uid_t)-1) != (s->gid == (gid_t)-1))
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "--uid and --gid go together");
	if (len > API_KEY_LEN_MAX)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "API_KEY is longer than %d characters", API_KEY_LEN_MAX);
	return 0;
}

int cuv_manager_settings_check_open(const struct cuv_manager_settings *s, struct cuv_error *err)
{
	if (s->shares)
		return cuv_error_set(
			err, CUV_E_BAD_REQUEST,
			"a cache (CACHE_SHARE) is for whoever has a key: make one with `cuvette key create --name "
			"NAME`, or set API_KEY");
	if (s->listen_fd >= 0)
		return cuv_error_set(
			err, CUV_E_BAD_REQUEST,
			"a Unix socket is for a proxy, whoever reaches that could run code, and there is no key: make "
			"one with `cuvette key create --name NAME`, or set API_KEY");
	if (cuv_manager_settings_is_loopback(s))
		return 0;
	return cuv_error_set(
		err, CUV_E_BAD_REQUEST,
		"whoever reaches the service can run code, %s can be reached from other machines, and "
		"there is no key: make one with `cuvette key create --name NAME`, set API_KEY, or listen on "
		"127.0.0.1",
		s->address);
}

bool cuv_manager_settings_is_loopback(const struct cuv_manager_settings *s)
{
	return strncmp(s->address, "127.", 4) == 0;
}

int cuv_manager_settings_read(int argc, char **argv, struct cuv_manager_settings *ret, struct cuv_error *err)
{
	struct cuv_manager_settings s = {.address = "127.0.0.1",
					 .port = 8080,
					 .listen_fd = -1,
					 .uid = (uid_t)-1,
					 .gid = (gid_t)-1,
					 .clients = CLIENTS_DEFAULT,
					 .memory_bytes = MEMORY_DEFAULT,
					 .drain_ms = DRAIN_DEFAULT_MS,
					 .runs_queue = RUNS_QUEUE_DEFAULT,
					 .runs_at_once = RUNS_AT_ONCE_DEFAULT,
					 .lint_servers = CUV_RUFF_SERVERS_MAX};
	const char *key = getenv("API_KEY");
	int c, which = 0;

	s.api_key = key && *key ? key : NULL;
	opterr = 0;
	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, &which)) != -1) {
		if (c == '?' || c == ':')
			return cuv_error_set(err, CUV_E_BAD_REQUEST, "`%s` is not an option; see --help",
					     argv[optind - 1]);
		if (c == 'h')
			s.help = true;
		else if (c >= LIMITS && cuv_profile_set((enum cuv_profile)(c - LIMITS), optarg, err) < 0)
			return -EINVAL;
		else if (c >= LIMITS)
			continue;
		else if (read_option(c, optarg, &s) < 0)
			return bad(err, options[which].name, optarg);
	}
	if (optind != argc)
		return cuv_error_set(err, CUV_E_BAD_REQUEST, "`%s` is not an option; see --help", argv[optind]);
	if (!s.help && check(&s, err) < 0)
		return -EINVAL;
	*ret = s;
	return 0;
}
