"""Connections to a Ray cluster: the one that ``RAY_ADDRESS`` names, or one on this machine for this process alone."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from threading import Thread
from time import monotonic
from typing import Any

from egobench.errors import EngineError

OBJECT_STORE = 100_000_000
"""Bytes of the object store of a cluster of our own."""

REACH_SECONDS = 10.0
"""Seconds in which the head of a cluster must take up a connection."""

CONNECT_SECONDS = 60.0
"""Seconds in which a cluster whose head did so must let this process in."""

LOOK_SECONDS = 1.0
"""Seconds in which the head must take up a connection to count as alive."""

LOST_SECONDS = 15.0
"""Seconds without a sign of life of its head after which a cluster is given up."""


@dataclass(slots=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        place: Where it is, for messages.
        head: Host and port of its head; ``None`` where that is not known, or ends with this process.
        cpus: Processors.
        gpus: GPUs.
    """

    place: str
    head: tuple[str, int] | None
    cpus: float
    gpus: float
    _last_contact: float = field(default_factory=monotonic)

    def check(self) -> None:
        """Give up the cluster if its head has been silent for long; Ray itself would end this process without a word.

        Raises:
            EngineError: If it has vanished.
        """
        if self.head is None:
            return
        try:
            socket.create_connection(self.head, timeout=LOOK_SECONDS).close()
        except OSError as error:
            if monotonic() - self._last_contact > LOST_SECONDS:
                raise EngineError(
                    f"{self.place} has vanished ({error.strerror or error}); what was answered is kept: give the same "
                    "command again when it is back, or without RAY_ADDRESS to go on on this machine"
                ) from error
        else:
            self._last_contact = monotonic()


@contextmanager
def connect(workers: int | None) -> Generator[Cluster]:
    """Connect to the cluster that ``RAY_ADDRESS`` names; without it, start one on this machine, which ends with this.

    Args:
        workers: Processors of a cluster on this machine; ``None`` for all.

    Raises:
        EngineError: If there is no such cluster, it does not let this process in, or none can be started.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address:
        ray, place = _join(address), f"the Ray cluster at {address} (RAY_ADDRESS)"
    else:
        ray, place = _start(workers), "this machine"
    try:
        resources: Mapping[str, float] = ray.cluster_resources()
        yield Cluster(place, _head(address), resources.get("CPU", 0), resources.get("GPU", 0))
    finally:
        ray.shutdown()


def _start(workers: int | None) -> Any:
    """Start a cluster of one node."""
    # Ray starts its workers at niceness 15: beside anything else at work they would get next to nothing.
    os.environ.setdefault("RAY_worker_niceness", "0")
    if "ray" not in sys.modules:
        # Nobody else is to reach the actors. Without this, Ray takes 127.0.0.1 for the address that others reach.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    ray: Any = import_module("ray")
    try:
        # What actors do goes through the object store, and nothing else.
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE,
            _node_ip_address="127.0.0.1",
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise EngineError(
            f"Ray does not start on this machine: {error}; give --engine shards, which needs no Ray"
        ) from error
    return ray


def _join(address: str) -> Any:
    """Connect to a cluster that is there.

    Raises:
        EngineError: If there is none, or it does not let this process in.
    """
    place = f"no connection to the Ray cluster at {address} (RAY_ADDRESS)"
    remedy = "is it up? See ray status, or unset RAY_ADDRESS to run on this machine"
    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        # Ray itself reads a token only where it is told to, and a cluster that wants none does not mind it.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        head = _head(address)
        if head is not None:
            # Ray itself would try for minutes, and so it does where something else answers.
            socket.create_connection(head, timeout=REACH_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise EngineError(f"{place}: {error}; {remedy}") from error
    ray: Any = import_module("ray")
    errors: list[Exception] = []

    def connect_ray() -> None:
        try:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            errors.append(error)

    thread = Thread(target=connect_ray, daemon=True)
    thread.start()
    thread.join(CONNECT_SECONDS)
    if thread.is_alive():
        raise EngineError(
            f"{place}: no answer of Ray's within {CONNECT_SECONDS:.0f} seconds; does something else listen there? "
            f"{remedy}"
        )
    if errors:
        raise EngineError(
            f"{place}: {errors[0]}; {remedy}. One that wants a token lets nobody else in: give the command its "
            "RAY_AUTH_TOKEN, or RAY_AUTH_MODE=token where it is in ~/.ray/auth_token. Python and Ray must be the same "
            "versions here and there"
        ) from errors[0]
    return ray


def _head(address: str) -> tuple[str, int] | None:
    """Host and port of an address; ``None`` for one of another kind, as ``auto``."""
    host, colon, port = address.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdecimal() and "/" not in host else None
