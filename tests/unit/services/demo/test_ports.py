"""Ports of loopback: free, apart from those of outgoing connections, and chosen by no other program."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.demo.ports import BLOCK, NoFreePort, adjacent_ports, free_ports, is_free

PROGRAM = "from services.demo.ports import free_ports; print(*free_ports(50), flush=True); input()"


def test_each_of_several_programs_has_ports_of_its_own() -> None:
    command = [sys.executable, "-c", PROGRAM]
    programs = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    try:
        ports = [int(port) for program in programs if program.stdout for port in program.stdout.readline().split()]
        ports += free_ports(50)
    finally:
        for program in programs:
            program.communicate("\n")
    assert len(set(ports)) == len(ports) == 200


def test_no_outgoing_connection_takes_a_port() -> None:
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not [port for port in free_ports(BLOCK // 2) if low <= port <= high]


def test_a_port_is_not_chosen_again_soon() -> None:
    (port,) = free_ports(1)
    assert port not in free_ports(BLOCK // 2)


def test_a_port_in_use_is_not_chosen() -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert port not in {free_ports(1)[0] for _ in range(2 * BLOCK)}
    assert is_free(port)


def test_more_ports_than_there_are_is_an_error() -> None:
    with pytest.raises(NoFreePort, match=r"^fewer than 101 ports of 127\.0\.0\.1 are free: stop some other program$"):
        free_ports(BLOCK + 1)


def test_adjacent_ports_are_three_free_ones_in_a_row() -> None:
    first = adjacent_ports()
    assert all(map(is_free, range(first, first + 3)))
