/* SPDX-License-Identifier: MIT */
#include "worker-image/launcher/dynmods.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <sys/mount.h>

/* An option of the mount of any hierarchy, and of all at once; those that are mounted
 * can't be mounted anew. So it is given to one of our own, without controllers, which
 * is attached nowhere. Services beside this one share it by its name. */
int cuv_dynmods_favor(void)
{
	_cleanup_close_ int fs = fsopen("cgroup", FSOPEN_CLOEXEC);
	int fd;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_FLAG, "none", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "name", "cuvette", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, "favordynmods", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	fd = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return fd < 0 ? -errno : fd;
}
