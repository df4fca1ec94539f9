# SPDX-License-Identifier: MIT
"""Compiles and links the zygote inside Nix's sandbox (zygote.nix).

gcc, as and ld of the toolchain image are run through that image's own loader, as
/lib64 does not exist here. gcc's driver does the same with its children (-wrapper);
ld is called directly, because the driver's helper for linking would not."""
import os
import re
import subprocess
import sys

# As mk/flags.mk has them, and for its reasons. Not position independent: Debian's
# libpython*.a is not, and neither is its interpreter, whose speed is the measure.
# NDEBUG and fwrapv as that library has them, for the code in its headers. Names of our
# own stay out of what extension modules see.
COMPILE = ("-std=c17 -D_GNU_SOURCE -DNDEBUG -I. -O2 -g0 -fwrapv -fno-pie -fvisibility=hidden "
           "-fstack-protector-strong -fstack-clash-protection "
           "-fno-delete-null-pointer-checks -fno-strict-overflow -D_FORTIFY_SOURCE=3 -Wall -Wextra -Wshadow "
           "-Wpointer-arith -Wcast-qual -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes "
           "-Wold-style-definition -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -Wswitch-enum -Werror").split()
# Extension modules find the interpreter's functions in the program itself, so all of
# libpython is in it and exported. Everything is bound at the start: forks then share
# those pages. What the build id would say, the store path says. Code and constants are one
# mapping, which begins where a huge page can, and so do variables (huge.c).
LINK = ("-m elf_x86_64 --hash-style=gnu --eh-frame-hdr --build-id=none --strip-debug --export-dynamic --no-undefined "
        "--fatal-warnings -z relro -z now -z noexecstack -z noseparate-code -Ttext-segment=0x400000 "
        "--section-start=.data=0x1000000 -dynamic-linker /lib64/ld-linux-x86-64.so.2").split()


def run(*argv):
    if subprocess.run(argv, check=False, stdin=subprocess.DEVNULL).returncode != 0:
        sys.exit(1)


def lay_out(names, files):
    """The sources as they lie in the repository, in a folder of the sandbox."""
    for name, file in zip(names, files, strict=True):
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        os.symlink(file, name)


def wraps(sources):
    """A source that defines __wrap_NAME takes the calls of the interpreter's NAME."""
    names = set()
    for source in sources:
        with open(source, encoding="utf-8") as file:
            names.update(re.findall(r"\b__wrap_(\w+)\(", file.read()))
    return [f"--wrap={name}" for name in sorted(names)]


def hidden(libs):
    """What some libpython*.a lack (worker-image/zygote/sha2.c); its names stay our own."""
    return ["--exclude-libs", "libnettle.a", f"{libs}/libnettle.a"] if os.path.exists(f"{libs}/libnettle.a") else []


def write_at_once(source, target):
    """What is written by a single call the kernel keeps in pieces as large as it can, and what
    ld writes bit by bit in single pages. With fewer pieces forks, and the ends of their
    children, are quicker (docs/performance.md)."""
    with open(source, "rb") as file:
        content = file.read()
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o755)
    if os.write(fd, content) != len(content):
        sys.exit(f"{target}: not written at once")
    os.close(fd)


def main():
    given = os.environ
    root, python, sources = given["toolchain"], given["python"], given["sources"].split()
    libs, gccs = f"{root}/usr/lib/x86_64-linux-gnu", f"{root}/usr/lib/gcc/x86_64-linux-gnu"
    release, = os.listdir(gccs)
    gcc = f"{gccs}/{release}"
    loader = [f"{libs}/ld-linux-x86-64.so.2", "--library-path", libs]
    os.mkdir("tree")
    os.chdir("tree")
    lay_out(given["names"].split(), given["files"].split())

    objects = []
    for source in sources:
        objects.append(source.replace("/", "_") + ".o")
        run(*loader, f"{root}/usr/bin/x86_64-linux-gnu-gcc-{release}", "-wrapper", ",".join(loader), f"-B{root}/usr/bin/",
            f"--sysroot={root}", f"-ffile-prefix-map={root}=", *COMPILE, "-isystem", f"{root}/usr/include/python{python}",
            "-include", given["prelude"], "-c", source, "-o", objects[-1])
    target = os.path.join(given["out"], "bin", "cuvette-zygote")
    os.makedirs(os.path.dirname(target))
    linked = "cuvette-zygote"
    run(*loader, f"{root}/usr/bin/x86_64-linux-gnu-ld", f"--sysroot={root}", *LINK, *wraps(sources), "-o", linked,
        f"{libs}/crt1.o", f"{libs}/crti.o", f"{gcc}/crtbegin.o", *objects, "--whole-archive",
        f"{root}/usr/lib/python{python}/config-{python}-x86_64-linux-gnu/libpython{python}.a", "--no-whole-archive",
        f"-L{gcc}", f"-L{libs}", *hidden(libs), "-lexpat", "-lz", "-lm", "-lgcc", "-lc", "-lgcc", f"{gcc}/crtend.o", f"{libs}/crtn.o")
    write_at_once(linked, target)


main()
