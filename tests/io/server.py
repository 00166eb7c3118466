"""A local server that speaks like GEO, the GDC, Xena and cBioPortal, and misbehaves on demand."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
import time
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit


class Archive:
    """Files by path, faults by path (a list consumed one request at a time), and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.requests: list[tuple[str, str, str]] = []
        self.gdc: list[dict[str, Any]] = []
        self.cases: list[dict[str, Any]] = []
        self.page = 2
        self.etag = ""
        self.lock = threading.Lock()
        archive = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                archive.serve(self, b"")

            def do_POST(self) -> None:
                archive.serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True, kwargs={"poll_interval": 0.02}).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add_gdc(self, file_id: str, name: str, data: bytes, barcode: str) -> None:
        self.files[f"/data/{file_id}"] = data
        self.gdc.append(
            {
                "id": file_id,
                "file_id": file_id,
                "file_name": name,
                "file_size": len(data),
                "md5sum": hashlib.md5(data).hexdigest(),  # noqa: S324
                "associated_entities": [{"entity_submitter_id": barcode}],
            }
        )

    def content(self, path: str, body: bytes) -> bytes | None:
        if path in ("/files", "/cases"):
            asked = json.loads(body)
            everything = self.gdc if path == "/files" else self.cases
            start, size = asked["from"], min(asked["size"], self.page)
            hits = everything[start : start + size]
            return json.dumps({"data": {"hits": hits, "pagination": {"total": len(everything)}}}).encode()
        if path == "/data":
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w:gz") as tar:
                for file in self.gdc:
                    if file["file_id"] in json.loads(body)["ids"]:
                        data = self.files[f"/data/{file['file_id']}"]
                        info = tarfile.TarInfo(f"{file['file_id']}/{file['file_name']}")
                        info.size = len(data)
                        tar.addfile(info, io.BytesIO(data))
            return out.getvalue()
        if path.endswith("/"):
            names = sorted({p[len(path) :].split("/")[0] for p in self.files if p.startswith(path)})
            if not names:
                return None
            links = "".join(f'<a href="{n}">{n}</a>\n' for n in names)
            return f'<pre><a href="?C=N">Name</a> <a href="/geo/">Parent</a>\n{links}</pre>'.encode()
        return self.files.get(path)

    def trickle(self, handler: BaseHTTPRequestHandler, part: bytes, size: float, pause: float) -> None:
        """Send a few bytes at a time, until all is sent or nobody listens."""
        try:
            for start in range(0, len(part), int(size)):
                handler.wfile.write(part[start : start + int(size)])
                handler.wfile.flush()
                time.sleep(pause)
        except OSError:
            handler.close_connection = True

    def serve(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        path = unquote(urlsplit(handler.path).path)
        with self.lock:
            self.requests.append((handler.command, path, handler.headers.get("Range", "")))
            fault = self.faults[path].pop(0) if self.faults[path] else ""
        data = self.content(path, body)
        if fault.isdigit():
            handler.send_response(int(fault))
            handler.send_header("Retry-After", "3") if fault == "429" else None
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if fault == "refuse":
            handler.close_connection = True
            handler.connection.close()
            return
        if fault.startswith("redirect:"):
            handler.send_response(302)
            handler.send_header("Location", self.url + fault.partition(":")[2])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if fault == "empty":
            data = b""
        if fault == "xml":
            data = b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'
        if fault == "script":
            data = b"<script>location='/login'</script>"
        if fault == "html":
            data = b"<!DOCTYPE html><html><body>Please log in</body></html>"
        if data is None:
            handler.send_response(404)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        etag = self.etag or f'"{hashlib.sha256(data).hexdigest()[:12]}"'
        start, asked = 0, handler.headers.get("Range", "")
        if asked and fault != "norange" and handler.headers.get("If-Range", etag) == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start and start >= len(data):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(data)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        part = data[start:]
        if fault.startswith("corrupt"):
            part = part[: len(part) // 2] + b"\x00" + part[len(part) // 2 + 1 :]
        if fault == "shorter":  # promises less than there is, consistently: only a checksum can tell
            part = part[: len(part) * 2 // 3]
        handler.send_response(206 if start else 200)
        if start:
            total = len(data) + (7 if fault == "othertotal" else 0)
            handler.send_header("Content-Range", f"bytes {start - (fault == 'wrongrange')}-{len(data) - 1}/{total}")
        if fault == "script":
            handler.send_header("Content-Type", "text/html; charset=utf-8")
        if fault == "encoded":
            part = gzip.compress(part)
            handler.send_header("Content-Encoding", "gzip")
        handler.send_header("ETag", etag if fault != "othertag" else '"other"')
        if fault == "nolength":
            # The end of the connection is the end of the file; here it comes too soon.
            handler.close_connection = True
            part = part[: len(part) // 3]
        else:
            handler.send_header("Content-Length", str(len(part) + (1000 if fault == "longer" else 0)))
        handler.end_headers()
        if fault.startswith("trickle"):
            self.trickle(handler, part, *map(float, fault.split(":")[1:]))
            return
        if fault.startswith("drop:"):
            part = part[: int(fault.partition(":")[2])]
        handler.wfile.write(part)
        handler.wfile.flush()
        if fault in ("longer",) or fault.startswith("drop:"):
            handler.close_connection = True
            handler.connection.close()


def tar_of(members: dict[str, bytes]) -> bytes:
    """Return a tar.gz of files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
