"""Run what ``packaging/Dockerfile`` does where no container engine is at hand: ``python tools/image_steps.py FOLDER``.

Every stage is a folder below FOLDER, its ``RUN`` steps are run by a shell whose environment is empty but for what the
file sets, absolute paths that the file makes are below that folder, and the interpreter is the one that runs this
script. Steps that only the root of an image can do (``useradd``) are said and left out. At the end the entry point is
called with the file's own arguments and with ``doctor``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "packaging" / "Dockerfile"
# What the steps of an image write to; a step that names another place is not known here and fails.
PLACES = ("/opt/", "/src", "/data", "/tmp/")  # noqa: S108
# pip needs to find the registry that this machine uses, and its certificates.
LENT = ("PIP_", "SSL_", "HTTP", "http", "NO_PROXY", "no_proxy")


def say(*words: str) -> None:
    """Print a line at once, so that it stands before what the step prints."""
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction and its arguments; lines that end in a backslash are joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def below(root: Path, text: str) -> str:
    """Put the places of an image below a folder."""
    return re.sub(rf"(?<![\w./-])(?=(?:{'|'.join(map(re.escape, PLACES))}))", str(root), text)


class Image:
    """The folder of one stage, its environment, and where it works."""

    def __init__(self, root: Path) -> None:
        self.root, self.work = root, root
        self.environment = {"PATH": f"{root}/bin:/usr/bin:/bin", "HOME": str(root)}
        self.environment |= {k: v for k, v in os.environ.items() if k.startswith(LENT)}
        self.entry: list[str] = []
        self.arguments: list[str] = []
        for place in ("bin", "opt", "tmp"):
            (root / place).mkdir(parents=True)
        (root / "bin" / "python").symlink_to(sys.executable)

    def run(self, command: str) -> None:
        """Run a step as a shell of the image would."""
        if command.startswith("useradd"):
            say("left out:", command)
            return
        say("RUN", command)
        subprocess.run(["sh", "-ec", below(self.root, command)], cwd=self.work, env=self.environment, check=True)

    def copy(self, words: list[str], stages: dict[str, Image]) -> None:
        """Copy from the repository, or from another stage."""
        source = ROOT
        if words[0].startswith("--from="):
            source = stages[words.pop(0).removeprefix("--from=")].root
        *names, target = words
        place = Path(below(self.root, target)) if target.startswith("/") else self.work / target
        for name in names:
            origin = source / name.lstrip("/")
            if origin.is_dir():
                shutil.copytree(origin, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(origin, place)


def build(folder: Path) -> Image:
    """Run all steps; return the last stage."""
    stages: dict[str, Image] = {}
    image = Image(folder / "none")
    for word, rest in instructions(FILE.read_text()):
        if word == "FROM":
            name = rest.split(" AS ")[-1] if " AS " in rest else "last"
            image = stages[name] = Image(folder / name)
        elif word == "RUN":
            image.run(rest)
        elif word == "COPY":
            image.copy(rest.split(), stages)
        elif word == "WORKDIR":
            image.work = Path(below(image.root, rest))
            image.work.mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            for pair in shlex.split(rest):
                key, _, value = pair.partition("=")
                value = below(image.root, value.replace("$PATH", image.environment["PATH"]))
                image.environment[key] = value
        elif word in ("ENTRYPOINT", "CMD"):
            words = re.findall(r'"([^"]*)"', rest)
            image.entry, image.arguments = (words, []) if word == "ENTRYPOINT" else (image.entry, words)
        elif word != "USER":
            raise SystemExit(f"{word} is not known here.")
    return image


def main() -> None:
    """Build below the folder named, and call the entry point."""
    folder = Path(sys.argv[1]).resolve()
    image = build(folder)
    # Scripts of an environment name the folder that it was made in: in an image both stages have it at one place.
    made = folder / "build" / "opt" / "mtorscore"
    for script in (image.root / "opt" / "mtorscore" / "bin").iterdir():
        if script.is_file() and not script.is_symlink() and script.read_bytes().startswith(b"#!"):
            script.write_text(script.read_text().replace(str(made), str(image.root / "opt" / "mtorscore")))
    for arguments in (image.arguments, ["doctor"]):
        say("ENTRYPOINT", *image.entry, *arguments)
        image.run(shlex.join([*image.entry, *arguments]))


if __name__ == "__main__":
    main()
