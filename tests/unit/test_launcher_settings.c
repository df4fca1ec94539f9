/* SPDX-License-Identifier: MIT */
/* Options, layers, and what a run is given: environment, resource limits, ids. */
#include "tests/unit/unit.h"
#include "worker-image/launcher/environ.h"
#include "worker-image/launcher/idmap.h"
#include "worker-image/launcher/layers.h"
#include "worker-image/launcher/options.h"
#include "worker-image/launcher/rlimits.h"
#include "worker-image/launcher/slotns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int parse(struct cuv_launcher_options *o, const char *a, const char *b, const char *c, const char *d)
{
	char buf[5][64];
	char *argv[6] = {0};
	const char *args[] = {"cuvette-launcher", a, b, c, d};
	struct cuv_error err;
	int argc = 0;

	for (; argc < 5 && args[argc]; argc++) {
		snprintf(buf[argc], sizeof(buf[argc]), "%s", args[argc]);
		argv[argc] = buf[argc];
	}
	/* o->store points into argv, which goes: tests look at the rest */
	return cuv_launcher_options_parse(argc, argv, o, &err);
}

TEST(options)
{
	struct cuv_launcher_options o = {.boxes = 999};

	assert_int_equal(parse(&o, NULL, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(o.boxes, 999);
	assert_ok(parse(&o, "--store", "/s", NULL, NULL));
	assert_int_equal(o.listen_fd, -1);
	assert_int_equal(o.allowed, 0);
	assert_in_range(o.boxes, 8, 64);
	assert_true(cuv_cgroup_instance_valid(o.instance));
	assert_ok(parse(&o, "--store=/s", "--boxes=512", "--listen-fd=4", "--control-fd=5"));
	assert_int_equal(o.boxes, 512);
	assert_int_equal(o.listen_fd, 4);
	assert_int_equal(o.control_fd, 5);
	assert_ok(parse(&o, "--store=/s", "--instance=serve-1", "--allow-degraded=proc,uid-separation", NULL));
	assert_string_equal(o.instance, "serve-1");
	assert_int_equal(o.allowed, cuv_layer_bit(CUV_LAYER_PROC) | cuv_layer_bit(CUV_LAYER_UID));
	assert_ok(parse(&o, "--help", NULL, NULL, NULL));
	assert_true(o.help);
}

TEST(options_refused)
{
	static const char *const bad[] = {"--boxes=0",
					  "--boxes=513",
					  "--boxes=x",
					  "--boxes",
					  "--instance=",
					  "--instance=a/b",
					  "--listen-fd=2",
					  "--control-fd=3",
					  "--allow-degraded=",
					  "--allow-degraded=nothing",
					  "--allow-degraded=seccomp",
					  "--allow-degraded=proc,root",
					  "--what",
					  "extra"};
	struct cuv_launcher_options o;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(&o, "--store=/s", bad[i], NULL, NULL), -EINVAL);
}

TEST(boxes_follow_cpus)
{
	assert_int_equal(cuv_boxes_default(-1), 8);
	assert_int_equal(cuv_boxes_default(1), 8);
	assert_int_equal(cuv_boxes_default(4), 16);
	assert_int_equal(cuv_boxes_default(64), 64);
}

TEST(missing_layers_refuse_to_start)
{
	struct cuv_layers l;
	struct cuv_error err = CUV_ERROR_INIT;

	cuv_layers_init(&l);
	assert_ok(cuv_layers_accept(&l, 0, &err));
	cuv_layers_missing(&l, CUV_LAYER_CGROUP_MEMORY, "not mounted");
	cuv_layers_missing(&l, CUV_LAYER_UID, "no ids");
	assert_int_equal(cuv_layers_accept(&l, 0, &err), -EPERM);
	assert_non_null(strstr(err.message, "cgroup-memory (not mounted)"));
	assert_non_null(strstr(err.message, "--allow-degraded uid-separation,cgroup-memory"));
	/* one of two is not enough */
	assert_int_equal(cuv_layers_accept(&l, cuv_layer_bit(CUV_LAYER_UID), &err), -EPERM);
	assert_null(strstr(err.message, "no ids"));
	assert_int_equal(l.layer[CUV_LAYER_UID].state, CUV_LAYER_DEGRADED);
	assert_ok(cuv_layers_accept(&l, cuv_layer_bit(CUV_LAYER_CGROUP_MEMORY), &err));
	assert_int_equal(l.layer[CUV_LAYER_CGROUP_MEMORY].state, CUV_LAYER_DEGRADED);
	assert_string_equal(l.layer[CUV_LAYER_CGROUP_MEMORY].why, "not mounted");
}

TEST(layers_that_may_never_be_missing)
{
	struct cuv_layers l;
	struct cuv_error err = CUV_ERROR_INIT;

	cuv_layers_init(&l);
	cuv_layers_missing(&l, CUV_LAYER_NAMESPACES, "no user namespaces");
	assert_int_equal(cuv_layers_accept(&l, 0, &err), -EPERM);
	assert_null(strstr(err.message, "--allow-degraded"));
	/* the manager's layer is reported, not judged */
	cuv_layers_init(&l);
	cuv_layers_missing(&l, CUV_LAYER_LANDLOCK, "old kernel");
	assert_ok(cuv_layers_accept(&l, 0, &err));
	assert_int_equal(l.layer[CUV_LAYER_LANDLOCK].state, CUV_LAYER_MISSING);
}

static const char *find(const struct cuv_strv *v, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < v->n; i++)
		if (strncmp(v->items[i], name, len) == 0 && v->items[i][len] == '=')
			return v->items[i] + len + 1;
	return NULL;
}

