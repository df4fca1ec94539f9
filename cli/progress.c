/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include "lib/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REDRAW_NS (50 * CUV_NS_PER_MS)
#define COLUMNS_USUAL 80u
#define COLUMNS_MAX 400u
#define CELLS 20
#define FILE_COLUMNS_MIN 12u /* less of a name says nothing */

static unsigned long long tenths(uint64_t bytes)
{
	return bytes / 100000;
}

#define MB "%llu.%llu"
#define MB_OF(bytes) tenths(bytes) / 10, tenths(bytes) % 10

/* "[=====>     ]" */
static void bar(uint64_t done, uint64_t total, char ret[CELLS + 3])
{
	/* Of sizes up to 2^64 too. */
	const double part = total ? (double)CUV_MIN(done, total) / (double)total : 0;
	const size_t full = (size_t)(part * CELLS);

	memset(ret, ' ', CELLS + 2);
	memset(ret + 1, '=', full);
	if (full > 0 && full < CELLS)
		ret[full] = '>';
	ret[0] = '[';
	ret[CELLS + 1] = ']';
	ret[CELLS + 2] = '\0';
}

void cuv_progress_text(const struct cuv_env_progress *p, unsigned columns, char ret[CUV_PROGRESS_SIZE])
{
	const char *name = p->phase > 0 && p->phase < _CUV_PHASE_MAX ? cuv_env_phase_name(p->phase) : "";
	const bool bytes = p->phase == CUV_PHASE_DOWNLOADING && p->bytes_total > 0;
	char cells[CELLS + 3];
	int n;

	columns = CUV_MIN(columns, COLUMNS_MAX);
	if (p->phase == CUV_PHASE_RESOLVING || p->phase == CUV_PHASE_READY) {
		(void)snprintf(ret, CUV_PROGRESS_SIZE, p->phase == CUV_PHASE_READY ? "%s" : "%s…", name);
		return;
	}
	bar(bytes ? p->bytes_done : p->done, bytes ? p->bytes_total : p->total, cells);
	n = snprintf(ret, CUV_PROGRESS_SIZE, "%s %u/%u %s", name, p->done, p->total, cells);
	if (bytes)
		n += snprintf(ret + n, CUV_PROGRESS_SIZE - (size_t)n, " " MB " of " MB " MB", MB_OF(p->bytes_done),
			      MB_OF(p->bytes_total));
	if (p->file[0] && columns > (unsigned)n + FILE_COLUMNS_MIN)
		(void)snprintf(ret + n, CUV_MIN(CUV_PROGRESS_SIZE, columns) - (size_t)n, " %s", p->file);
}

static unsigned terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_USUAL;
}

static void draw(struct cuv_progress *s, const struct cuv_env_progress *p)
{
	char text[CUV_PROGRESS_SIZE];
	uint64_t now = cuv_now_ns();

	if (s->line_shown && s->phase == p->phase && now - s->shown_ns < REDRAW_NS)
		return;
	cuv_progress_text(p, terminal_columns(), text);
	fprintf(stderr, "\r\033[K%s", text);
	s->line_shown = true;
	s->shown_ns = now;
}

static void print_line(struct cuv_progress *s, const struct cuv_env_progress *p)
{
	const char *name = cuv_env_phase_name(p->phase);

	if (s->phase != p->phase) {
		s->files = 0;
		if (p->phase == CUV_PHASE_RESOLVING)
			fprintf(stderr, "%s…\n", name);
		else if (p->phase == CUV_PHASE_READY)
			fprintf(stderr, "%s\n", name);
		else
			fprintf(stderr, "%s %u\n", name, p->total);
	}
	/* One that is whole raises the count, and is told of once. */
	if (p->phase == CUV_PHASE_DOWNLOADING && p->file[0] && p->file_done == p->file_total && p->done > s->files) {
		s->files = p->done;
		fprintf(stderr, "  %u/%u %s " MB " MB\n", p->done, p->total, p->file, MB_OF(p->file_total));
	}
}

void cuv_progress_show(struct cuv_progress *s, const struct cuv_env_progress *p)
{
	if (s->how == CUV_PROGRESS_NONE)
		return;
	if (isatty(STDERR_FILENO))
		draw(s, p);
	else if (s->how == CUV_PROGRESS_LINES)
		print_line(s, p);
	s->phase = p->phase;
}

void cuv_progress_clear(struct cuv_progress *s)
{
	if (s->line_shown)
		fputs("\r\033[K", stderr);
	s->line_shown = false;
}
