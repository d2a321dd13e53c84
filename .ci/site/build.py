#!/usr/bin/env python3
"""Builds the documentation as a site, and checks it.

    python3 .ci/site/build.py [MERMAID]

docs/SUMMARY.md names the pages. They are written so that links work in the repository. This script
writes them to target/ci/site/ with links that work in the site, adds the API reference, and has
mdBook build target/site/. A link to a file that is no page becomes the file's path.

It fails if a page of docs/ is missing in docs/SUMMARY.md, if a link or an anchor leads nowhere, or
if a page would load anything from elsewhere. MERMAID is the script that draws diagrams; without it,
they stay text.
"""

import html
import posixpath
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from api_reference import Reference

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCES, SITE = ROOT / "target" / "ci" / "site", ROOT / "target" / "site"
SUMMARY = "docs/SUMMARY.md"
API, API_FOLDER = "docs/openapi.yaml", "api"
SNAPSHOT = "shared/src/http/snapshots/mfa__http__problem__tests__every_error_is_as_the_snapshot_shows.snap"

MERMAID = sys.argv[1] if len(sys.argv) > 1 else None
DIAGRAM = '<pre class="mermaid">'

# A code span, or a link, whose text may hold code spans.
LINK = re.compile(
    r"(?P<code>(`+)(?:(?!\n\n).)+?(?<!`)\2(?!`))|\[(?P<text>(?:[^\[\]`]|`[^`]*`)+)\]\((?P<to>[^)\s]+)\)", re.S
)
FENCE = re.compile(r"^( *)```(.*)\n((?:.*\n)*?)\1```\n", re.M)


def read(path):
    return (ROOT / path).read_text()


class Pages:
    """The pages: where each stands in the repository, and where in the site."""

    def __init__(self):
        self.named = [link.removeprefix("./") for link in re.findall(r"\]\(([^)]+)\)", read(SUMMARY))]
        self.named = [posixpath.normpath(f"docs/{link}") for link in self.named]
        self.place = {path: self.place_of(path) for path in self.named}
        written = {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/**/*.md")} - {SUMMARY}
        missing = sorted(written - set(self.named))
        if missing or len(set(self.named)) < len(self.named):
            sys.exit(f"FAILED: {SUMMARY} must name each page once. Missing: {missing}")

    @staticmethod
    def place_of(path):
        if path == API:
            return f"{API_FOLDER}/index.md"
        folder, name = posixpath.split(path.removeprefix("docs/"))
        return posixpath.join(folder, "index.md" if name == "README.md" else name.lower())

    def found(self, path):
        """The page that a path leads to. A folder is its README, or else the first page in it."""
        if path in self.place:
            return path
        if not (ROOT / path).is_dir():
            return None
        inside = [page for page in self.named if page.startswith(f"{path}/")]
        readme = f"{path}/README.md"
        return readme if readme in self.place else next(iter(inside), None)

    def linked(self, page, text, to):
        """A link of a page as it is in the site."""
        parts = urlsplit(to)
        if parts.scheme or not parts.path:
            return f"[{text}]({to})"
        path = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path))
        if not (ROOT / path).exists():
            sys.exit(f"FAILED: {page} links to {to}, which is not there")
        other = self.found(path)
        if other is None:
            return path_as_text(text, path)
        here = posixpath.dirname(self.place[page])
        anchor = f"#{parts.fragment}" if parts.fragment else ""
        return f"[{text}]({posixpath.relpath(self.place[other], here or '.')}{anchor})"

    def prepared(self, page):
        """The text of a page with the links of the site."""

        def link(match):
            return match[0] if match["code"] else self.linked(page, match["text"], match["to"])

        text, end, parts = read(page), 0, []
        for fence in FENCE.finditer(text):
            parts += [LINK.sub(link, text[end : fence.start()]), diagram(fence)]
            end = fence.end()
        whole = "".join(parts) + LINK.sub(link, text[end:])
        return whole + scripts("../" * self.place[page].count("/")) if DIAGRAM in whole else whole


