"""A page taken apart, and what each must hold to."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path


class Page(HTMLParser):
    """Every tag with its attributes, and the text of each script and style."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self.inside = ""
        self.raw = path.read_text(encoding="utf-8")
        self.feed(self.raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in self.texts:
            self.texts[tag].append("")
            self.inside = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[self.inside][-1] += data

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def data(self) -> dict[str, object]:
        return json.loads(next(text for text in self.texts["script"] if text.startswith("{")))


def check_harmless(page: Page) -> None:
    """No request can leave the page, nothing runs but its own script, everything can be reached and is named."""
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert name not in ("style", "srcset", "action", "formaction", "background", "ping", "xlink:href", "srcdoc"), (tag, name)
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "data", "poster"):
                assert value.startswith(("data:image/", "#")), (tag, value[:80])
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "base", "form", "audio", "video"}
    (policy,) = [each["content"] for each in page.named("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    (style,) = page.texts["style"]
    (code,) = [text for text in page.texts["script"] if not text.startswith("{")]
    assert "default-src 'none'; img-src data:; " in policy
    for part, text in (("style-src", style), ("script-src", code)):
        sha = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{part} 'sha256-{sha}';" in policy
    assert not re.search(r"url\(|@import|https?:|fetch\(|XMLHttp|WebSocket|import\(|innerHTML", style + code)
    assert all(each.get("alt") for each in page.named("img"))
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in page.named("svg"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {each["href"][1:] for each in page.named("a")} <= set(ids)
    groups = page.data["groups"]
    assert isinstance(groups, dict)
    assert {each["data-group"] for each in page.named("button") if "data-group" in each} <= set(groups)
    assert len(page.raw.encode()) < 15_000_000