TEST(environment)
{
	struct cuv_run run = {.env = ""};
	_cleanup_strv_ struct cuv_strv v = CUV_STRV_INIT, w = CUV_STRV_INIT, x = CUV_STRV_INIT;

	assert_ok(setenv("SECRET", "of the service", 1));
	cuv_limits_default(&run.limits);
	assert_ok(cuv_environ_build(&run, &v));
	assert_string_equal(find(&v, "PATH"), "/usr/local/bin:/usr/bin:/bin");
	assert_string_equal(find(&v, "HOME"), "/home/cuvette");
	assert_string_equal(find(&v, "LANG"), "C.UTF-8");
	assert_string_equal(find(&v, "OMP_NUM_THREADS"), "1");
	assert_null(find(&v, "SECRET"));
	snprintf(run.env, sizeof(run.env), "%s", "0123456789abcdfghijklmnpqrsvwxyz-env");
	run.limits.value[CUV_LIMIT_CPUS] = 2500;
	assert_ok(cuv_environ_build(&run, &w));
	assert_string_equal(find(&w, "PATH"),
			    "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-env/bin:/usr/local/bin:/usr/bin:/bin");
	assert_string_equal(find(&w, "OPENBLAS_NUM_THREADS"), "3");
	assert_null(find(&w, "PYTHONHASHSEED"));
	assert_null(find(&w, "_RJEM_MALLOC_CONF"));
	run.deterministic = run.kept = true;
	assert_ok(cuv_environ_build(&run, &x));
	assert_string_equal(find(&x, "PYTHONHASHSEED"), "0");
	assert_string_equal(find(&x, "OPENBLAS_NUM_THREADS"), "1");
	assert_non_null(find(&x, "_RJEM_MALLOC_CONF"));
}

static rlim_t hard(const struct cuv_rlimit *all, int resource, rlim_t *ret_soft)
{
	size_t i;

	for (i = 0; i < CUV_RLIMITS_N; i++)
		if (all[i].resource == resource) {
			*ret_soft = all[i].soft;
			return all[i].hard;
		}
	fail_msg("resource %d is not limited", resource);
	return 0;
}

TEST(resource_limits)
{
	struct cuv_rlimit all[CUV_RLIMITS_N];
	struct cuv_limits l;
	rlim_t soft;
	size_t i;

	cuv_limits_default(&l);
	l.value[CUV_LIMIT_CPU_TIME] = 1001;
	cuv_rlimits_of(&l, false, all);
	assert_int_equal(hard(all, RLIMIT_CPU, &soft), 3); /* rounded up, and one later than the cgroup */
	assert_int_equal(soft, 3);
	assert_int_equal(hard(all, RLIMIT_NPROC, &soft), 64);
	assert_int_equal(hard(all, RLIMIT_NOFILE, &soft), 256);
	assert_int_equal(hard(all, RLIMIT_CORE, &soft), 1);
	assert_true(hard(all, RLIMIT_STACK, &soft) == RLIM_INFINITY && soft == 8 * CUV_MIB);
	assert_true(hard(all, RLIMIT_DATA, &soft) == RLIM_INFINITY);
	for (i = 0; i < CUV_RLIMITS_N; i++) {
		assert_int_not_equal(all[i].resource, RLIMIT_AS); /* breaks numpy */
		assert_true(all[i].soft <= all[i].hard);
	}
	cuv_rlimits_of(&l, true, all);
	assert_int_equal(hard(all, RLIMIT_DATA, &soft), 512 * CUV_MIB);
	assert_int_equal(hard(all, RLIMIT_SIGPENDING, &soft), 1024);
	l.value[CUV_LIMIT_PROCESSES] = RLIM_INFINITY; /* ids are shared */
	cuv_rlimits_of(&l, false, all);
	assert_true(hard(all, RLIMIT_NPROC, &soft) == RLIM_INFINITY);
	assert_int_equal(hard(all, RLIMIT_SIGPENDING, &soft), 65536);
}

