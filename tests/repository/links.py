"""Relative links in Markdown files that lead nowhere: `python3 tests/repository/links.py`, with Python's own modules alone.

A link may name a heading of the file (`doc/GZIP.md#the-table`), which is looked for, too. Links to other sites are left alone.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]]+\]:\s*(\S+)|(?:src|href)=\"([^\"]+)\"", re.MULTILINE)
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to headings."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", re.sub(r"^(```|~~~).*?^\1", "", text, flags=re.M | re.S), re.M):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.get(name, 0)
        found[name] = count + 1
        names.add(f"{name}-{count}" if count else name)
    return names | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", text))


def main() -> int:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\n") if name and (ROOT / name).exists()]
    dead, links = [], 0
    for file in files:
        text = file.read_text(encoding="utf-8")
        for match in LINK.finditer(CODE.sub("", text)):
            link = next(group for group in match.groups() if group)
            # Names of Rust items are rustdoc's to check.
            if re.match(r"[a-z][a-z0-9+.-]*:|//|crate::|\w+::", link):
                continue
            links += 1
            path, _, anchor = unquote(link).partition("#")
            target = (file.parent / path).resolve() if path else file
            if not target.exists():
                dead.append(f"{file.relative_to(ROOT)}: {link}")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
                dead.append(f"{file.relative_to(ROOT)}: {link} (no such heading)")
    print(f"{links} relative links in {len(files)} files, {len(dead)} dead")
    print("".join(f"  {one}\n" for one in dead), end="")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
