"""A stand-in for the node daemon: speaks its control protocol and holds an election over UDP multicast, no PTP.

Started as ``fake_node.py SITE.toml``. Every 50 ms each grandmaster tells (class, priority2, identity); everybody
follows the best heard within 0.4 s. A clock's error is made up: 1000 ns alone, a tenth of it when it follows a master.
The site's ``[test]`` table can order misbehaviour: crash_after_s, silent_after_s, garbage.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import struct
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

GROUP, PORT = "224.0.1.129", 3199


class FakeNode:
    def __init__(self, site: dict[str, Any]) -> None:
        self.name = site["node"]["name"]
        self.test = site.get("test", {})
        self.instance = site["instance"][0]
        self.interface = self.instance["port"][0]["interface"]
        self.clock_class = 6
        self.begin = time.monotonic()
        self.heard: dict[str, tuple[float, tuple[int, int, str]]] = {}
        self.selector = selectors.DefaultSelector()
        self.net = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.net.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.net.bind(("", PORT))
        index = socket.if_nametoindex(self.interface)
        request = struct.pack("4s4si", socket.inet_aton(GROUP), bytes(4), index)
        self.net.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        self.net.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, request)
        self.net.setblocking(False)
        self.selector.register(self.net, selectors.EVENT_READ)
        mac = Path(f"/sys/class/net/{self.interface}/address").read_text().strip().replace(":", "")
        self.identity = f"{mac[:6]}.fffe.{mac[6:]}"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(site["node"]["control"])
        self.listener.listen()
        self.selector.register(self.listener, selectors.EVENT_READ)

    @property
    def candidate(self) -> bool:
        return not self.instance.get("client_only", False)

    def best(self) -> str:
        now = time.monotonic()
        known = [rank for heard, rank in self.heard.values() if now - heard < 0.4]
        if self.candidate:
            known.append(self.rank())
        return min(known)[2] if known else self.identity

    def rank(self) -> tuple[int, int, str]:
        return self.clock_class, self.instance.get("priority2", 128), self.identity

    def run(self) -> None:
        told = 0.0
        while True:
            now = time.monotonic()
            if now - self.begin > self.test.get("crash_after_s", 1e9):
                print("out of cheese", flush=True)
                os._exit(7)
            if self.candidate and now - told > 0.05:
                told = now
                with contextlib.suppress(OSError):  # the link may be down
                    self.net.sendto(json.dumps(self.rank()).encode(), (GROUP, PORT))
            for key, _ in self.selector.select(0.02):
                self.serve(key.fileobj)

    def serve(self, source: Any) -> None:
        if source is self.net:
            rank = tuple(json.loads(self.net.recv(1000)))
            self.heard[rank[2]] = (time.monotonic(), rank)
        elif source is self.listener:
            self.selector.register(self.listener.accept()[0], selectors.EVENT_READ)
        else:
            data = source.recv(65536)
            if not data:
                self.selector.unregister(source)
                source.close()
            elif time.monotonic() - self.begin < self.test.get("silent_after_s", 1e9):
                for line in data.splitlines():
                    source.sendall(self.answer(json.loads(line)))

    def answer(self, request: dict[str, Any]) -> bytes:
        if self.test.get("garbage"):
            return b"{]\n"
        command = request["cmd"]
        if command == "status":
            result: Any = self.status()
        elif command == "truth":
            error = 100.0 if self.best() != self.identity else 1000.0
            result = {
                "clocks": [{"name": "clock", "kind": "simulated", "base_ns": 0, "clock_sns": 0, "error_ns": error}]
            }
        elif command == "explain":
            best = self.best()
            result = {
                "instances": [{"name": self.instance["name"], "best": {"code": "S1", "reason": f"{best} is best"}}]
            }
        elif command == "reference":
            self.clock_class = request["clock_class"] or {"locked": 6, "holdover": 7}.get(request["state"], 248)
            result = {}
        else:
            result = {"event": "hello"}
        return json.dumps({"ok": True, "result": result}).encode() + b"\n"

    def status(self) -> dict[str, Any]:
        best = self.best()
        follows = best != self.identity
        state = "SLAVE" if follows else "LISTENING" if not self.candidate else "MASTER"
        quality = {"identity": best, "clock_class": self.clock_class, "priority1": 128, "priority2": 1}
        estimate = {"value_ns": 90.0, "statistical_ns": 20.0, "systematic_ns": 100.0, "bound_ns": 120.0}
        return {
            "node": self.name,
            "uptime_s": time.monotonic() - self.begin,
            "instances": [
                {
                    "name": self.instance["name"],
                    "domain": 5,
                    "profile": "fake",
                    "role": self.instance.get("role", ""),
                    "clock": "clock",
                    "clock_identity": self.identity,
                    "grandmaster": quality,
                    "steps_removed": int(follows),
                    "parent": f"{best}-{1 if follows else 0}",
                    "estimate": estimate if follows else None,
                    "servo": {"name": "pi", "state": "locked" if follows else "unlocked", "steers": True},
                    "ports": [{"number": 1, "interface": self.interface, "state": state}],
                }
            ],
            "clocks": [],
        }


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as file:
        FakeNode(tomllib.load(file)).run()
