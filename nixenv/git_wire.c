/* SPDX-License-Identifier: MIT */
#include "nixenv/git_wire.h"

#include <stdio.h>
#include <string.h>

#define OID_LEN (CUV_GIT_OID_SIZE - 1)
#define ABBREVIATED_MIN 7
#define LINE_OVERHEAD 4

/* A line of the protocol: four hexadecimal digits, that count themselves, and text. */
struct reader {
	const char *at;
	const char *end;
};

struct line {
	const char *text; /* without a final line end */
	size_t len;
	bool flush; /* "0000" */
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False at the end, and for what is no line. */
static bool next_line(struct reader *r, struct line *ret)
{
	size_t len = 0;

	if (r->end - r->at < LINE_OVERHEAD)
		return false;
	for (int i = 0; i < LINE_OVERHEAD; i++) {
		int d = digit(r->at[i]);

		if (d < 0)
			return false;
		len = len * 16 + (size_t)d;
	}
	*ret = (struct line){.flush = len == 0};
	if (len == 0) {
		r->at += LINE_OVERHEAD;
		return true;
	}
	if (len <= LINE_OVERHEAD || len > (size_t)(r->end - r->at))
		return false;
	ret->text = r->at + LINE_OVERHEAD;
	ret->len = len - LINE_OVERHEAD;
	r->at += len;
	if (ret->text[ret->len - 1] == '\n')
		ret->len--;
	return true;
}

static bool line_is(const struct line *l, const char *text)
{
	return !l->flush && l->len == strlen(text) && memcmp(l->text, text, l->len) == 0;
}

static bool line_starts(const struct line *l, const char *text)
{
	return !l->flush && l->len >= strlen(text) && memcmp(l->text, text, strlen(text)) == 0;
}

/* --- refs --- */

static bool is_oid(const char *text, size_t len)
{
	if (len != OID_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (digit(text[i]) < 0)
			return false;
	return true;
}

static bool has_word(const char *list, size_t len, const char *word)
{
	size_t n = strlen(word);

	while (len > 0) {
		const char *space = memchr(list, ' ', len);
		size_t part = space ? (size_t)(space - list) : len;

		if (part == n && memcmp(list, word, n) == 0)
			return true;
		part += part < len;
		list += part;
		len -= part;
	}
	return false;
}

static void read_capabilities(const char *list, size_t len, struct cuv_git_offer *o)
{
	o->shallow = has_word(list, len, "shallow");
	o->any_commit =
		has_word(list, len, "allow-reachable-sha1-in-want") || has_word(list, len, "allow-any-sha1-in-want");
}

struct search {
	const char *ref;
	struct cuv_git_offer *o;
	int rank; /* of what was found; 0: nothing */
};

/* How well a ref's name fits what is looked for; 0: not at all. */
static int rank_of(const char *name, size_t len, const char *ref)
{
	static const struct {
		const char *prefix;
		int rank;
	} places[] = {{"refs/heads/", 3}, {"refs/tags/", 2}, {"", 1}};
	size_t n = strlen(ref);

	if (n == 0)
		return len == 4 && memcmp(name, "HEAD", 4) == 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		size_t p = strlen(places[i].prefix);

		/* A bare name is a full one only with its "refs/". */
		if (p == 0 && strncmp(ref, "refs/", 5) != 0)
			continue;
		if (len == p + n && memcmp(name, places[i].prefix, p) == 0 && memcmp(name + p, ref, n) == 0)
			return places[i].rank;
	}
	return 0;
}

static void copy_oid(char to[CUV_GIT_OID_SIZE], const char *from)
{
	memcpy(to, from, OID_LEN);
	to[OID_LEN] = '\0';
}

static void look_at(struct search *s, const char *oid, const char *name, size_t len)
{
	bool peeled = len > 3 && memcmp(name + len - 3, "^{}", 3) == 0;
	int rank;

	if (is_oid(s->ref, strlen(s->ref))) {
		if (memcmp(oid, s->ref, OID_LEN) == 0 && !peeled)
			s->o->advertised = true;
		return;
	}
	rank = rank_of(name, peeled ? len - 3 : len, s->ref);
	if (rank == 0 || rank < s->rank || (rank == s->rank && !peeled))
		return;
	/* A tag's "^{}" comes after it: the object to ask for stays the tag. */
	if (!peeled)
		copy_oid(s->o->want, oid);
	else if (rank != s->rank)
		return;
	copy_oid(s->o->commit, oid);
	s->o->advertised = true;
	s->rank = rank;
}

/* "<name> <ref>", the first one with "\0capabilities" behind it. */
static enum cuv_git_wire_result read_ref(struct search *s, const struct line *l, bool first)
{
	const char *nul = memchr(l->text, '\0', l->len), *name = l->text + OID_LEN + 1;
	size_t len = nul ? (size_t)(nul - l->text) : l->len;

