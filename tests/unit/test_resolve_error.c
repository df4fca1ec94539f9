/* SPDX-License-Identifier: MIT */
/* What the resolver's messages mean, with real ones of uv 0.13.8. */
#include "nixenv/builder/resolve_error.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NONE "error: No solution found when resolving dependencies\n"

struct sample {
	const char *requirements; /* one a line, sorted as canonical text is */
	const char *text;
	enum cuv_error_code code;
	uint32_t line;
	const char *message; /* a part of it */
};

static const struct sample samples[] = {
	{"idna\nno-such-package-xyz\n",
	 NONE "  cause: Because no-such-package-xyz was not found in the package registry and you require "
	      "no-such-package-xyz, we can conclude that your requirements are unsatisfiable.\n",
	 CUV_E_REQUIREMENTS_UNRESOLVABLE, 2, "there is no package `no-such-package-xyz`"},
	{"requests==99.1\n",
	 NONE "  cause: Because there is no version of requests==99.1 and you require requests==99.1, we can conclude "
	      "that your requirements are unsatisfiable.\n",
	 CUV_E_REQUIREMENTS_UNRESOLVABLE, 1, "there is no version `requests==99.1`"},
	{"requests<1,>=2\n", NONE "  cause: you require requests<1 and requests>=2, which are incompatible\n",
	 CUV_E_REQUIREMENTS_UNRESOLVABLE, 1, "no set of versions"},
	{"a\nbotocore==1.29\nurllib3>=2.5\n",
	 NONE "  cause: Because botocore==1.29.0 depends on urllib3>=1.25.4,<1.27 and you require botocore==1.29, we "
	      "can conclude that you require urllib3>=1.25.4,<1.27.\n         And because you require urllib3>=2.5, we "
	      "can conclude that your requirements are unsatisfiable.\n",
	 CUV_E_REQUIREMENTS_UNRESOLVABLE, 2, "no set of versions"},
	{"docopt\n",
	 NONE
	 "  cause: Because all versions of docopt have no usable wheels and you require docopt, we can conclude that "
	 "your requirements are unsatisfiable.\n\nhint: Wheels are required for `docopt` because building from "
	 "source is disabled for all packages (i.e., with `--no-build`)\n",
	 CUV_E_WHEEL_UNAVAILABLE, 1, "`docopt` has no wheel"},
	{"flask\ntensorflow==1.15\n",
	 NONE
	 "  cause: Because tensorflow==1.15.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and you "
	 "require tensorflow==1.15, we can conclude that your requirements are unsatisfiable.\n",
	 CUV_E_WHEEL_UNAVAILABLE, 2, "`tensorflow` has no wheel"},
	{"a\n",
	 NONE
	 "  cause: Because the requested Python version (>=3.11) does not satisfy Python>=3.12 and a==1 depends on "
	 "Python>=3.12, we can conclude that a==1 cannot be used.\n",
	 CUV_E_REQUIREMENTS_UNRESOLVABLE, 1, "another Python"},
	{"requests\n",
	 "error: Request failed after 1 retry in 1.8s\n  cause: Failed to fetch: "
	 "http://user:pw@10.1.2.3:9/simple/requests/\n"
	 "  cause: error sending request for url (http://user:pw@10.1.2.3:9/simple/requests/)\n  cause: client error "
	 "(Connect)\n  cause: tcp connect error\n  cause: Connection refused (os error 111)\n",
	 CUV_E_INDEX_UNREACHABLE, 0, "can't be reached; it was asked for `requests`"},
	{"requests\n", "error: Failed to fetch: `http://10.1.2.3:9/`\n  cause: client error (Connect)\n",
	 CUV_E_INDEX_UNREACHABLE, 0, "can't be reached"},
	{"flask==3.0.0\nidna\n",
	 NONE
	 "  cause: Because flask was not found in the cache and you require flask==3, we can conclude that your "
	 "requirements are unsatisfiable.\n\nhint: Packages were unavailable because the network was disabled. When "
	 "the network is disabled, registry packages may only be read from the cache.\n",
	 CUV_E_INDEX_UNREACHABLE, 1, "versions of `flask` there are is not in the resolver's cache"},
	{"flask\nidna==3.6\n",
	 NONE
	 "  cause: Because idna==3.6 needs to be downloaded from a registry and you require idna==3.6, we can "
	 "conclude that your requirements are unsatisfiable.\n\nhint: Packages were unavailable because the network "
	 "was disabled.\n",
	 CUV_E_INDEX_UNREACHABLE, 2, "what `idna==3.6` requires is not in the resolver's cache"},
	{"a\nfoo @ https://host/foo-1.0-py3-none-any.whl\n",
	 "error: Failed to resolve dependencies for package `foo==1.0`\n  cause: Package `bar` was included as a URL "
	 "dependency. URL dependencies must be expressed as direct requirements or constraints. Consider adding `bar @ "
	 "http://10.1.2.3/bar-1.0-py3-none-any.whl` to your dependencies or constraints file.\n",
	 CUV_E_REQUIREMENTS_UNRESOLVABLE, 2, "in its metadata"},
	{"a\nfoo @ https://host/foo-1.0-py3-none-any.whl\n",
	 "error: Failed to download `foo @ file:///direct/x/foo-1.0-py3-none-any.whl`\n  cause: Failed to extract "
	 "archive: foo-1.0-py3-none-any.whl\n  cause: Invalid zip file structure\n",
	 CUV_E_BUILD_FAILED, 2, "can't be read"},
	{"requests\n",
	 "error: Received some unexpected JSON from `http://10.1.2.3:9/simple/requests/`\n  cause: expected value at "
	 "line 1 column 1\n",
	 CUV_E_INDEX_UNREACHABLE, 0, "no list of packages"},
	{"requests\n",
	 "error: Unsupported `Content-Type` \"image/png\" for `http://10.1.2.3:9/simple/requests/`. Expected JSON or "
	 "HTML.\n",
	 CUV_E_INDEX_UNREACHABLE, 0, "no list of packages"},
	{"requests\n", "error: Failed to write /cache/x\n  cause: No space left on device (os error 28)\n",
	 CUV_E_NO_SPACE, 0, "disk is full"},
	{"requests\n", "error: Failed to start\n  cause: Resource temporarily unavailable (os error 11)\n",
	 CUV_E_NO_PROCESSES, 0, "process or thread"},
	{"requests\n", "memory allocation of 8388608 bytes failed\n", CUV_E_NO_MEMORY, 0, "enough memory"},
	{"requests\n", "error: something new\n", CUV_E_INTERNAL, 0, "the resolver failed"},
	{"", "", CUV_E_INTERNAL, 0, "the resolver failed"},
};

