# SPDX-License-Identifier: MIT
"""The environment is built for the run: nothing of the service's is in it."""
# args: {service_secret}
# limits: timeout=10
# outside: fails
# expect: status success
# expect: stdout ~ ^held names
# expect: stdout ~ ^held secret
KNOWN = {"PATH", "HOSTNAME", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SHELL", "TERM", "PWD", "SHLVL", "_", "MPLCONFIGDIR",
         "SOURCE_DATE_EPOCH", "XDG_CACHE_HOME", "SSL_CERT_FILE", "NIX_SSL_CERT_FILE"}
# What a service would have and a run must not.
other = {k for k in os.environ if k not in KNOWN and not k.endswith("_THREADS") and not k.startswith("PYTHON") and not k.startswith("VIRTUAL_ENV")}
check("names", not other, other)
reverse = sys.argv[1][::-1]
text = repr(dict(os.environ)) + repr(read("/proc/self/environ"))
check("secret", reverse not in text and not any(k.startswith(("CUV", "API_KEY", "AWS_", "REDIS", "NIX_REMOTE")) for k in os.environ))
check("folder", os.getcwd() == "/box", os.getcwd())
check("python", not any(k in os.environ for k in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT")))
check("mask", os.umask(0o22) & 0o700 == 0)
