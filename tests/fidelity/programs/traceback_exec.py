code = compile("def f():\n    return undefined_name\nf()\n", "<made>", "exec")
exec(code)
