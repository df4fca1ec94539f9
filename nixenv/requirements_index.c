/* SPDX-License-Identifier: MIT */
#include "nixenv/requirements_index.h"

#include "nixenv/pep508.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define HOST_LEN_MAX 253
#define PORT_MAX 65535

static int invalid(struct cuv_scan *s, size_t at, const char *message)
{
	return cuv_scan_fail(s, at, CUV_E_REQUIREMENT_INVALID, "%s", message);
}

static int unsupported(struct cuv_scan *s, size_t at, const char *message)
{
	return cuv_scan_fail(s, at, CUV_E_REQUIREMENT_UNSUPPORTED, "%s", message);
}

static bool begins(const char *text, size_t len, const char *word)
{
	return len >= strlen(word) && strncasecmp(text, word, strlen(word)) == 0;
}

/* `:8443`, at the colon; the default one is left out. */
static int add_port(struct cuv_scan *s, size_t at, size_t end, uint32_t standard, struct cuv_buf *out)
{
	uint32_t port = 0;
	size_t i = at + 1;

	while (i < end && cuv_is_digit(s->text[i]) && port <= PORT_MAX)
		port = port * 10 + (uint32_t)(s->text[i++] - '0');
	if (i < end || port == 0 || port > PORT_MAX)
		return invalid(s, at + 1, "a port is a number from 1 to 65535");
	if (port != standard)
		cuv_buf_addf(out, ":%u", port);
	return 0;
}

static int add_host(struct cuv_scan *s, size_t at, size_t end, uint32_t standard, struct cuv_buf *out)
{
	size_t i = at;

	if (memchr(s->text + at, '@', end - at))
		return unsupported(s, at,
				   "an index may have no name and no password here; whoever runs the service sets "
				   "those of its indexes");
	for (; i < end && (cuv_is_alnum(s->text[i]) || strchr(".-_", s->text[i])); i++)
		cuv_buf_add_char(out, cuv_lower(s->text[i]));
	if (i == at || i - at > HOST_LEN_MAX || !cuv_is_alnum(s->text[at]))
		return invalid(s, at, "the name of the index's host is missing");
	if (i < end && s->text[i] != ':')
		return invalid(s, i, "this character can't stand in the name of a host");
	return i < end ? add_port(s, i, end, standard, out) : 0;
}

static bool is_dots(const char *segment, size_t len)
{
	return (len == 1 || len == 2) && strncmp(segment, "..", len) == 0;
}

static int add_path(struct cuv_scan *s, size_t at, size_t end, struct cuv_buf *out)
{
	size_t segment = at + 1;

	while (end > at && s->text[end - 1] == '/')
		end--;
	for (size_t i = at; i < end; i++) {
		char c = s->text[i];

		if (c == '?' || c == '#')
			return unsupported(s, i, "the address of an index has neither query nor fragment");
		if (!cuv_is_alnum(c) && !strchr("/-._~%+:@!&'()*,;=", c))
			return invalid(s, i, "this character can't stand in the address of an index");
		cuv_buf_add_char(out, c);
		if ((c == '/' && i > at) || i + 1 == end) {
			if (is_dots(s->text + segment, (c == '/' ? i : end) - segment))
				return unsupported(s, segment, "an address can't go up; write it without . and ..");
			segment = i + 1;
		}
	}
	return 0;
}

int cuv_index_address(struct cuv_scan *s, size_t at, size_t len, struct cuv_buf *out)
{
	const char *text = s->text + at;
	bool https = begins(text, len, "https://");
	size_t start = at + (https ? 8 : 7), end = at + len, host_end;

	if (!https && !begins(text, len, "http://"))
		return unsupported(s, at, "an index is named by its address, as in https://host/simple");
	if (len > CUV_URL_LEN_MAX)
		return cuv_scan_fail(s, at, CUV_E_TOO_LARGE, "an address may have at most %d characters",
				     CUV_URL_LEN_MAX);
	for (host_end = start; host_end < end && !strchr("/?#", s->text[host_end]);)
		host_end++;
	cuv_buf_add_str(out, https ? "https://" : "http://");
	if (add_host(s, start, host_end, https ? 443 : 80, out) < 0 || add_path(s, host_end, end, out) < 0)
		return -EINVAL;
	return cuv_buf_err(out);
}
