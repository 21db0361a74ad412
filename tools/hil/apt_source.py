"""Write a deb822 apt source for the given suites, with the mirror and the key of this host's own main archive.

python3 apt_source.py bookworm bookworm-backports
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def main_archive(etc: Path, codename: str) -> tuple[str, str | None]:
    """(URI, Signed-By or None) of the first source that carries ``codename``. LookupError: there is none."""
    folder = etc / "apt/sources.list.d"
    for file in sorted(folder.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
            if codename in fields.get("Suites", "").split() and fields.get("Enabled") != "no":
                return fields["URIs"].split()[0], fields.get("Signed-By") or None
    for file in (etc / "apt/sources.list", *sorted(folder.glob("*.list"))):
        text = file.read_text() if file.exists() else ""
        for options, uri in re.findall(rf"^deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+{codename}\s", text, re.M):
            key = re.search(r"signed-by=(\S+)", options or "")
            return uri, key[1] if key else None
    raise LookupError(f"no apt source for {codename}")


def stanza(uri: str, suites: list[str], signed_by: str | None) -> str:
    lines = ["Types: deb", f"URIs: {uri}", f"Suites: {' '.join(suites)}", "Components: main"]
    return "\n".join([*lines, *([f"Signed-By: {signed_by}"] if signed_by else []), ""])


def main(suites: list[str]) -> int:
    codename = re.search(r"^VERSION_CODENAME=(\S+)", Path("/etc/os-release").read_text(), re.M)
    try:
        if codename is None:
            raise LookupError("/etc/os-release names no Debian release")
        uri, signed_by = main_archive(Path("/etc"), codename[1])
    except LookupError as error:
        print(f"hil: {error}", file=sys.stderr)
        return 1
    print(stanza(uri, suites, signed_by), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
