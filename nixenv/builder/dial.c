/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/dial.h"

#include "lib/base/fd.h"
#include "nixenv/address.h"
#include "nixenv/builder/proxy.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_S 15
#define STALL_S 30
#define STALL_BYTES_PER_S 1024
#define REDIRECTS_MAX 5
#define INDEX_RETRY_S 30

void cuv_dial_done(struct cuv_dial *d)
{
	cuv_url_done(&d->url);
	curl_slist_free_all(d->connect_to);
	d->connect_to = NULL;
}

/* --- errors --- */

static int refused(const struct cuv_dial *d, const char *why, struct cuv_error *err)
{
	const char *verb = d->redirects ? "redirects to" : "is";

	return cuv_error_set(err, CUV_E_ADDRESS_REFUSED,
			     "the address of %s %s %s; only public http and https addresses "
			     "are fetched from",
			     d->what, verb, why);
}

int cuv_dial_error(const struct cuv_dial *d, CURLcode code, long http, struct cuv_error *err)
{
	if (d->refused)
		return refused(d, d->refused, err);
	if (d->source == CUV_SOURCE_USER) {
		if (http >= 300)
			return cuv_error_set(err, CUV_E_URL_UNAVAILABLE,
					     "the address of %s does not give it (HTTP %ld)", d->what, http);
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE, "%s can't be fetched from its address: %s", d->what,
				     curl_easy_strerror(code));
	}
	if (http >= 300)
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE, "the package index does not give %s (HTTP %ld)", d->what,
			      http);
	else
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE, "%s can't be fetched: %s", d->what,
			      curl_easy_strerror(code));
	err->retry_after_s = INDEX_RETRY_S;
	return -EINVAL;
}

/* --- what may be reached --- */

static bool any_address(const struct cuv_dial *d)
{
	const struct cuv_access *a = &d->settings->access;

	if (d->source == CUV_SOURCE_USER)
		return cuv_access_listed(a, &d->url.site);
	return d->redirects == 0 || cuv_site_same(&d->url.site, &d->first) || cuv_access_has(a, &d->url.site);
}

