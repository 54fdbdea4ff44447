"""Ray nodes of a test's own on this machine, each killed with all that it has started."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START = (sys.executable, "-P", "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1")
"""What starts a node of one processor, and waits for its end."""


@dataclass(frozen=True)
class RayNode:
    """A Ray node.

    Attributes:
        process: What started it.
    """

    process: subprocess.Popen[str]

    def kill(self) -> None:
        """Kill it with its actors at once, as a machine that loses its power."""
        for member in family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster that wants a token.

    Attributes:
        nodes: Its nodes, the head first.
        environment: What a command needs to use it.
    """

    nodes: list[RayNode]
    environment: dict[str, str]

    @property
    def address(self) -> str:
        """Where its head answers."""
        return self.environment["RAY_ADDRESS"]

    def kill(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()


@contextmanager
def ray_cluster(environment: Mapping[str, str], nodes: int) -> Generator[RayCluster]:
    """Start a cluster of so many nodes of one processor each; kill what is left of it in the end.

    Args:
        environment: What its actors run in.
        nodes: How many.
    """
    port, token = free_port(), {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    # Ray gives its workers the lowest priority but four, and beside anything else at work they get nothing.
    variables = {**environment, **token, "RAY_AUTH_MODE": "token", "RAY_worker_niceness": "0"}
    head = ("--head", f"--port={port}", "--include-dashboard=false")
    with ExitStack() as stack:
        started: list[RayNode] = []
        for options in (head, *[(f"--address=127.0.0.1:{port}",)] * (nodes - 1)):
            node = start_node(variables, *options)
            stack.callback(node.kill)
            started.append(node)
        yield RayCluster(started, {**token, "RAY_ADDRESS": f"127.0.0.1:{port}"})


def start_node(environment: Mapping[str, str], *options: str) -> RayNode:
    """Start a node, and wait until it is up."""
    small = ("--object-store-memory=100000000", "--disable-usage-stats", "--node-ip-address=127.0.0.1")
    process = subprocess.Popen(
        [*START, *small, *options], env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ray runtime started" in line:
            return RayNode(process)
    raise ChildProcessError("".join(lines))


def family(root: int) -> set[int]:
    """A process, all that it has started, and what these have started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    members = {root}
    while children := {process for process, parent in parents.items() if parent in members} - members:
        members |= children
    return members


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
