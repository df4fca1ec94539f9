/* SPDX-License-Identifier: MIT */
/*
 * Input: lines of text. The first is an address, which once read is read again as
 * the same; the second a Content-Range; the third a no_proxy list; all of it is
 * scrubbed, and the rest taken for uv's configuration.
 */
#include "nixenv/builder/access.h"
#include "nixenv/builder/proxy.h"
#include "nixenv/builder/transfer.h"
#include "tests/fuzz/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(const char *text)
{
	_cleanup_url_ struct cuv_url u = {0}, again = {0};
	size_t len;

	if (cuv_url_parse(text, &u) < 0)
		return;
	len = strlen(u.site.host);
	cuv_assert(len > 0 && u.site.port > 0 && strcspn(u.site.host, "@/?#% \t\r\n") == len);
	if (strlen(u.bare) > CUV_URL_BYTES_MAX)
		return; /* escapes were added */
	cuv_assert(cuv_url_parse(u.bare, &again) == 0);
	cuv_assert(cuv_site_same(&u.site, &again.site) && !again.user && !again.password);
	(void)cuv_no_proxy_has("10.0.0.0/9,.example.org fd00::/7", u.site.host);
}

static char *line(const char **rest)
{
	size_t n = strcspn(*rest, "\n");
	char *text = strndup(*rest, n);

	*rest += n + ((*rest)[n] == '\n');
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(data, size), *address = NULL, *range = NULL, *list = NULL;
	_cleanup_(cuv_access_done) struct cuv_access a = {0};
	_cleanup_buf_ struct cuv_buf scrubbed = CUV_BUF_INIT(1u << 20);
	const char *rest = text;
	uint64_t first, total;
	uint32_t at;

	if (!text)
		return 0;
	address = line(&rest);
	range = line(&rest);
	list = line(&rest);
	check_address(address);
	if (cuv_content_range(range, &first, &total) == 0)
		cuv_assert(total == 0 || first < total);
	(void)cuv_no_proxy_has(list, "10.1.2.3");
	(void)cuv_no_proxy_has(list, "www.example.org");
	cuv_url_scrub(text, strlen(text), &scrubbed);
	cuv_assert(scrubbed.len <= strlen(text));
	(void)cuv_access_read(rest, strlen(rest), &a, &at);
	return 0;
}
