/* SPDX-License-Identifier: MIT */
#include "nixenv/builder/place.h"

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOOK_MS 20
#define RETRY_AFTER_S 10

static const struct {
	const char *name;
	unsigned number;
} places[] = {
#define X(suffix, name, number, text) {name, number},
	CUV_PLACE_TABLE(X)
#undef X
};

/* A descriptor; -EBUSY when all are taken; -errno. */
static int try_take(const struct cuv_builder *b, enum cuv_place_kind place)
{
	for (unsigned i = 0; i < places[place].number; i++) {
		_cleanup_close_ int fd = -1;
		char name[32], path[PATH_MAX];

		(void)snprintf(name, sizeof(name), "%s.%u", places[place].name, i);
		cuv_path_join(b->state.nix, name, path);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return TAKE_FD(fd);
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
	}
	return -EBUSY;
}

static int too_long(struct cuv_error *err)
{
	cuv_error_set(err, CUV_E_OVERLOADED, "other environments were in the making for too long; try again");
	err->retry_after_s = RETRY_AFTER_S;
	return -EINVAL;
}

int cuv_place_take(const struct cuv_builder *b, enum cuv_place_kind place, uint64_t deadline_ns, int cancel_fd,
		   struct cuv_error *err)
{
	struct pollfd p = {.fd = cancel_fd, .events = POLLIN | POLLRDHUP};
	int fd;

	while ((fd = try_take(b, place)) == -EBUSY) {
		if (cuv_now_ns() >= deadline_ns)
			return too_long(err);
		if (poll(&p, 1, LOOK_MS) > 0)
			return cuv_error_set(err, CUV_E_CANCELLED, "the request was given up");
	}
	return fd < 0 ? cuv_error_set_errno(err, fd, "a place to work: %s", strerror(-fd)) : fd;
}
