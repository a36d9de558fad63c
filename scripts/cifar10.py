#!/usr/bin/env python3
"""Finds CIFAR-10 in its binary layout, or makes it from what lies next to the checkout.

    cifar10.py            prints the folder that holds data_batch_1.bin … test_batch.bin

Looked for, in this order: the folder that ESPER_CIFAR10 names; data/cifar-10-batches-bin, which
`esper data fetch cifar10` fills and configs/cifar10.yaml reads; build/data/cifar10; an archive with
its own unpacker, ../shared/data/{cifar10-jpeg.tar.xz, unpack_cifar10.py}, which is unpacked into
build/data/cifar10; cifar-10-binary.tar.gz in data/ or beside the checkout, likewise. Exit status 3
when there is none.
"""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import repository

BATCHES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
BATCH_BYTES = 10_000 * 3073
INNER = "cifar-10-batches-bin"


class Missing(Exception):
    """There is no CIFAR-10 here; the message says what to do."""


def is_complete(folder):
    return all((folder / b).is_file() and (folder / b).stat().st_size == BATCH_BYTES
               for b in BATCHES)


def batches_in(folder):
    """The folder itself or the one inside it that holds every batch; None without."""
    return next((f for f in (folder, folder / INNER) if is_complete(f)), None)


def unpack_jpeg(unpacker, into):
    subprocess.run([sys.executable, str(unpacker), str(into)], check=True,
                   stdout=subprocess.DEVNULL)


def unpack_binary(archive, into):
    folder = into / INNER
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if member.isfile() and name in BATCHES:
                part = folder / (name + ".part")
                part.write_bytes(tar.extractfile(member).read())
                part.replace(folder / name)


def find(root=repository.ROOT, environment=os.environ, say=lambda text: None):
    """The folder with the batches, unpacked first where need be. Raises Missing."""
    if named := environment.get("ESPER_CIFAR10"):
        if found := batches_in(Path(named)):
            return found
        raise Missing(f"ESPER_CIFAR10 names {named}, but {BATCHES[0]} … {BATCHES[-1]} of "
                      f"{BATCH_BYTES} bytes each are not all in it")
    if found := batches_in(root / "data"):
        return found
    target = root / "build" / "data" / "cifar10"
    if found := batches_in(target):
        return found
    shared = root.parent / "shared" / "data"
    if (shared / "cifar10-jpeg.tar.xz").exists() and (shared / "unpack_cifar10.py").exists():
        say(f"unpacking {shared / 'cifar10-jpeg.tar.xz'} into {target}")
        unpack_jpeg(shared / "unpack_cifar10.py", target)
    for archive in (root / "data" / "cifar-10-binary.tar.gz",
                    root.parent / "cifar-10-binary.tar.gz"):
        if archive.exists() and batches_in(target) is None:
            say(f"unpacking {archive} into {target}")
            unpack_binary(archive, target)
    if found := batches_in(target):
        return found
    raise Missing(
        "there is no CIFAR-10 here. Put cifar-10-binary.tar.gz (the data set's binary version) "
        f"into {root / 'data'}, or set ESPER_CIFAR10 to a folder with its data_batch_1.bin … "
        "test_batch.bin")


def find_or_exit(who, say):
    """The same; ends the program `who` with the reason where there is none."""
    try:
        return find(say=say)
    except Missing as why:
        raise SystemExit(f"{who}: {why}") from None


def main():
    try:
        print(find(say=lambda text: print(text, file=sys.stderr)))
    except Missing as why:
        print(f"cifar10: {why}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
