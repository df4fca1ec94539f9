# SPDX-License-Identifier: MIT
"""What packages a suite of Debian offers: by this machine's apt, whichever suite the
machine itself is of.

A suite that apt is not configured for is looked up in lists of our own, which a
private `apt-get update` makes: from the machine's mirror, checked by Debian's keyring.
"""
import os

from image_common import Failure, index_targets, output, run, say

ARCHITECTURES = ("amd64", "all")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
UPDATE_S_MAX = 300
SOURCES = """Types: deb
URIs: {uri}
Suites: {suite}
Components: main
Architectures: amd64
Signed-By: {keyring}
"""


def _stanzas(text):
    """The packages of an index, as dicts of the one-line fields."""
    for block in text.split("\n\n"):
        fields = {}
        for line in block.splitlines():
            key, colon, value = line.partition(": ")
            if colon and not line.startswith(" "):
                fields[key] = value
        if "Package" in fields:
            yield fields


def _main_mirror():
    """The address that the machine takes its own suite from (not its security pool)."""
    known = index_targets(["CODENAME", "ORIGIN", "REPO_URI"])
    uris = [uri for codename, origin, uri in known if origin == "Debian" and "-" not in codename]
    if not uris:
        raise Failure("apt knows no suite of Debian (run: apt-get update)")
    return uris[0]


def _own_lists(suite, folder):
    """apt's options by which it knows the suite and nothing else."""
    say(f"apt-get update for {suite}")
    sources = os.path.join(folder, "sources.d")
    lists = os.path.join(folder, "lists")
    os.makedirs(sources)
    os.makedirs(os.path.join(lists, "partial"))
    with open(os.path.join(sources, "suite.sources"), "w", encoding="ascii") as file:
        file.write(SOURCES.format(uri=_main_mirror(), suite=suite, keyring=KEYRING))
    settings = {"Dir::Etc::sourcelist": "/dev/null", "Dir::Etc::sourceparts": sources, "Dir::State::lists": lists,
                "Dir::Cache": os.path.join(folder, "cache"), "Acquire::Languages": "none",
                # Nobody else may enter our folder.
                "APT::Sandbox::User": "root"}
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    output(["apt-get", "-qq", "--error-on=any", *options, "update"], UPDATE_S_MAX)
    return options


def _indexes(suite, folder):
    """[(codename, file)] of the suite, its updates and its security pool."""
    fields = ["CODENAME", "ORIGIN", "COMPONENT", "FILENAME"]

    def of_suite(*options):
        return [(codename, file) for codename, origin, component, file in index_targets(fields, *options)
                if codename.split("-")[0] == suite and origin == "Debian" and component == "main"]

    return of_suite() or of_suite(*_own_lists(suite, folder))


def candidates(names, suite, folder):
    """{name: [(rank, stanza)]} of every index of Debian that belongs to the suite;
    rank 0 is the suite itself, then its updates and its security pool. folder is
    empty and ours."""
    rank_of = {suite: 0, f"{suite}-updates": 1, f"{suite}-security": 2}
    found = {name: [] for name in names}
    files = {file: rank_of[codename] for codename, file in _indexes(suite, folder) if codename in rank_of}
    for file, rank in files.items():
        for fields in _stanzas(output(["/usr/lib/apt/apt-helper", "cat-file", file], 120)):
            if fields["Package"] in found and fields.get("Architecture") in ARCHITECTURES:
                found[fields["Package"]].append((rank, fields))
    if not files:
        raise Failure(f"apt finds no index of {suite}")
    return found


def newest(stanza_list):
    """The highest version by Debian's order."""
    best = stanza_list[0]
    for other in stanza_list[1:]:
        if run(["dpkg", "--compare-versions", other["Version"], "gt", best["Version"]], 10).returncode == 0:
            best = other
    return best
