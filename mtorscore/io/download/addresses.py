"""Addresses as they may be written and printed: without a password, token or signature."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import parse_qsl, quote, urlsplit

__all__ = ["identity", "is_remote", "shown"]

# Parameters that name what is asked for, as GEO and cBioPortal write them; every other value may be a secret.
_NAMING = frozenset({"acc", "accession", "db", "file", "filename", "form", "format", "id", "study", "targ", "view"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,79}")


def is_remote(path: object) -> bool:
    """Whether it is an address, such as ``s3://bucket/atlas.h5ad``, and not a path."""
    return isinstance(path, str) and bool(_SCHEME.match(path))


def shown(url: str) -> str:
    """Return an address without user, password, fragment and the values of parameters that may be secret.

    Examples
    --------
    >>> shown("https://me:secret@host.org/a/b.txt?acc=GSE1&token=abc#part")
    'https://host.org/a/b.txt?acc=GSE1&token=...'
    """
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        return f"{url.partition(':')[0][:20]}:..." if ":" in url else "..."
    if not parts.scheme and not parts.netloc:
        return url
    said = [_parameter(*pair) for pair in pairs] or (["..."] if parts.query else [])
    path = re.sub(r";[^/]*", ";...", parts.path)
    return f"{parts.scheme}://{host}{path}" + (f"?{'&'.join(said)}" if said else "")


def _parameter(key: str, value: str) -> str:
    if not value or not re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", key):
        return "..."
    return f"{key}={quote(value) if key.lower() in _NAMING and _NAME.fullmatch(value) else '...'}"


def identity(url: str) -> dict[str, str]:
    """Return what tells an address from others in a note on disk, with nothing secret in it."""
    safe = shown(url)
    return {"url": safe} if safe == url else {"url": safe, "url_sha256": hashlib.sha256(url.encode()).hexdigest()}
