"""Renders every default template with sample values, to look at: `python tools/render_samples.py FOLDER`.

Writes NAME.html, NAME.txt and NAME.eml, and where a Chromium is found (environment CHROMIUM, or on the path) a picture
of each mail at 320 and 720 pixels, light and dark. `--empty` renders them without any value but the tenant's name.
"""

import argparse
import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import segno

from ringpost.domain.addresses import parse_address
from ringpost.domain.catalogue import CATALOGUE, EventType
from ringpost.domain.messages import Envelope, assemble
from ringpost.domain.rendering import Rendered, Stamp, prepare
from ringpost.domain.system_events import SYSTEM_CATALOGUE
from ringpost.storage.default_templates import ENGLISH, default_template, languages

_STAMP = Stamp(date=1_767_605_400_000, message_id_domain="mail.example.com")
_ENVELOPE = Envelope(
    parse_address("Northwind Traders <phones@example.com>"), parse_address("Jane Doe <jane.doe@example.com>")
)
_TALL = {"USER_CREATION": 1900}


def main() -> None:
    """Parse the command line and write the files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--empty", action="store_true", help="no values but TENANT_NAME and no image")
    parser.add_argument("--language", default=ENGLISH, choices=languages())
    parser.add_argument("--only", help="name of one template; SYSTEM_CPU_EXCEEDED is one of the system level")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    all_types = {**CATALOGUE, **{f"SYSTEM_{name}": kind for name, kind in SYSTEM_CATALOGUE.items()}}
    names = [arguments.only] if arguments.only else list(all_types)
    for name in names:
        write(folder, name, render(all_types[name], arguments.language, empty=arguments.empty))
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium:
        for name in names:
            for scheme in ("light", "dark"):
                photograph(chromium, folder, name, scheme)


def render(event_type: EventType, language: str, *, empty: bool) -> Rendered:
    """One mail with its samples."""
    prepared = prepare(default_template(event_type, language), event_type)
    samples = event_type.samples
    if empty:
        return prepared.render({"TENANT_NAME": samples["TENANT_NAME"]}, _STAMP)
    qr = samples.get("QR_CODE")
    return prepared.render(samples, _STAMP, qr_png=qr_png(qr) if qr else None)


def qr_png(text: str) -> bytes:
    """A QR code as PNG."""
    buffer = io.BytesIO()
    segno.make(text, error="m").save(buffer, kind="png", scale=6, border=2)
    return buffer.getvalue()


def write(folder: Path, name: str, rendered: Rendered) -> None:
    """The three files of one mail."""
    mail = assemble(rendered.message, envelope=_ENVELOPE, delivery_id="sample", reply_to=None)
    (folder / f"{name}.html").write_text(rendered.html_for_preview or "", "utf-8")
    (folder / f"{name}.txt").write_text(f"Subject: {rendered.subject}\n\n{rendered.text}", "utf-8")
    (folder / f"{name}.eml").write_bytes(mail)


def photograph(chromium: str, folder: Path, name: str, scheme: str) -> None:
    """One picture with both widths side by side; frames, because browser windows cannot be as narrow as a telephone."""
    height = _TALL.get(name, 1000)
    frames = "".join(
        f'<iframe src="{name}.html" width="{width}" height="{height}" style="border:0;margin:8px"></iframe>'
        for width in (320, 720)
    )
    page = folder / f".{name}-{scheme}.html"
    page.write_text(f'<!DOCTYPE html><html style="color-scheme:light dark;background:#888">{frames}', "utf-8")
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        command += [f"--user-data-dir={profile}", "--hide-scrollbars", f"--window-size=1100,{height + 20}"]
        command += [f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"]
        command += [f"--screenshot={folder / f'{name}-{scheme}.png'}", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=60)  # noqa: S603  a fixed command
    page.unlink()


if __name__ == "__main__":
    main()
