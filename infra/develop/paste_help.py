"""Pastes the real help texts into the docs' help blocks, so that check_docs.py finds them as they are."""

from __future__ import annotations

import re
import sys

from check_docs import HELP_BLOCK, ROOT, printed_help


def main() -> int:
    """Rewrite every page under docs and every README that shows a help text."""
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        text = page.read_text(encoding="utf-8")

        def fresh(block: re.Match[str]) -> str:
            start, end = (at - block.start() for at in block.span(2))
            return block[0][:start] + (printed_help(block[1]) or block[2]) + block[0][end:]

        pasted = HELP_BLOCK.sub(fresh, text)
        if pasted != text:
            page.write_text(pasted, encoding="utf-8")
            print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
