"""Coverage-guided fuzzing of the text readers: any bytes give sound data or one of our errors.

Run by hand for longer, or by the slow test beside it:

    python -m tests.io.fuzz.target GROUP CORPUS SECONDS
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mtorscore"]):
    import mtorscore as mt
    import mtorscore.io.clinical
    import mtorscore.io.reading
    from mtorscore.errors import DataError, DataWarning

from tests.io.fuzz.seeds import GROUPS
from tests.io.test_fuzz import check

FOLDER = Path(tempfile.mkdtemp())
START = time.monotonic()
STATE = {"runs": 0, "seconds": 60}
MOST_MEGABYTES = 3000


def peak_megabytes() -> int:
    """Most memory that this program itself has held.

    What `getrusage` says, and libFuzzer with it, a program inherits from the one that started it: under pytest that is
    the peak of every test before this one.
    """
    status = Path("/proc/self/status")
    if not status.exists():  # no Linux: nothing is said
        return 0
    return next(int(line.split()[1]) // 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def one(data: bytes) -> None:
    """Read the bytes as a file of the group."""
    STATE["runs"] += 1
    if time.monotonic() - START > STATE["seconds"]:
        # Arrow's threads may keep libFuzzer's own way out from ever ending.
        sys.stderr.write(f"{STATE['runs']} runs\n")
        sys.stderr.flush()
        os._exit(0)
    path = FOLDER / "x.txt"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        try:
            adata = mt.read(path)
        except DataError as error:
            if "\n" in str(error) or "unexpected" in str(error):
                raise AssertionError(str(error)) from error
        else:
            check(adata)
    if (peak := peak_megabytes()) > MOST_MEGABYTES:
        raise AssertionError(f"reading these {len(data)} bytes took {peak} MB")


def main() -> None:
    """Fuzz one group; what remains of the arguments goes to libFuzzer."""
    group, corpus, seconds, *options = sys.argv[1:]
    STATE["seconds"] = int(seconds)
    folder = Path(corpus)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in GROUPS[group].items():
        (folder / f"seed-{name}").write_bytes(text.encode())
    words = folder.parent / f"{group}.dict"
    tokens = sorted(
        {w for text in GROUPS[group].values() for w in text.replace("\n", "\t").split("\t") if 2 < len(w) < 60}
    )
    escaped = ["".join(rf"\x{byte:02x}" for byte in token.encode()) for token in tokens[:400]]
    words.write_text("".join(f'"{token}"\n' for token in escaped))
    atheris.Setup(
        [sys.argv[0], str(folder), f"-dict={words}", "-max_len=6000", "-timeout=20", "-rss_limit_mb=0",
         f"-artifact_prefix={folder.parent}/{group}-", *options],
        one,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
