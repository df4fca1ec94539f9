/* SPDX-License-Identifier: MIT */
#include "nixenv/pep508_url.h"

#include "nixenv/requirements_option.h"
#include "nixenv/wheel.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define HOST_LEN_MAX 253
#define PORT_DEFAULT 443
#define PORT_MAX 65535

/* One address: offsets into the scan's text. */
struct address {
	struct cuv_scan *s;
	size_t end; /* of the whole word */
	struct cuv_direct *ret;
	struct cuv_strv *hashes;
	struct cuv_buf url;
	char *name; /* owned: what the address calls the package */
};

static void address_done(struct address *a)
{
	cuv_buf_done(&a->url);
	free(a->name);
}

void cuv_direct_done(struct cuv_direct *d)
{
	free(d->url);
	free(d->file);
	free(d->ref);
	free(d->subdirectory);
	*d = (struct cuv_direct){0};
}

static int invalid(struct address *a, size_t at, const char *message)
{
	return cuv_scan_fail(a->s, at, CUV_E_REQUIREMENT_INVALID, "%s", message);
}

static int unsupported(struct address *a, size_t at, const char *message)
{
	return cuv_scan_fail(a->s, at, CUV_E_REQUIREMENT_UNSUPPORTED, "%s", message);
}

/* --- scheme and host --- */

static bool is_scheme(const struct address *a, size_t len, const char *scheme)
{
	return strlen(scheme) == len && strncasecmp(a->s->text + a->s->pos, scheme, len) == 0;
}

static int read_scheme(struct address *a)
{
	struct cuv_scan *s = a->s;
	size_t len = 0;

	while (s->pos + len < a->end && (cuv_is_alnum(s->text[s->pos + len]) || strchr("+-.", s->text[s->pos + len])))
		len++;
	if (is_scheme(a, len, "git+https"))
		a->ret->kind = CUV_DIRECT_GIT;
	else if (is_scheme(a, len, "https"))
		a->ret->kind = CUV_DIRECT_WHEEL;
	else if (is_scheme(a, len, "http") || is_scheme(a, len, "git+http"))
		return unsupported(a, s->pos, "what comes over plain http can be changed on its way; use https");
	else if (is_scheme(a, len, "file") || is_scheme(a, len, "git+file"))
		return unsupported(a, s->pos,
				   "there are no local files here; use an https address, or send a version "
				   "of the index as in name==1.2.3");
	else if (is_scheme(a, len, "git+ssh") || is_scheme(a, len, "git") || is_scheme(a, len, "git+git"))
		return unsupported(a, s->pos, "git is spoken over https only: git+https://host/repository@commit");
	else
		return unsupported(a, s->pos,
				   "this address is not served; there are https://….whl and "
				   "git+https://host/repository@commit");
	s->pos += len;
	if (!cuv_scan_eat(s, "://"))
		return invalid(a, s->pos, "expected :// here, as in https://host/name-1.0-py3-none-any.whl");
	cuv_buf_add_str(&a->url, "https://");
	return 0;
}

/* `:8443`; the default port is left out. */
static int read_port(struct address *a, size_t end)
{
	struct cuv_scan *s = a->s;
	size_t start = s->pos++;
	uint32_t port = 0;

	while (s->pos < end && cuv_is_digit(s->text[s->pos]) && port <= PORT_MAX)
		port = port * 10 + (uint32_t)(s->text[s->pos++] - '0');
	if (s->pos < end || port == 0 || port > PORT_MAX)
		return invalid(a, start + 1, "a port is a number from 1 to 65535");
	if (port != PORT_DEFAULT)
		cuv_buf_addf(&a->url, ":%u", port);
	return 0;
}

