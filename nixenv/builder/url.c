/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/url.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

void cuv_url_done(struct cuv_url *u)
{
	free(u->bare);
	free(u->path);
	free(u->user);
	free(u->password);
	*u = (struct cuv_url){0};
}

static void handle_freep(CURLU **h)
{
	curl_url_cleanup(*h);
}

static void curl_freep(char **text)
{
	curl_free(*text);
}

/* A copy of a part, percent-decoded where flags say so; NULL where there is none.
 * -EINVAL for what can't be decoded to text. */
static int part(CURLU *h, CURLUPart what, unsigned flags, char **ret)
{
	_cleanup_(curl_freep) char *text = NULL;
	CURLUcode c = curl_url_get(h, what, &text, flags);

	*ret = NULL;
	if (c == CURLUE_NO_USER || c == CURLUE_NO_PASSWORD)
		return 0;
	if (c != CURLUE_OK)
		return c == CURLUE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int read_host(CURLU *h, struct cuv_site *o)
{
	_cleanup_free_ char *host = NULL;
	_cleanup_(curl_freep) char *zone = NULL;
	const char *start;
	size_t len;
	int r = part(h, CURLUPART_HOST, 0, &host);

	if (r < 0)
		return r;
	/* A zone ("fe80::1%eth0") would choose an interface of ours. */
	if (curl_url_get(h, CURLUPART_ZONEID, &zone, 0) != CURLUE_NO_ZONEID)
		return -EINVAL;
	start = host[0] == '[' ? host + 1 : host;
	len = strlen(start);
	if (host[0] == '[' && len > 0 && start[len - 1] == ']')
		len--;
	else if (len > 1 && start[len - 1] == '.')
		len--;
	if (len == 0 || len >= sizeof(o->host) || memchr(start, '%', len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		char c = start[i];

		if ((unsigned char)c <= ' ' || (unsigned char)c >= 0x7f)
			return -EINVAL;
		o->host[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	o->host[len] = '\0';
	return 0;
}

static int read_site(CURLU *h, struct cuv_site *o)
{
	_cleanup_free_ char *scheme = NULL, *port = NULL;
	unsigned long n;
	int r;

	if ((r = part(h, CURLUPART_SCHEME, 0, &scheme)) < 0 ||
	    (r = part(h, CURLUPART_PORT, CURLU_DEFAULT_PORT, &port)) < 0)
		return r;
	if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
		return -EINVAL;
	o->https = scheme[4] == 's';
	n = strtoul(port, NULL, 10);
	if (n == 0 || n > 65535)
		return -EINVAL;
	o->port = (uint16_t)n;
	return read_host(h, o);
}

int cuv_url_parse(const char *text, struct cuv_url *ret)
{
	_cleanup_(handle_freep) CURLU *h = NULL;
	_cleanup_url_ struct cuv_url u = {0};
	int r;

	if (strlen(text) > CUV_URL_BYTES_MAX)
		return -EINVAL;
	h = curl_url();
	if (!h)
		return -ENOMEM;
	if (curl_url_set(h, CURLUPART_URL, text, 0) != CURLUE_OK)
		return -EINVAL;
	if ((r = read_site(h, &u.site)) < 0 || (r = part(h, CURLUPART_USER, CURLU_URLDECODE, &u.user)) < 0 ||
	    (r = part(h, CURLUPART_PASSWORD, CURLU_URLDECODE, &u.password)) < 0 ||
	    (r = part(h, CURLUPART_PATH, 0, &u.path)) < 0)
		return r;
	if (curl_url_set(h, CURLUPART_USER, NULL, 0) != CURLUE_OK ||
	    curl_url_set(h, CURLUPART_PASSWORD, NULL, 0) != CURLUE_OK ||
	    curl_url_set(h, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK)
		return -EINVAL;
	r = part(h, CURLUPART_URL, 0, &u.bare);
	if (r < 0)
		return r;
	*ret = u;
	u = (struct cuv_url){0};
	return 0;
}

bool cuv_site_same(const struct cuv_site *a, const struct cuv_site *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void cuv_url_scrub(const char *text, size_t len, struct cuv_buf *out)
{
	const char *end = text + len;

	while (text < end) {
		const char *mark = memmem(text, (size_t)(end - text), "://", 3), *stop, *at = NULL;

		if (!mark) {
			cuv_buf_add(out, text, (size_t)(end - text));
			return;
		}
		mark += 3;
		cuv_buf_add(out, text, (size_t)(mark - text));
		for (stop = mark; stop < end && !strchr("/?# \t\n\"'`<>", *stop); stop++)
			if (*stop == '@')
				at = stop;
		text = at ? at + 1 : mark;
	}
}
