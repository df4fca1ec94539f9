/* SPDX-License-Identifier: MIT */
/*
 * The boolean part: a recursive descent that builds a tree whose nodes are
 * already in normal form when they are made, so that no pass over it is needed:
 *
 *   or   = and ("or" and)*      and = unit ("and" unit)*
 *   unit = "(" or ")" | comparison
 *
 * Each node carries its normal text; the texts order and compare the operands.
 */
#include "nixenv/marker.h"

#include "nixenv/marker_term.h"

#include <errno.h>
#include <string.h>

/* Enough for every comparison of a marker with its words and parentheses. */
#define TEXT_MAX (CUV_MARKER_TERMS_MAX * (CUV_MARKER_STRING_MAX + 128))

enum node_kind {
	NODE_TERM,
	NODE_AND,
	NODE_OR,
};

struct node {
	enum node_kind kind;
	char *text;	    /* owned */
	struct node **kids; /* owned; none below a term */
	size_t n_kids;
};

/* State of one marker's parse. */
struct parse {
	struct cuv_scan *scan;
	size_t n_terms;
	unsigned depth;
};

static struct node *node_free(struct node *n)
{
	if (!n)
		return NULL;
	for (size_t i = 0; i < n->n_kids; i++)
		node_free(n->kids[i]);
	free(n->kids);
	free(n->text);
	free(n);
	return NULL;
}

static void node_freep(struct node **n)
{
	*n = node_free(*n);
}

static struct node *node_new(enum node_kind kind)
{
	struct node *n = calloc(1, sizeof(*n));

	if (n)
		n->kind = kind;
	return n;
}

/* Takes kid, also on failure. */
static int node_take_kid(struct node *n, struct node *kid)
{
	struct node **kids = reallocarray(n->kids, n->n_kids + 1, sizeof(*kids));

	if (!kids) {
		node_free(kid);
		return -ENOMEM;
	}
	n->kids = kids;
	n->kids[n->n_kids++] = kid;
	return 0;
}

/* Takes kid; one of the same kind is dissolved: a and (b and c) is a and b and c. */
static int node_take_operand(struct node *n, struct node *kid)
{
	_cleanup_(node_freep) struct node *inner = kid;
	int r;

	if (kid->kind != n->kind)
		return node_take_kid(n, TAKE_PTR(inner));
	for (size_t i = 0; i < kid->n_kids; i++) {
		r = node_take_kid(n, TAKE_PTR(kid->kids[i]));
		if (r)
			return r;
	}
	return 0;
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp((*(struct node *const *)a)->text, (*(struct node *const *)b)->text);
}

static void sort_kids(struct node *n)
{
	size_t kept = 0;

	cuv_assert(n->n_kids > 0);
	qsort(n->kids, n->n_kids, sizeof(n->kids[0]), compare_nodes);
	for (size_t i = 1; i < n->n_kids; i++) {
		if (strcmp(n->kids[kept]->text, n->kids[i]->text) == 0)
			node_free(n->kids[i]);
		else
			n->kids[++kept] = n->kids[i];
	}
	n->n_kids = kept + 1;
}

static int write_text(struct node *n)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TEXT_MAX);

	for (size_t i = 0; i < n->n_kids; i++) {
		bool parens = n->kind == NODE_AND && n->kids[i]->kind == NODE_OR;

		if (i)
			cuv_buf_add_str(&text, n->kind == NODE_AND ? " and " : " or ");
		cuv_buf_addf(&text, parens ? "(%s)" : "%s", n->kids[i]->text);
	}
	n->text = cuv_buf_take(&text, NULL);
	return n->text ? 0 : -ENOMEM;
}

/* Takes the node with all its operands and gives back its normal form: the one
 * operand itself where only one is left. */
static int node_normalize(struct node *node, struct node **ret)
{
	_cleanup_(node_freep) struct node *n = node;
	int r;

	sort_kids(n);
	if (n->n_kids == 1) {
		*ret = TAKE_PTR(n->kids[0]);
		return 0;
	}
	r = write_text(n);
	if (r)
		return r;
	*ret = TAKE_PTR(n);
	return 0;
}

static int parse_group(struct parse *p, enum node_kind kind, struct node **ret);

static int parse_term(struct parse *p, struct node **ret)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(TEXT_MAX);
	_cleanup_(node_freep) struct node *n = NULL;
	int r;

	if (++p->n_terms > CUV_MARKER_TERMS_MAX)
		return cuv_scan_fail(p->scan, p->scan->pos, CUV_E_TOO_LARGE, "a marker may have at most %d comparisons",
				     CUV_MARKER_TERMS_MAX);
	r = cuv_marker_term_parse(p->scan, &text);
	if (r)
		return r;
	n = node_new(NODE_TERM);
	if (!n)
		return -ENOMEM;
	n->text = cuv_buf_take(&text, NULL);
	if (!n->text)
		return -ENOMEM;
	*ret = TAKE_PTR(n);
	return 0;
}

static int parse_unit(struct parse *p, struct node **ret)
{
	_cleanup_(node_freep) struct node *inner = NULL;
	size_t open;
	int r;

	cuv_scan_skip_blanks(p->scan);
	open = p->scan->pos;
	if (!cuv_scan_eat(p->scan, "("))
		return parse_term(p, ret);
	if (++p->depth > CUV_MARKER_DEPTH_MAX)
		return cuv_scan_fail(p->scan, open, CUV_E_TOO_LARGE,
				     "parentheses in a marker may be nested at most %d deep", CUV_MARKER_DEPTH_MAX);
	r = parse_group(p, NODE_OR, &inner);
	if (r)
		return r;
	p->depth--;
	cuv_scan_skip_blanks(p->scan);
	if (cuv_scan_at_end(p->scan))
		return cuv_scan_fail(p->scan, open, CUV_E_REQUIREMENT_INVALID, "this parenthesis is not closed");
	if (!cuv_scan_eat(p->scan, ")"))
		return cuv_scan_fail(p->scan, p->scan->pos, CUV_E_REQUIREMENT_INVALID,
				     "expected `and`, `or` or `)` here");
	*ret = TAKE_PTR(inner);
	return 0;
}

static int parse_operand(struct parse *p, enum node_kind kind, struct node **ret)
{
	return kind == NODE_OR ? parse_group(p, NODE_AND, ret) : parse_unit(p, ret);
}

static int parse_group(struct parse *p, enum node_kind kind, struct node **ret)
{
	const char *word = kind == NODE_AND ? "and" : "or";
	_cleanup_(node_freep) struct node *n = node_new(kind);
	int r;

	if (!n)
		return -ENOMEM;
	for (;;) {
		struct node *operand;

		r = parse_operand(p, kind, &operand);
		if (r)
			return r;
		r = node_take_operand(n, operand);
		if (r)
			return r;
		cuv_scan_skip_blanks(p->scan);
		if (!cuv_marker_looks_at_word(p->scan, word))
			break;
		p->scan->pos += strlen(word);
	}
	return node_normalize(TAKE_PTR(n), ret);
}

int cuv_marker_parse(struct cuv_scan *s, struct cuv_buf *out)
{
	_cleanup_(node_freep) struct node *root = NULL;
	struct parse p = {.scan = s};
	int r;

	r = parse_group(&p, NODE_OR, &root);
	if (r)
		return r;
	return cuv_buf_add_str(out, root->text);
}
