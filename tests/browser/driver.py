"""A real Chromium, spoken to through ChromeDriver's W3C protocol with the standard library alone."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
]  # fmt: skip


def find_chromium() -> tuple[str, str] | None:
    """Return the browser and its driver, or None where either is missing."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    driver = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """One window; use as a context manager."""

    def __init__(self, browser: str, driver: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}"
        self._profile = tempfile.mkdtemp()
        self._process = subprocess.Popen(
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait()
        options = {"binary": browser, "args": [*FLAGS, f"--user-data-dir={self._profile}", "--window-size=1280,900"]}
        wanted = {
            "browserName": "chrome", "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }  # fmt: skip
        self._session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call("DELETE", f"/session/{self._session}")
        finally:
            self._process.terminate()
            self._process.wait(20)
            shutil.rmtree(self._profile, ignore_errors=True)

    def _wait(self) -> None:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{self._url}/status", timeout=5)  # noqa: S310
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError("ChromeDriver did not start.")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=180) as answer:  # noqa: S310
            return json.load(answer)["value"]

    def go(self, path: Path) -> None:
        """Open a file from disk."""
        self._call("POST", f"/session/{self._session}/url", {"url": path.resolve().as_uri()})

    def open(self, path: Path) -> None:
        """Open a report from disk and wait until its script has run."""
        self.go(path)
        assert self.wait("return document.documentElement.dataset.ready === 'yes'"), self.console()

    def js(self, code: str, *arguments: Any) -> Any:
        """Run a function body in the page."""
        return self._call(
            "POST", f"/session/{self._session}/execute/sync", {"script": code, "args": list(arguments)}
        )  # fmt: skip

    def wait(self, code: str, seconds: float = 30) -> bool:
        """Return whether a condition came true in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.js(code):
                return True
            time.sleep(0.1)
        return False

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._call(
            "POST", f"/session/{self._session}/goog/cdp/execute", {"cmd": name, "params": parameters}
        )  # fmt: skip

    def console(self) -> list[str]:
        """Return warnings and errors that the page logged since the last call."""
        rows = self._call("POST", f"/session/{self._session}/se/log", {"type": "browser"})
        return [r["message"] for r in rows if r["level"] in ("SEVERE", "WARNING")]

    def requests(self) -> list[str]:
        """Return the addresses that the page asked for since the last call."""
        rows = self._call("POST", f"/session/{self._session}/se/log", {"type": "performance"})
        events = [json.loads(r["message"])["message"] for r in rows]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]

    def view(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Set the size of the window and the colour scheme that the reader prefers."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])

    def key(self, name: str, code: int = 0, text: str = "") -> None:
        """Press and release a key where the focus is."""
        common = {"key": name, "windowsVirtualKeyCode": code}
        self.command("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.command("Input.dispatchKeyEvent", type="keyUp", **common)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """Send ``mouseMoved``, ``mousePressed`` or ``mouseReleased``."""
        button = {"button": "left", "clickCount": 1, "buttons": 1} if kind != "mouseMoved" else {}
        self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def centre(self, selector: str) -> tuple[float, float]:
        """Scroll an element into view and return its centre."""
        x, y = self.js(
            "const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center', behavior: 'instant'});"
            "const b = e.getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2];",
            selector,
        )  # fmt: skip
        return float(x), float(y)

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        x, y = self.centre(selector)
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, x, y)

    def screenshot(self) -> bytes:
        """Return a PNG of the window."""
        return base64.b64decode(self.command("Page.captureScreenshot")["data"])
