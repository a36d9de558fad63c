"""A PostgreSQL server for tests: a folder and a socket of its own, no port. It refuses root, for whom
it runs as nobody."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
MISSING = None if (PROGRAMS / "initdb").exists() else "no PostgreSQL 15; run scripts/setup.sh"


@contextlib.contextmanager
def server():
    """Gives a function from a database's name, which it makes, to its address."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="esper-postgres-", dir=memory))
    user = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    how = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, **user}
    running = None
    try:
        subprocess.run([PROGRAMS / "initdb", "-D", folder / "data", "-U", "esper", "--auth=trust",
                        "--no-sync", "--no-locale", "-E", "UTF8"], check=True, timeout=60, **how)
        running = subprocess.Popen([PROGRAMS / "postgres", "-D", folder / "data", "-k", folder, "-c",
                                    "listen_addresses=", "-c", "fsync=off", "-c", "jit=off"], **how)
        psql = [PROGRAMS / "psql", "-h", folder, "-U", "esper", "-d", "postgres", "-qAt"]

        def ask(statement, database="postgres"):
            return subprocess.run([*psql, "-d", database, "-c", statement], capture_output=True,
                                  text=True, timeout=60)

        deadline = time.monotonic() + 60
        while ask("SELECT 1").returncode != 0:
            assert running.poll() is None and time.monotonic() < deadline, "it does not start"
            time.sleep(0.05)

        def address(name):
            made = ask(f"CREATE DATABASE {name}")
            assert made.returncode == 0, made.stderr
            return f"postgresql://esper@/{name}?host={folder}"

        address.ask = ask
        yield address
    finally:
        if running is not None:
            running.send_signal(signal.SIGQUIT)
            running.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)