static void explain_sample(const struct sample *s, struct cuv_error *err)
{
	_cleanup_(cuv_requirements_freep) struct cuv_requirements *reqs = NULL;

	assert_ok(cuv_requirements_parse(s->requirements, strlen(s->requirements), &reqs, err));
	*err = CUV_ERROR_INIT;
	assert_int_equal(cuv_resolve_error(s->text, strlen(s->text), reqs, "3.11", "2026-11-01T00:00:00Z", err),
			 -EINVAL);
}

TEST(kinds_and_places)
{
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct cuv_error err;

		explain_sample(&samples[i], &err);
		assert_int_equal(err.code, samples[i].code);
		assert_int_equal(err.line, samples[i].line);
		assert_non_null(strstr(err.message, samples[i].message));
		assert_true(!err.line == !err.excerpt[0]);
		assert_true(!err.retry_after_s == (cuv_error_http_status(err.code) != 503));
	}
}

TEST(nothing_of_ours_is_told)
{
	static const char *const secrets[] = {"10.1.2.3", "://",	"user:pw", "/simple",
					      "/cache",	  "--no-build", "error:"};

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct cuv_error err;

		explain_sample(&samples[i], &err);
		for (size_t k = 0; k < ARRAY_SIZE(secrets); k++) {
			assert_null(strstr(err.explanation, secrets[k]));
			assert_null(strstr(err.message, secrets[k]));
		}
	}
}

TEST(the_reason_is_kept)
{
	struct cuv_error err;

	explain_sample(&samples[3], &err);
	assert_non_null(strstr(err.explanation, "botocore==1.29.0 depends on urllib3>=1.25.4,<1.27"));
	assert_non_null(strstr(err.explanation, "\nAnd because you require urllib3>=2.5"));
	explain_sample(&samples[7], &err);
	assert_non_null(strstr(err.explanation, "Connection refused"));
}

static bool wanted_is(const char *text, const char *name, const char *version)
{
	struct cuv_wanted w = {0};

	return cuv_resolve_wanted(text, &w) && strcmp(w.name, name) == 0 && strcmp(w.version, version) == 0;
}

TEST(which_source_is_wanted)
{
	struct cuv_wanted w = {0};

	assert_true(wanted_is("error: Failed to download and build `antlr4-python3-runtime==4.9.3`\n  cause: failed to "
			      "create directory `/cache/builds-v0`: File exists (os error 17)\n",
			      "antlr4-python3-runtime", "4.9.3"));
	assert_true(wanted_is("error: Failed to build `a.b_c==1!2.0rc1+x.1`\n", "a.b_c", "1!2.0rc1+x.1"));
	/* The reason is another one. */
	assert_false(cuv_resolve_wanted("error: Failed to download and build `a==1`\n  cause: Failed to fetch: x\n"
					"  cause: error sending request for url (x)\n",
					&w));
	assert_false(cuv_resolve_wanted("error: Failed to build `a==1 --hash=x`\n", &w));
	assert_false(cuv_resolve_wanted("error: Failed to build `-a==1`\n", &w));
	assert_false(cuv_resolve_wanted("error: Failed to build `a @ https://h/a.tar.gz`\n", &w));
	assert_false(cuv_resolve_wanted("error: Failed to build `a==", &w));
	assert_int_equal(w.name[0], '\0');
}

TEST(endless_text_is_cut)
{
	_cleanup_buf_ struct cuv_buf text = CUV_BUF_INIT(1 << 20);
	struct sample s = {"a\n", NULL, CUV_E_REQUIREMENTS_UNRESOLVABLE, 0, ""};
	struct cuv_error err;

	cuv_buf_add_str(&text, NONE);
	for (int i = 0; i < 20000; i++)
		cuv_buf_add_str(&text, "Because b depends on c\n");
	s.text = cuv_buf_str(&text);
	explain_sample(&s, &err);
	assert_int_equal(err.code, CUV_E_REQUIREMENTS_UNRESOLVABLE);
	assert_true(strlen(err.explanation) < sizeof(err.explanation));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_and_places),    cmocka_unit_test(nothing_of_ours_is_told),
		cmocka_unit_test(the_reason_is_kept),  cmocka_unit_test(which_source_is_wanted),
		cmocka_unit_test(endless_text_is_cut),
	};

	return cmocka_run_group_tests_name("resolve_error", tests, NULL, NULL);
}