	if (first && nul) {
		const char *list = nul + 1;
		size_t n = l->len - len - 1;

		if (has_word(list, n, "object-format=sha256"))
			return CUV_GIT_OTHER_HASHES;
		read_capabilities(list, n, s->o);
	}
	if (len <= OID_LEN + 1 || l->text[OID_LEN] != ' ' || !is_oid(l->text, OID_LEN))
		return CUV_GIT_MALFORMED;
	len -= OID_LEN + 1;
	if (first && len == strlen("capabilities^{}") && memcmp(name, "capabilities^{}", len) == 0)
		return CUV_GIT_EMPTY;
	look_at(s, l->text, name, len);
	return CUV_GIT_OK;
}

static enum cuv_git_wire_result conclude(struct search *s)
{
	size_t len = strlen(s->ref);

	if (is_oid(s->ref, len)) {
		copy_oid(s->o->want, s->ref);
		copy_oid(s->o->commit, s->ref);
		return CUV_GIT_OK;
	}
	if (s->rank > 0)
		return CUV_GIT_OK;
	return len >= ABBREVIATED_MIN && len < OID_LEN && strspn(s->ref, "0123456789abcdefABCDEF") == len
		       ? CUV_GIT_ABBREVIATED
		       : CUV_GIT_NO_SUCH_REF;
}

enum cuv_git_wire_result cuv_git_find(const void *data, size_t len, const char *ref, struct cuv_git_offer *ret)
{
	struct reader r = {.at = data, .end = (const char *)data + len};
	struct cuv_git_offer o = {0};
	struct search s = {.ref = ref, .o = &o};
	enum cuv_git_wire_result result;
	struct line l;
	bool first = true;

	if (!next_line(&r, &l) || !line_is(&l, "# service=git-upload-pack") || !next_line(&r, &l) || !l.flush)
		return CUV_GIT_MALFORMED;
	while (next_line(&r, &l)) {
		if (l.flush) {
			result = r.at != r.end ? CUV_GIT_MALFORMED : first ? CUV_GIT_EMPTY : conclude(&s);
			if (result == CUV_GIT_OK)
				*ret = o;
			return result;
		}
		if (line_starts(&l, "ERR "))
			return CUV_GIT_REFUSED;
		if (!first && line_starts(&l, "shallow "))
			continue;
		result = read_ref(&s, &l, first);
		if (result != CUV_GIT_OK)
			return result;
		first = false;
	}
	return CUV_GIT_MALFORMED;
}

/* --- the request and its answer --- */

void cuv_git_request(const struct cuv_git_offer *o, struct cuv_buf *out)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "want %s ofs-delta no-progress agent=cuvette/" CUV_VERSION "\n", o->want);

	cuv_buf_addf(out, "%04x%s", (unsigned)n + LINE_OVERHEAD, text);
	cuv_buf_add_str(out, o->shallow ? "000ddeepen 1\n0000" : "0000");
	cuv_buf_add_str(out, "0009done\n");
}

enum cuv_git_wire_result cuv_git_pack_offset(const void *data, size_t len, size_t *ret)
{
	struct reader r = {.at = data, .end = (const char *)data + len};
	struct line l;

	while (next_line(&r, &l)) {
		if (line_starts(&l, "ERR "))
			return CUV_GIT_REFUSED;
		if (line_is(&l, "NAK")) {
			if (r.end - r.at < 4 || memcmp(r.at, "PACK", 4) != 0)
				return CUV_GIT_MALFORMED;
			*ret = (size_t)(r.at - (const char *)data);
			return CUV_GIT_OK;
		}
		if (!l.flush && !line_starts(&l, "shallow ") && !line_starts(&l, "unshallow "))
			return CUV_GIT_MALFORMED;
	}
	return CUV_GIT_MALFORMED;
}
