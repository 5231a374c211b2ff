"""Style sheets, scripts and icons: read once, packed once, and kept by browsers for a year.

The address of each holds a hash of them all, so a new release is a new address and modules may import each other by
relative names.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
PREFIX: Final = "/console/static"

_KEPT: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_WORTH_PACKING: Final = 1024


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is sent."""

    content: bytes
    packed: bytes | None
    """The same with gzip, where that helps."""
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All of them. `version` stands in their addresses."""

    version: str
    files: Mapping[str, Asset]

    def url(self, name: str) -> str:
        """The address of a file, named as under `static/`. KeyError when there is none."""
        if name not in self.files:
            raise KeyError(f"There is no asset {name}")
        return f"{PREFIX}/{self.version}/{name}"


@cache
def assets() -> Assets:
    """What is in the folder."""
    digest, files = hashlib.sha256(), dict[str, Asset]()
    for path in sorted(path for path in FOLDER.rglob("*") if path.is_file()):
        name, content = path.relative_to(FOLDER).as_posix(), path.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        packed = gzip.compress(content, 9, mtime=0) if len(content) > _WORTH_PACKING else None
        media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "text/plain; charset=utf-8"
        files[name] = Asset(content, packed, media_type)
    return Assets(digest.hexdigest()[:12], files)


async def send_asset(request: Request) -> Response:
    """GET /console/static/{version}/{name}. A browser that asks for another version's gets what is there now."""
    known = assets()
    asset = known.files.get(request.path_params["name"])
    if asset is None:
        return Response("There is no such file.", 404, media_type="text/plain")
    kept = _KEPT if request.path_params["version"] == known.version else "no-cache"
    headers = {"Cache-Control": kept, "Vary": "Accept-Encoding"}
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