def path_as_text(text, path):
    """A file that is no page. Nobody can follow a link to it, so its path is told."""
    plain = text.strip("`").rstrip("/")
    is_path = path == plain or path.endswith(f"/{plain}")
    return f"`{path}`" if is_path else f"{text} (`{path}`)"


def diagram(fence):
    """A block of code. A diagram becomes what the script of Mermaid draws, in place."""
    _, kind, text = fence.groups()
    return f"{DIAGRAM}\n{html.escape(text)}</pre>\n" if MERMAID and kind == "mermaid" else fence[0]


def scripts(root):
    """What draws the diagrams of a page. It is large, so pages without a diagram do not load it."""
    return "".join(f'\n<script src="{root}{name}"></script>\n' for name in ("mermaid.min.js", "diagrams.js"))


def write_sources(pages):
    shutil.rmtree(SOURCES, ignore_errors=True)
    reference = Reference(read(API), read(SNAPSHOT)).pages()
    texts = {pages.place[page]: pages.prepared(page) for page in pages.named if page != API}
    texts |= {f"{API_FOLDER}/{name}": text for name, text in reference.items()}
    texts["SUMMARY.md"] = summary(pages, reference)
    for place, text in texts.items():
        path = SOURCES / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if MERMAID:
        shutil.copy(MERMAID, SOURCES / "mermaid.min.js")
        shutil.copy(ROOT / ".ci" / "site" / "diagrams.js", SOURCES / "diagrams.js")


def summary(pages, reference):
    """The table of contents, with an entry for each operation."""

    def link(match):
        return f"]({pages.place[posixpath.normpath('docs/' + match[1])]})"

    text = re.sub(r"\]\(([^)]+)\)", link, read(SUMMARY))
    [entry] = re.findall(rf"^- \[.*\]\({API_FOLDER}/index\.md\)\n", text, re.M)
    operations = [name for name in reference if name != "index.md"]
    nested = "".join(f"  - [{name.removesuffix('.md')}]({API_FOLDER}/{name})\n" for name in operations)
    return text.replace(entry, entry + nested)


class Page(HTMLParser):
    """What a page of the site links to and loads, and the places in it."""

    LOADING = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "form": "action"}

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loaded = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if attributes.get("id"):
            self.ids.add(attributes["id"])
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        if attributes.get(self.LOADING.get(tag, "")):
            self.loaded.append(attributes[self.LOADING[tag]])


def faults():
    """What is wrong with the links of the built site, page by page. Also how many were followed."""
    found, followed = [], 0
    pages = {path.relative_to(SITE).as_posix(): Page(path.read_text()) for path in SITE.rglob("*.html")}
    for name, page in pages.items():
        for link in page.links + page.loaded:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loaded and parts.scheme != "data":
                    found.append(f"{name} loads {link}, which is not of the site")
                continue
            folder = posixpath.dirname(name)
            path = posixpath.normpath(posixpath.join(folder, unquote(parts.path))) if parts.path else name
            followed += 1
            if not (SITE / path).is_file():
                found.append(f"{name} links to {link}, which is not there")
            elif parts.fragment and path in pages and unquote(parts.fragment) not in pages[path].ids:
                found.append(f"{name} links to {link}: there is no such place on that page")
    for path in SITE.rglob("*.css"):
        outside = re.findall(r"""url\(\s*['"]?(?:https?:)?//[^)]*\)|@import[^;]*//[^;]*;""", path.read_text())
        found += [f"{path.relative_to(SITE)} loads {part}" for part in outside]
    return found, len(pages), followed


def main():
    began = time.monotonic()
    write_sources(Pages())
    shutil.rmtree(SITE, ignore_errors=True)
    built = subprocess.run(["mdbook", "build"], cwd=ROOT, capture_output=True, text=True)
    if built.returncode or " WARN " in built.stderr:
        sys.exit(f"FAILED: mdbook build\n{built.stdout}{built.stderr}")
    found, pages, followed = faults()
    for fault in found:
        print(f"FAILED: {fault}", file=sys.stderr)
    if found:
        sys.exit(1)
    print(f"  target/site/index.html: {pages} pages, {followed} links, {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
