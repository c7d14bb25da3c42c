"""Look over a built site: links, pictures and anchors lead somewhere, and nothing is loaded from elsewhere.

python docs/check_site.py build/site
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "source": "src", "video": "src", "iframe": "src", "link": "href"}
NOT_LOADED = {"canonical", "prev", "next", "alternate"}
"""Kinds of `link` that a browser does not fetch."""


class Page(HTMLParser):
    """What a page links to, what it loads, and the names in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        told = {name: value or "" for name, value in attrs}
        self.names |= {told[name] for name in ("id", "name") if told.get(name)}
        if tag in ("a", "area") and told.get("href"):
            self.links.append(told["href"])
        if told.get(LOADED.get(tag, "-")) and told.get("rel") not in NOT_LOADED:
            self.loaded.append(told[LOADED[tag]])


def problems(site: Path) -> list[str]:
    """Everything that leads nowhere or elsewhere, a line each."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        where = path.relative_to(site.resolve())
        found += [f"{where} loads {target}" for target in page.loaded if urlsplit(target).netloc]
        for target in [*page.links, *page.loaded]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            place = place / "index.html" if place.is_dir() else place
            if not place.is_file():
                found.append(f"{where}: {target} is not there")
            elif parts.fragment and place in pages and unquote(parts.fragment) not in pages[place].names:
                found.append(f"{where}: {target} has no such place")
    return found


def main(arguments: list[str]) -> int:
    """Print what is wrong; 1 where anything is."""
    site = Path(arguments[0])
    found = problems(site)
    count = len(list(site.rglob("*.html")))
    print("\n".join(found) or f"{count} pages: every link leads somewhere, nothing is loaded from elsewhere")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
