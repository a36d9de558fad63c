#!/usr/bin/env python3
"""The compressed form of both sanitizers (CI runs that of asan): chosen rooms and tests that need no libtorch.

    sanitize.py [asan|tsan …]

AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer over what reads bytes from outside and
what handles memory itself; ThreadSanitizer over what shares memory between threads. All rooms
without libtorch: `make test PRESET=asan`, `make test PRESET=tsan`. All rooms: `make coverage`.
"""

import subprocess
import sys

import repository

# preset -> {room: filter of its tests, None: all}
CHOSEN = {
    "asan": {"base": None, "execution": "-*Interleaving*", "vector": None},
    "tsan": {"base": None,
             "execution": "*Concurrency*:KernelProbation*:KernelGuard*"},
}


def check(preset, rooms):
    build = repository.ROOT / "build" / preset
    subprocess.run(["cmake", "--preset", preset, "--log-level=WARNING"], check=True,
                   cwd=repository.ROOT, stdout=subprocess.DEVNULL)
    repository.ninja(build, *(f"{room}_tests" for room in rooms))
    filters = [f"--filter={room}={only}" for room, only in rooms.items() if only]
    return subprocess.run([sys.executable, "scripts/run_tests.py", str(build), *rooms, *filters],
                          cwd=repository.ROOT).returncode


def main():
    names = sys.argv[1:] or list(CHOSEN)
    unknown = [n for n in names if n not in CHOSEN]
    if unknown:
        raise SystemExit(f"no sanitizer {', '.join(unknown)}; there are: {', '.join(CHOSEN)}")
    status = {name: check(name, CHOSEN[name]) for name in names}
    failed = [name for name, code in status.items() if code]
    print(f"sanitize: {', '.join(names)}; failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