static int read_host(struct address *a)
{
	struct cuv_scan *s = a->s;
	size_t start = s->pos, end = start, at;

	while (end < a->end && !strchr("/?#", s->text[end]))
		end++;
	for (at = end; at > start; at--)
		if (s->text[at - 1] == '@')
			return unsupported(a, start,
					   "an address may hold no name and no password; whoever runs the service "
					   "can give it credentials for a host");
	while (s->pos < end && (cuv_is_alnum(s->text[s->pos]) || strchr(".-_", s->text[s->pos])))
		cuv_buf_add_char(&a->url, cuv_lower(s->text[s->pos++]));
	if (s->pos == start)
		return invalid(a, start, "the name of the host is missing");
	if (s->pos - start > HOST_LEN_MAX || !cuv_is_alnum(s->text[start]) || strstr(cuv_buf_str(&a->url), ".."))
		return invalid(a, start, "this is not the name of a host");
	if (s->pos < end && s->text[s->pos] == ':')
		return read_port(a, end);
	return s->pos == end ? 0 : invalid(a, s->pos, "this character can't stand in the name of a host");
}

/* --- path --- */

static int hex_value(char c)
{
	if (cuv_is_digit(c))
		return c - '0';
	c = cuv_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_unreserved(char c)
{
	return cuv_is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* One `%xx` at the cursor, in its normal spelling; what it stands for goes to decoded. */
static int read_escape(struct address *a, struct cuv_buf *decoded)
{
	struct cuv_scan *s = a->s;
	int high = s->pos + 2 < a->end ? hex_value(s->text[s->pos + 1]) : -1;
	int low = s->pos + 2 < a->end ? hex_value(s->text[s->pos + 2]) : -1;
	char c = (char)(high * 16 + low);

	if (high < 0 || low < 0)
		return invalid(a, s->pos, "a % is followed by two hexadecimal digits");
	if ((unsigned char)c <= ' ' || (unsigned char)c >= 0x7f || c == '/' || c == '\\')
		return invalid(a, s->pos, "this character can't be part of a name in an address");
	if (is_unreserved(c))
		cuv_buf_add_char(&a->url, c);
	else
		cuv_buf_addf(&a->url, "%%%02X", (unsigned)c);
	cuv_buf_add_char(decoded, c);
	s->pos += 3;
	return 0;
}

static bool is_dots(const struct cuv_buf *segment)
{
	return strcmp(cuv_buf_str(segment), ".") == 0 || strcmp(cuv_buf_str(segment), "..") == 0;
}

/* The path up to `end`; *last becomes its last segment, decoded. */
static int read_path(struct address *a, size_t end, struct cuv_buf *last)
{
	struct cuv_scan *s = a->s;
	int r;

	while (s->pos < end) {
		char c = s->text[s->pos];

		if (c == '/') {
			if (is_dots(last))
				return invalid(a, s->pos - 1, "an address has no `.` and `..` in its path");
			cuv_buf_reset(last);
			cuv_buf_add_char(&a->url, c);
			s->pos++;
		} else if (c == '%') {
			r = read_escape(a, last);
			if (r)
				return r;
		} else if (is_unreserved(c) || strchr("!&()*+,=:@", c)) {
			cuv_buf_add_char(&a->url, c);
			cuv_buf_add_char(last, c);
			s->pos++;
		} else if (c == ';') {
			return invalid(a, s->pos,
				       "a marker needs a blank before its `;`, or it is part of the address");
		} else {
			return invalid(a, s->pos,
				       "this character can't stand in an address; write it as % and two "
				       "hexadecimal digits");
		}
	}
	if (is_dots(last))
		return invalid(a, s->pos - 1, "an address has no `.` and `..` in its path");
	return 0;
}

static int copy_name(struct address *a, size_t at, const char *name, size_t len, const char *message)
{
	_cleanup_buf_ struct cuv_buf normal = CUV_BUF_INIT(CUV_NAME_LEN_MAX);
	int r = cuv_name_normalize(name, len, &normal);

	if (r > 0)
		return invalid(a, at, message);
	if (r == 0 && a->name && strcmp(a->name, cuv_buf_str(&normal)) != 0)
		return invalid(a, at, "the address gives two different names");
	free(a->name);
	a->name = r < 0 ? NULL : cuv_buf_take(&normal, NULL);
	return a->name ? 0 : -ENOMEM;
}

static int read_wheel(struct address *a, size_t end)
{
	static const char advice[] = "only a wheel can be fetched from an address: its last part reads "
				     "name-version-python-abi-platform.whl";
	_cleanup_buf_ struct cuv_buf file = CUV_BUF_INIT(CUV_URL_LEN_MAX);
	struct cuv_wheel wheel;
	size_t start = end;
	int r;

	while (start > a->s->pos && a->s->text[start - 1] != '/')
		start--;
	r = read_path(a, end, &file);
	if (r)
		return r;
	if (file.len < 4 || strcasecmp(cuv_buf_str(&file) + file.len - 4, ".whl") != 0)
		return unsupported(a, start, advice);
	if (cuv_wheel_parse(cuv_buf_str(&file), &wheel) < 0)
		return invalid(a, start, advice);
	r = copy_name(a, start, wheel.name.at, wheel.name.len, advice);
	if (r)
		return r;
	a->ret->file = cuv_buf_take(&file, NULL);
	return a->ret->file ? 0 : -ENOMEM;
}

static bool is_ref_char(char c)
{
	return cuv_is_alnum(c) || strchr("._/+-", c);
}

/* A branch, tag or commit: what git takes as a name, and a little less. */
static bool is_ref(const char *ref, size_t len)
{
	if (len == 0 || len > CUV_GIT_REF_MAX || ref[0] == '-' || ref[0] == '/' || ref[len - 1] == '/' ||
	    ref[len - 1] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || ref[i - 1] == '/';

		if (!is_ref_char(ref[i]) || (first && (ref[i] == '.' || ref[i] == '/')))
			return false;
		if (i && ref[i] == '.' && ref[i - 1] == '.')
			return false;
	}
	return true;
}

static int read_repository(struct address *a, size_t end)
{
	_cleanup_buf_ struct cuv_buf last = CUV_BUF_INIT(CUV_URL_LEN_MAX);
	struct cuv_scan *s = a->s;
	size_t path_end = end, ref_at = end;
	int r;

	for (size_t i = s->pos; i < end; i++)
		if (s->text[i] == '@')
			path_end = i;
	r = read_path(a, path_end, &last);
	if (r)
		return r;
	if (last.len == 0)
		return invalid(a, s->pos, "the path of a repository is missing, as in git+https://host/path@commit");
	if (path_end < end) {
		ref_at = path_end + 1;
		if (!is_ref(s->text + ref_at, end - ref_at))
			return invalid(a, ref_at,
				       "behind the @ stands a commit, tag or branch: letters, digits and . _ + - /");
	}
	s->pos = end;
	a->ret->ref = strndup(s->text + ref_at, end - ref_at);
	return a->ret->ref ? 0 : -ENOMEM;
}

/* --- fragment --- */

/* Relative, and of names that need no quoting anywhere. */
static bool is_subdirectory(const char *path, size_t len)
{
	size_t start = 0;

	if (len == 0 || len > CUV_SUBDIRECTORY_MAX)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && path[i] != '/') {
			if (!cuv_is_alnum(path[i]) && !strchr("._+-", path[i]))
				return false;
			continue;
		}
		if (i == start || (i - start == 1 && path[start] == '.') ||
		    (i - start == 2 && path[start] == '.' && path[start + 1] == '.'))
			return false;
		start = i + 1;
	}
	return true;
}

