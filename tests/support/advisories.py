"""An advisory service: what pip-audit asks of OSV, answered from a dictionary."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Advisories(ThreadingHTTPServer):
    """Serves on a free port of 127.0.0.1. fixed_in: by package, the version that mends its one vulnerability."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Query)
        self.fixed_in: dict[str, str] = {}
        self.asked: set[str] = set()
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Advisories:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/query"

    def answer(self, package: dict[str, str]) -> dict[str, object]:
        """Return what the OSV schema has for a package."""
        self.asked.add(package["name"])
        if package["name"] not in self.fixed_in:
            return {}
        events = [{"introduced": "0"}, {"fixed": self.fixed_in[package["name"]]}]
        affected = [{"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}]
        return {"vulns": [{"id": "OSV-2026-1", "aliases": ["CVE-2026-1"], "summary": "…", "affected": affected}]}


class _Query(BaseHTTPRequestHandler):
    server: Advisories

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(self.server.answer(query["package"])).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass
