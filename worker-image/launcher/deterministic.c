/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/deterministic.h"

#include "lib/base/embed.h"
#include "lib/base/fd.h"
#include "lib/base/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#define FOLDER CUV_BOX_HOME "/.cuvette-deterministic"

extern const struct cuv_embedded cuv_deterministic_files[];

int cuv_deterministic_environ(struct cuv_strv *ret)
{
	int r = cuv_strv_add(ret, "PYTHONHASHSEED=0");

	return r == 0 ? cuv_strv_add(ret, "PYTHONPATH=" FOLDER) : r;
}

int cuv_deterministic_install(void)
{
	const struct cuv_embedded *f = cuv_deterministic_files;
	_cleanup_close_ int fd = -1;

	if (mkdir(FOLDER, 0700) < 0)
		return -errno;
	fd = open(FOLDER "/sitecustomize.py", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : cuv_write_all(fd, f->data, f->len);
}