static bool is_key(const char *key, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(key, name, len) == 0;
}

static int read_subdirectory(struct address *a, size_t at, size_t len)
{
	if (a->ret->subdirectory)
		return invalid(a, at, "there are two subdirectories");
	if (!is_subdirectory(a->s->text + at, len))
		return invalid(a, at,
			       "a subdirectory is a relative path of letters, digits and . _ + - without `.` and `..`");
	a->ret->subdirectory = strndup(a->s->text + at, len);
	return a->ret->subdirectory ? 0 : -ENOMEM;
}

/* `key=value` from `at` to `end`. */
static int read_pair(struct address *a, size_t at, size_t end)
{
	static const char egg[] = "behind egg= stands the name of the package alone";
	const char *text = a->s->text;
	bool git = a->ret->kind == CUV_DIRECT_GIT;
	size_t equals = at;

	while (equals < end && text[equals] != '=')
		equals++;
	if (equals == end)
		return invalid(a, at, "behind the # stand name=value pairs with & between them");
	if (is_key(text + at, equals - at, "egg"))
		return copy_name(a, equals + 1, text + equals + 1, end - equals - 1, egg);
	if (git && is_key(text + at, equals - at, "subdirectory"))
		return read_subdirectory(a, equals + 1, end - equals - 1);
	if (git)
		return unsupported(a, at, "behind the # of a repository, only subdirectory= and egg= are served");
	if (cuv_hash_is_algorithm(text + at, equals - at))
		return cuv_hash_add(a->s, at, equals - at, equals + 1, end - equals - 1, a->hashes);
	return unsupported(a, at, "behind the # of a wheel, only sha256=, sha384=, sha512= and egg= are served");
}