TEST(ids_belong_to_one_slot)
{
	struct cuv_idmap a, b;
	char text[CUV_IDMAP_TEXT_SIZE];
	unsigned i, j;

	for (i = 0; i < CUV_IDENTITIES_MAX; i += 37)
		for (j = 0; j < CUV_IDENTITIES_MAX; j += 41) {
			cuv_idmap_of_slot(true, true, i, &a);
			cuv_idmap_of_slot(true, true, j, &b);
			assert_true(i == j || (a.run_outer != b.run_outer && a.init_outer != b.init_outer));
			assert_int_not_equal(a.run_outer, b.init_outer);
			cuv_idmap_of_slot(false, true, i, &a);
			cuv_idmap_of_slot(false, true, j, &b);
			assert_true(i == j || (a.run_outer != b.run_outer && a.init_outer != b.init_outer));
			assert_int_not_equal(a.run_outer, b.init_outer);
		}
	cuv_idmap_of_slot(true, true, CUV_IDENTITIES_MAX - 1, &a);
	assert_true(a.init_outer < CUV_BOX_UID_BASE + CUV_BOX_SLOTS_MAX);
	cuv_idmap_of_slot(true, true, 3, &a);
	cuv_idmap_format(&a, text);
	assert_string_equal(text, "1 1878911027 1\n1000 1878910003 1\n");
	cuv_idmap_of_slot(false, true, 3, &a);
	cuv_idmap_format(&a, text);
	assert_string_equal(text, "1 8 1\n1000 7 1\n");
	cuv_idmap_of_slot(false, false, 3, &a);
	cuv_idmap_format(&a, text);
	assert_string_equal(text, "1000 0 1\n");
}

TEST(subordinate_ids)
{
	uint32_t first = 0, count = 0;

	assert_true(cuv_subid_parse("ann:100000:65536\n", "ann", 7, &first, &count));
	assert_int_equal(first, 100000);
	assert_int_equal(count, 65536);
	assert_true(cuv_subid_parse("1007:5:6", "ann", 1007, &first, &count));
	assert_int_equal(first, 5);
	assert_false(cuv_subid_parse("anna:1:2", "ann", 7, &first, &count));
	assert_false(cuv_subid_parse("ann:1:0", "ann", 7, &first, &count));
	assert_false(cuv_subid_parse("ann:1", "ann", 7, &first, &count));
	assert_false(cuv_subid_parse("ann:x:2", "ann", 7, &first, &count));
	assert_false(cuv_subid_parse("ann:99999999999:2", "ann", 7, &first, &count));
	assert_false(cuv_subid_parse("", "", 7, &first, &count));
	assert_int_equal(first, 5);
}

TEST(user_names)
{
	char name[CUV_USER_NAME_SIZE] = "none";

	assert_true(cuv_passwd_parse("ann:x:1007:1007:Ann,,,:/home/ann:/bin/sh", 1007, name));
	assert_string_equal(name, "ann");
	assert_false(cuv_passwd_parse("bob:x:10070:1007::/:", 1007, name));
	assert_false(cuv_passwd_parse("bob:1007", 1007, name));
	assert_false(cuv_passwd_parse("", 0, name));
	assert_string_equal(name, "ann");
}

TEST(sockets_left)
{
	assert_true(cuv_net_no_sockets("sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 9 mem 1\n"));
	assert_false(cuv_net_no_sockets("sockets: used 1\nTCP: inuse 0\n"));
	assert_false(cuv_net_no_sockets("sockets: used 01\n"));
	assert_false(cuv_net_no_sockets(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(options_refused),
		cmocka_unit_test(boxes_follow_cpus),
		cmocka_unit_test(missing_layers_refuse_to_start),
		cmocka_unit_test(layers_that_may_never_be_missing),
		cmocka_unit_test(environment),
		cmocka_unit_test(resource_limits),
		cmocka_unit_test(ids_belong_to_one_slot),
		cmocka_unit_test(subordinate_ids),
		cmocka_unit_test(user_names),
		cmocka_unit_test(sockets_left),
	};

	return cmocka_run_group_tests_name("launcher_settings", tests, NULL, NULL);
}
