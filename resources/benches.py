"""What the benches share: programs that are started, given a load, and ended."""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Ratios differ little between builds; PROFILE=debug saves the release build.
PROGRAMS = ROOT / "target" / os.environ.get("PROFILE", "release")
DEMO = ROOT / "target" / "debug" / "demo"
CLI = os.environ.get("TEMPORAL_CLI") or shutil.which("temporal") or "temporal"
PATIENCE = 60
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")


def free_port():
    """One that is free, as is the Web UI's, 1000 above it."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1000))
            except (OSError, OverflowError):
                continue
            return str(port)


def cpu_ms(pid):
    """The processor time of a process and its children, in milliseconds."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if stat.parent.name == str(pid) or fields[1] == str(pid):
            ticks += int(fields[11]) + int(fields[12])
    return ticks * TICK_MS


class Contender:
    """A worker with a task queue and an inventory of its own."""

    def __init__(self, stack, folder, number, server, flags=(), load=(), worker=None, database=None):
        self.server, port = server
        self.load_flags = list(load)
        self.queue = f"bench-{number}"
        self.environment = {
            **os.environ,
            "TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
            "TEMPORAL_CLI": CLI,
            "DATABASE": database or str(folder / self.queue / "inventory.json"),
        }
        command = [worker or PROGRAMS / "worker", "--fault-rate", "0", "--task-queue", self.queue, *flags]
        self.log = folder / f"{self.queue}.log"
        self.process = start(stack, command, self.log, self.environment, "worker ready")

    def run(self, args):
        command = [PROGRAMS / "starter", "load", "--json", "--task-queue", self.queue]
        command += ["--orders", str(args.orders), "--concurrency", str(args.concurrency)]
        before = cpu_ms(self.server.pid)
        command += self.load_flags
        told = subprocess.run(command, env=self.environment, stdout=subprocess.PIPE)
        if told.returncode:
            raise SystemExit(f"the load failed; the worker says: {self.log.read_text()}")
        # A few orders go before the measured ones, as many as are under way at a time, at most 20.
        placed = args.orders + min(args.concurrency, 20)
        figures = self.figures = json.loads(told.stdout)
        return {
            "orders/s": figures["orders"] / figures["seconds"],
            "median ms": figures["latency"]["medianMs"],
            "worker CPU ms": figures["workers"]["cpuMsPerOrder"],
            "server CPU ms": (cpu_ms(self.server.pid) - before) / placed,
        }


def start(stack, command, log, environment, ready, **how):
    """Starts a process, waits until its log says that it is ready, and ends it with the stack."""
    with open(log, "w") as output:
        process = subprocess.Popen(
            list(map(str, command)),
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            **how,
        )
    stack.callback(process.wait)
    stack.callback(process.send_signal, signal.SIGINT)
    patience = time.monotonic() + PATIENCE
    while ready not in log.read_text():
        if process.poll() is not None or time.monotonic() > patience:
            raise SystemExit(f"{command[0]} is not ready: {log.read_text()}")
        time.sleep(0.05)
    return process


def start_server(stack, folder):
    """The server of `demo -- server`, and its port."""
    port = free_port()
    command = [DEMO, "server", "--port", port, "--state", folder / f"server-{port}.db"]
    environment = {**os.environ, "TEMPORAL_CLI": CLI}
    return start(stack, command, folder / f"server-{port}.log", environment, "Ctrl-C"), port


def start_postgres(stack, folder):
    """A PostgreSQL server, and the address of its database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    programs = Path(os.environ.get("POSTGRES_BIN") or (found[-1] if found else "/usr/bin"))
    place, port = folder / "postgres", free_port()
    place.mkdir()
    # PostgreSQL refuses to run as root.
    user = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody").pw_uid
        folder.chmod(0o755)
        os.chown(place, nobody, -1)
        user = {"user": nobody}
    initdb = [programs / "initdb", "-D", place / "data", "-U", "bench", "--auth", "trust"]
    subprocess.run(initdb, stdout=subprocess.DEVNULL, check=True, **user)
    command = [programs / "postgres", "-D", place / "data", "-p", port, "-k", place]
    server = start(stack, command, folder / "postgres.log", os.environ, "ready to accept", **user)
    return server, f"postgres://bench@127.0.0.1:{port}/postgres"