static int read_fragment(struct address *a)
{
	struct cuv_scan *s = a->s;
	int r = 0;

	if (s->pos < a->end && s->text[s->pos] == '?')
		return unsupported(a, s->pos,
				   "an address with a query is not served: it may hold a credential, and "
				   "what it names may change");
	while (r == 0 && s->pos < a->end) {
		size_t start = ++s->pos; /* behind the # or the & */

		while (s->pos < a->end && s->text[s->pos] != '&')
			s->pos++;
		r = read_pair(a, start, s->pos);
	}
	return r;
}

static int read_address(struct address *a)
{
	struct cuv_scan *s = a->s;
	size_t path_end;
	int r = read_scheme(a);

	if (r == 0)
		r = read_host(a);
	if (r)
		return r;
	for (path_end = s->pos; path_end < a->end && s->text[path_end] != '?' && s->text[path_end] != '#';)
		path_end++;
	r = a->ret->kind == CUV_DIRECT_GIT ? read_repository(a, path_end) : read_wheel(a, path_end);
	if (r == 0)
		r = read_fragment(a);
	if (r)
		return r;
	a->ret->url = cuv_buf_take(&a->url, NULL);
	return a->ret->url ? 0 : -ENOMEM;
}

int cuv_direct_parse(struct cuv_scan *s, struct cuv_direct *ret, struct cuv_strv *hashes, char **ret_name)
{
	_cleanup_(address_done) struct address a = {
		.s = s, .end = s->pos, .ret = ret, .hashes = hashes, .url = CUV_BUF_INIT(CUV_URL_LEN_MAX * 3)};
	size_t start = s->pos;
	int r;

	*ret_name = NULL;
	while (a.end < s->len && !cuv_is_blank(s->text[a.end]))
		a.end++;
	if (a.end == start)
		return invalid(&a, start,
			       "the address is missing, as in name @ https://host/name-1.0-py3-none-any.whl");
	if (a.end - start > CUV_URL_LEN_MAX)
		return cuv_scan_fail(s, start, CUV_E_TOO_LARGE, "an address may have at most %d characters",
				     CUV_URL_LEN_MAX);
	r = read_address(&a);
	if (r == 0)
		*ret_name = TAKE_PTR(a.name);
	return r;
}

int cuv_direct_write(const struct cuv_direct *d, struct cuv_buf *out)
{
	cuv_buf_addf(out, "%s%s", d->kind == CUV_DIRECT_GIT ? "git+" : "", d->url);
	if (d->ref && d->ref[0])
		cuv_buf_addf(out, "@%s", d->ref);
	if (d->subdirectory)
		cuv_buf_addf(out, "#subdirectory=%s", d->subdirectory);
	return cuv_buf_err(out);
}

static bool is_scheme_char(char c)
{
	return cuv_is_alnum(c) || c == '+' || c == '-' || c == '.';
}

bool cuv_pep508_is_address(const struct cuv_scan *s)
{
	const char *word = s->text + s->pos;
	size_t len = s->len - s->pos, n = 0;

	while (n < len && is_scheme_char(word[n]))
		n++;
	/* One letter before the colon is a drive. */
	if (n < 2 || n == len || word[n] != ':')
		return false;
	return memchr(word, '+', n) || (n == 4 && strncasecmp(word, "file", n) == 0) ||
	       (len - n >= 3 && memcmp(word + n, "://", 3) == 0);
}
