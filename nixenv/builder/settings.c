/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/settings.h"

#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "nixenv/builder/state.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

extern char **environ;

/* Names that say where packages come from: part of each request's key. */
static const char *const index_names[] = {
	"UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS",
};
static const char *const proxy_names[] = {
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
};
static const char *const other_names[] = {
	"UV_HTTP_TIMEOUT",
	"UV_INSECURE_HOST",
	"UV_OFFLINE",
	"UV_CONCURRENT_DOWNLOADS",
};

static int carry(struct cuv_strv *env, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *value = getenv(names[i]);
		int r = value ? cuv_strv_addf(env, "%s=%s", names[i], value) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* UV_INDEX_<NAME>_USERNAME and _PASSWORD, for any name. */
static int carry_credentials(struct cuv_strv *env)
{
	for (char **at = environ; *at; at++) {
		size_t len = strcspn(*at, "=");
		int r;

		if (strncmp(*at, "UV_INDEX_", 9) != 0 || len < 19)
			continue;
		if (strncmp(*at + len - 9, "_USERNAME", 9) != 0 && strncmp(*at + len - 9, "_PASSWORD", 9) != 0)
			continue;
		r = cuv_strv_add(env, *at);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Appends a file and a line end; one that can't be read or is no PEM adds nothing. */
static void add_pem(int dirfd, const char *path, struct cuv_buf *ca)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(CUV_CA_BYTES_MAX);

	if (cuv_read_file(dirfd, path, &text) < 0 || !strstr(cuv_buf_str(&text), "-----BEGIN CERTIFICATE-----"))
		return;
	cuv_buf_add(ca, text.data, text.len);
	cuv_buf_add_char(ca, '\n');
}

static void read_ca(struct cuv_buf *ca)
{
	const char *file = getenv("SSL_CERT_FILE"), *dir = getenv("SSL_CERT_DIR");
	struct dirent *entry;
	DIR *d;

	if (!file || !*file)
		file = getenv("PIP_CERT");
	if (file && *file)
		add_pem(AT_FDCWD, file, ca);
	/* A folder is only asked where there is no bundle: it holds the same
	 * certificates under two names each. */
	if (ca->len > 0 || !dir || !*dir)
		return;
	d = opendir(dir);
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && strstr(entry->d_name, ".pem"))
			add_pem(dirfd(d), entry->d_name, ca);
	if (d)
		closedir(d);
}

static int read_uv_config(struct cuv_buf *config)
{
	const char *named = getenv("UV_CONFIG_FILE"), *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	char path[PATH_MAX];

	if (named && *named)
		return cuv_read_file(AT_FDCWD, named, config);
	if (xdg && *xdg)
		(void)snprintf(path, sizeof(path), "%s/uv/uv.toml", xdg);
	else
		(void)snprintf(path, sizeof(path), "%s/.config/uv/uv.toml", home ? home : "");
	if (cuv_read_file(AT_FDCWD, path, config) == 0)
		return 0;
	cuv_buf_reset(config);
	if (cuv_read_file(AT_FDCWD, "/etc/uv/uv.toml", config) < 0)
		cuv_buf_reset(config);
	return 0;
}

static void read_netrc(struct cuv_buf *netrc)
{
	const char *named = getenv("NETRC"), *home = getenv("HOME");
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/.netrc", home ? home : "");
	if (cuv_read_file(AT_FDCWD, named && *named ? named : path, netrc) < 0)
		cuv_buf_reset(netrc);
}

/* uv reads its file itself; what we can't read of it we can't trust or log in to. */
static int read_access(struct cuv_settings *s)
{
	uint32_t line = 0;
	int r = cuv_access_read(cuv_buf_str(&s->uv_config), s->uv_config.len, &s->access, &line);

	if (r == -EINVAL)
		cuv_log(CUV_LOG_WARNING, "uv-config-not-understood", CUV_I("line", line));
	return r == -EINVAL ? 0 : r;
}

static int digest_indexes(const struct cuv_settings *s, struct cuv_sha256 *ret)
{
	_cleanup_buf_ struct cuv_buf b = CUV_BUF_INIT(CUV_UV_CONFIG_BYTES_MAX + 65536);

	for (size_t i = 0; i < ARRAY_SIZE(index_names); i++) {
		const char *value = getenv(index_names[i]);

		if (value)
			cuv_buf_addf(&b, "%s=%s\n", index_names[i], value);
	}
	if (getenv("CUVETTE_INDEXES"))
		cuv_buf_addf(&b, "CUVETTE_INDEXES=%s\n", getenv("CUVETTE_INDEXES"));
	cuv_buf_add(&b, s->uv_config.data, s->uv_config.len);
	if (cuv_buf_err(&b))
		return cuv_buf_err(&b);
	cuv_sha256(cuv_buf_str(&b), b.len, ret);
	return 0;
}

void cuv_settings_done(struct cuv_settings *s)
{
	cuv_strv_done(&s->env);
	cuv_buf_done(&s->ca);
	cuv_buf_done(&s->uv_config);
	cuv_buf_done(&s->netrc);
	cuv_access_done(&s->access);
}

void cuv_settings_write_bundle(struct cuv_settings *s, const char *folder)
{
	_cleanup_buf_ struct cuv_buf own = CUV_BUF_INIT(CUV_CA_BYTES_MAX);
	const char *file = curl_version_info(CURLVERSION_NOW)->cainfo;
	_cleanup_close_ int fd = -1;

	s->bundle[0] = '\0';
	if (file)
		add_pem(AT_FDCWD, file, &own);
	if (cuv_buf_err(&own) || own.len + s->ca.len == 0)
		return;
	if (s->ca.len == 0) {
		(void)snprintf(s->bundle, sizeof(s->bundle), "%s", file);
		return;
	}
	cuv_path_join(folder, "ca.pem", s->bundle);
	fd = open(s->bundle, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0 || cuv_write_all(fd, s->ca.data, s->ca.len) < 0 ||
	    (!strstr(cuv_buf_str(&s->ca), cuv_buf_str(&own)) && cuv_write_all(fd, own.data, own.len) < 0))
		s->bundle[0] = '\0';
}

bool cuv_settings_offline(const struct cuv_settings *s)
{
	/* As uv reads it. */
	static const char *const words[] = {"1", "true", "t", "yes", "y", "on"};
	static const char name[] = "UV_OFFLINE=";

	for (size_t i = 0; i < s->env.n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(words); k++)
			if (strncmp(s->env.items[i], name, strlen(name)) == 0 &&
			    strcasecmp(s->env.items[i] + strlen(name), words[k]) == 0)
				return true;
	return false;
}

int cuv_settings_read(struct cuv_settings *ret)
{
	_cleanup_(cuv_settings_done) struct cuv_settings s = {
		.ca = CUV_BUF_INIT(CUV_CA_BYTES_MAX),
		.uv_config = CUV_BUF_INIT(CUV_UV_CONFIG_BYTES_MAX),
		.netrc = CUV_BUF_INIT(CUV_NETRC_BYTES_MAX),
	};
	int r;

	if ((r = carry(&s.env, index_names, ARRAY_SIZE(index_names))) < 0 ||
	    (r = carry(&s.env, proxy_names, ARRAY_SIZE(proxy_names))) < 0 ||
	    (r = carry(&s.env, other_names, ARRAY_SIZE(other_names))) < 0 || (r = carry_credentials(&s.env)) < 0 ||
	    (r = read_uv_config(&s.uv_config)) < 0 || (r = read_access(&s)) < 0)
		return r;
	read_netrc(&s.netrc);
	read_ca(&s.ca);
	if ((r = cuv_buf_err(&s.ca)) < 0 || (r = digest_indexes(&s, &s.indexes)) < 0)
		return r;
	*ret = s;
	s = (struct cuv_settings){0};
	return 0;
}