/* libcurl is about to connect to exactly this address. */
static curl_socket_t open_socket(void *arg, _unused_ curlsocktype purpose, struct curl_sockaddr *a)
{
	struct cuv_dial *d = arg;
	const char *what = d->check ? cuv_address_refused(&a->addr, (socklen_t)a->addrlen) : NULL;

	if (what) {
		d->refused = what;
		return CURL_SOCKET_BAD;
	}
	return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* --- proxies --- */

static void addrinfo_freep(struct addrinfo **ai)
{
	if (*ai)
		freeaddrinfo(*ai);
}

/* Has the proxy connect to an address that was looked at, not to a name that it
 * would look up itself. */
static int pin_for_proxy(struct cuv_dial *d, struct cuv_error *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	_cleanup_(addrinfo_freep) struct addrinfo *found = NULL;
	const struct cuv_site *o = &d->url.site;
	char ip[64], line[2 * CUV_HOST_SIZE + 32];
	bool v6 = strchr(o->host, ':') != NULL;

	if (getaddrinfo(o->host, NULL, &hints, &found) != 0 || !found)
		return cuv_error_set(err, CUV_E_URL_UNAVAILABLE,
				     "the host of %s can't be looked up here, which it must be to be fetched through "
				     "a proxy",
				     d->what);
	for (const struct addrinfo *ai = found; ai; ai = ai->ai_next) {
		const char *what = cuv_address_refused(ai->ai_addr, ai->ai_addrlen);

		if (what)
			return refused(d, what, err);
	}
	if (getnameinfo(found->ai_addr, found->ai_addrlen, ip, sizeof(ip), NULL, 0, NI_NUMERICHOST) != 0)
		return cuv_error_set(err, CUV_E_INTERNAL, "an address can't be written");
	(void)snprintf(line, sizeof(line), "%s%s%s:%u:%s%s%s:%u", v6 ? "[" : "", o->host, v6 ? "]" : "", o->port,
		       found->ai_family == AF_INET6 ? "[" : "", ip, found->ai_family == AF_INET6 ? "]" : "", o->port);
	d->connect_to = curl_slist_append(NULL, line);
	return d->connect_to ? 0 : cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
}

/* The host is not connected to by us: what can be said of it by its name. */
static int check_before_proxy(struct cuv_dial *d, struct cuv_error *err)
{
	const char *host = d->url.site.host, *what = cuv_address_text_refused(host);
	size_t len = strlen(host);

	if (what && *what)
		return refused(d, what, err);
	if (!what)
		return 0;
	if (strcmp(host, "localhost") == 0 || (len > 10 && strcmp(host + len - 10, ".localhost") == 0))
		return refused(d, "a loopback address", err);
	return d->source == CUV_SOURCE_USER ? pin_for_proxy(d, err) : 0;
}

/* --- a request --- */

static int judge(struct cuv_dial *d, struct cuv_error *err)
{
	d->check = !any_address(d);
	d->refused = NULL;
	curl_slist_free_all(d->connect_to);
	d->connect_to = NULL;
	if (d->check && cuv_proxy_for(&d->url.site))
		return check_before_proxy(d, err);
	return 0;
}

int cuv_dial_netrc(const struct cuv_settings *s)
{
	int fd = s->netrc.len ? cuv_memfd("netrc", s->netrc.data, s->netrc.len) : -1;

	return fd < 0 ? -1 : fd;
}

static void set_credentials(const struct cuv_dial *d, CURL *e)
{
	const struct cuv_settings *s = d->settings;
	const struct cuv_place *place;

	if (d->source != CUV_SOURCE_INDEX || !cuv_access_has(&s->access, &d->url.site))
		return;
	place = cuv_access_credentials(&s->access, &d->url);
	(void)curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
	if (place) {
		(void)curl_easy_setopt(e, CURLOPT_USERNAME, place->url.user ? place->url.user : "");
		(void)curl_easy_setopt(e, CURLOPT_PASSWORD, place->url.password ? place->url.password : "");
	} else if (d->netrc_fd >= 0) {
		char path[64];

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", d->netrc_fd);
		(void)curl_easy_setopt(e, CURLOPT_NETRC_FILE, path);
		(void)curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	}
}

int cuv_dial_setup(struct cuv_dial *d, CURL *e, struct cuv_error *err)
{
	const struct cuv_buf *pem = &d->settings->ca;
	const char *bundle = d->settings->bundle;
	struct curl_blob ca = {.data = pem->data, .len = pem->len, .flags = CURL_BLOB_NOCOPY};
	const char *proxy = cuv_proxy_for(&d->url.site);
	CURLcode c = CURLE_OK;

	if (judge(d, err) < 0)
		return -EINVAL;
#define SET(option, value) c = c ? c : curl_easy_setopt(e, option, value)
	SET(CURLOPT_URL, d->url.bare);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_FAILONERROR, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
	SET(CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	SET(CURLOPT_USERAGENT, "cuvette/" CUV_VERSION);
	SET(CURLOPT_BUFFERSIZE, 262144L);
	SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	/* Said outright, so that what we checked and what it does are the same. */
	SET(CURLOPT_PROXY, proxy ? proxy : "");
	SET(CURLOPT_NOPROXY, "");
	if (d->connect_to)
		SET(CURLOPT_CONNECT_TO, d->connect_to);
	if (!proxy) {
		SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
		SET(CURLOPT_OPENSOCKETDATA, d);
	}
	if (d->check)
		SET(CURLOPT_FRESH_CONNECT, 1L);
	if (bundle[0]) {
		SET(CURLOPT_CAINFO, bundle);
		SET(CURLOPT_PROXY_CAINFO, bundle);
		/* Where a folder is looked into as well, nothing is kept from one connection to the next. */
		SET(CURLOPT_CAPATH, NULL);
		SET(CURLOPT_PROXY_CAPATH, NULL);
	} else if (pem->len) {
		SET(CURLOPT_CAINFO_BLOB, &ca);
		SET(CURLOPT_PROXY_CAINFO_BLOB, &ca);
	}
#undef SET
	if (c != CURLE_OK)
		return cuv_error_set(err, CUV_E_INTERNAL, "a download can't be started: %s", curl_easy_strerror(c));
	set_credentials(d, e);
	return 0;
}

static int go_to(struct cuv_dial *d, const char *address, struct cuv_error *err)
{
	struct cuv_url url;
	int r = cuv_url_parse(address, &url);

	if (r == -ENOMEM)
		return cuv_error_set(err, CUV_E_INTERNAL, "out of memory");
	if (r < 0)
		return refused(d, "no http or https address with a host", err);
	cuv_url_done(&d->url);
	d->url = url;
	return 0;
}

int cuv_dial_open(struct cuv_dial *d, const struct cuv_settings *settings, enum cuv_source source, const char *url,
		  const char *what, struct cuv_error *err)
{
	*d = (struct cuv_dial){.settings = settings, .source = source, .what = what, .netrc_fd = -1};
	if (cuv_settings_offline(settings)) {
		cuv_error_set(err, CUV_E_INDEX_UNREACHABLE,
			      "%s is not in the store, and the network is switched off (UV_OFFLINE)", what);
		err->retry_after_s = INDEX_RETRY_S;
		return -EINVAL;
	}
	if (go_to(d, url, err) < 0)
		return -EINVAL;
	if (source == CUV_SOURCE_USER && (d->url.user || d->url.password)) {
		cuv_dial_done(d);
		return cuv_error_set(err, CUV_E_ADDRESS_REFUSED,
				     "the address of %s holds credentials, which are not used; write it without them",
				     what);
	}
	d->first = d->url.site;
	return 0;
}

int cuv_dial_follow(struct cuv_dial *d, CURL *e, struct cuv_error *err)
{
	bool was_https = d->url.site.https;
	char *to = NULL;
	long http = 0;

	(void)curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &http);
	if (http < 300 || http >= 400)
		return 0;
	(void)curl_easy_getinfo(e, CURLINFO_REDIRECT_URL, &to);
	if (!to || http == 304 || ++d->redirects > REDIRECTS_MAX)
		return cuv_dial_error(d, CURLE_TOO_MANY_REDIRECTS, to ? 0 : http, err);
	if (go_to(d, to, err) < 0)
		return -EINVAL;
	if (was_https && !d->url.site.https && !any_address(d))
		return refused(d, "plain http behind https", err);
	return 1;
}
