# SPDX-License-Identifier: MIT
"""Imported in place of sitecustomize when a deterministic run begins: what would take its seed from the system gets
one that is always the same, at the moment when it is imported. Nothing of this is left to be seen by main.py but that."""

import os
import sys


def seed_random(module):
    # random takes a new seed in each child; ours, which comes after it, is by the number of the fork.
    forks = [0]

    def before():
        forks[-1] += 1

    def child():
        module.seed(repr(forks))
        forks.append(0)

    module.seed(0)
    os.register_at_fork(before=before, after_in_child=child)


def seed_tempfile(module):
    generator = module._Random
    module._Random = lambda: generator(0)


def seed_numpy(module):
    # The old functions' state; generators of default_rng() take theirs from the system.
    if callable(getattr(module, "seed", None)):
        module.seed(0)


class Seeder:
    """A finder that finds what the next ones do, and has it seeded once it is executed."""

    seeds = {"random": seed_random, "tempfile": seed_tempfile, "numpy.random": seed_numpy}
    own = os.path.dirname(os.__file__)

    def find_spec(self, name, path=None, target=None):
        if name not in self.seeds:
            return None
        finders = [f for f in sys.meta_path if f is not self]
        spec = next((s for s in (f.find_spec(name, path, target) for f in finders) if s), None)
        # A file of the program's may have the name too.
        if spec and spec.loader and (path or os.path.dirname(spec.origin or "") == self.own):
            self.wrap(spec.loader, name)
        return spec

    def wrap(self, loader, name):
        execute = loader.exec_module

        def exec_module(module):
            del loader.exec_module
            execute(module)
            self.seeds.pop(name)(module)
            if not self.seeds:
                sys.meta_path.remove(self)

        loader.exec_module = exec_module


def leave():
    folder = os.path.dirname(__file__)
    sys.path[:] = [p for p in sys.path if p != folder]
    sys.path_importer_cache.pop(folder, None)
    os.environ.pop("PYTHONPATH", None)
    for where, _, names in list(os.walk(folder, topdown=False)):
        for name in names:
            os.unlink(os.path.join(where, name))
        os.rmdir(where)


def next_one():
    """The sitecustomize that would have been imported."""
    ours = sys.modules.pop("sitecustomize")
    try:
        import sitecustomize  # noqa: F401
    except ImportError as e:
        if e.name != "sitecustomize":
            raise
        sys.modules["sitecustomize"] = ours


leave()
sys.meta_path.insert(0, Seeder())
next_one()
