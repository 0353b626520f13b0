"""From what an evaluation found to the bytes of the page: template, style and script in one file, and a policy that lets nothing out."""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from cnntrain.report.page import text
from cnntrain.report.page.text import Markup

MOST_BYTES = 15_000_000


def page(template: str, content: Mapping[str, Any], *, data: Mapping[str, Any]) -> bytes:
    """The whole file.

    Args:
        template: a file in templates/.
        content: what the template names; texts that are no Markup are escaped.
        data: groups of pictures that the script opens; see script.js.
    """
    style, script = read("style.css"), read("script.js")
    # a policy by hashes: nothing runs and nothing styles but what is written here, and no request can be made
    policy = (
        f"default-src 'none'; img-src data:; style-src {hashed(style)}; script-src {hashed(script)}; base-uri 'none'; form-action 'none'"
    )
    found = (
        environment()
        .get_template(template)
        .render({**content, "policy": policy, "style": Markup(style), "script": Markup(script), "data": as_script_data(data)})
    )
    whole = found.encode("utf-8", "backslashreplace")
    assert len(whole) < MOST_BYTES, len(whole)
    return whole


@cache
def environment() -> Any:
    """Jinja2 with escaping on everywhere, and an error for a name that is not given."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("cnntrain.report.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"name": text.name, "plain": text.plain, "percent": text.percent, "short": text.short_percent}
    made.filters |= {"range": text.range_of_shares, "level": text.level}
    return made


@cache
def read(name: str) -> str:
    return (files("cnntrain.report.page") / "templates" / name).read_text(encoding="utf-8")


def hashed(text: str) -> str:
    """A source of a Content-Security-Policy: the sha256 of what stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_script_data(data: Mapping[str, Any]) -> Markup:
    """JSON inside of <script>, where only `<`, `>` and `&` could end it or begin something else."""
    said = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return Markup(said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
