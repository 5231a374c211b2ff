"""The OpenAPI document as one page for people: no scripts, nothing from outside, light and dark."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6570; --paper: #fff; --card: #f6f8fa; --line: #d5dbe1;
  --get: #0a5fb4; --post: #1a7340; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --soft: #9aa5b1; --paper: #14171a; --card: #1d2125;
  --line: #363d44; --get: #6cb2f5; --post: #63c98b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { margin: 0 0 .5rem; } h2 { margin: 2.5rem 0 .75rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1.25rem 0 .25rem; font-size: .95rem; } p { margin: .5rem 0; } .soft { color: var(--soft); }
nav a { margin-right: 1rem; } a { color: var(--get); }
details { margin: .5rem 0; border: 1px solid var(--line); border-radius: .4rem; background: var(--card); }
summary { padding: .5rem .75rem; cursor: pointer; } summary:focus-visible { outline: 2px solid var(--get); }
details > div { padding: 0 .75rem .75rem; }
.method { display: inline-block; min-width: 3.5rem; font-weight: 700; } .get { color: var(--get); }
.post { color: var(--post); }
code, pre { font: .875rem/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; margin: .5rem 0; padding: .75rem; border: 1px solid var(--line); border-radius: .4rem;
  background: var(--paper); }
.scroll { overflow-x: auto; } table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
"""
_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
DOCS_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; frame-ancestors 'none'",
    "Cache-Control": "public, max-age=300",
}

Schema = dict[str, Any]


def docs_page(document: dict[str, Any]) -> str:
    """The whole page."""
    return "".join(
        [
            "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Ringpost API</title>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<style>{_STYLE}</style></head><body><header>",
            f"<h1>Ringpost API</h1><p class='soft'>Version {escape(document['info']['version'])} · ",
            "<a href='openapi.json'>openapi.json</a></p>",
            *(f"<p>{_text(paragraph)}</p>" for paragraph in document["info"]["description"].split("\n\n")),
            "</header><nav aria-label='Parts of the API'>",
            *(f"<a href='#{_anchor(tag['name'])}'>{escape(tag['name'])}</a> " for tag in document["tags"]),
            "<a href='#schemas'>Schemas</a></nav><main>",
            *_tags(document),
            "<h2 id='schemas'>Schemas</h2>",
            *(_schema_card(name, schema) for name, schema in sorted(document["components"]["schemas"].items())),
            "</main></body></html>",
        ]
    )


def _tags(document: dict[str, Any]) -> Iterator[str]:
    for tag in document["tags"]:
        yield f"<h2 id='{_anchor(tag['name'])}'>{escape(tag['name'])}</h2>"
        yield f"<p class='soft'>{_text(tag['description'])}</p>"
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if tag["name"] in operation.get("tags", []):
                    yield _operation(path, method, operation)


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    token = "Needs a token." if operation["security"] else "Needs no token."
    paragraphs = operation.get("description", "").split("\n\n")
    return "".join(
        [
            f"<details><summary><span class='method {method}'>{method.upper()}</span> <code>{escape(path)}</code> ",
            f"<span class='soft'>{escape(operation['summary'])}</span></summary><div>",
            *(f"<p>{_text(paragraph)}</p>" for paragraph in paragraphs if paragraph),
            f"<p class='soft'>{token}</p>",
            _parameters(operation.get("parameters", [])),
            _body(operation.get("requestBody")),
            "<h3>Answers</h3><div class='scroll'><table><tbody>",
            *(_answer(status, answer) for status, answer in operation["responses"].items()),
            "</tbody></table></div></div></details>",
        ]
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = [
        f"<tr><td><code>{escape(one['name'])}</code></td><td>in {one['in']}</td><td>{_type(one['schema'])}</td>"
        f"<td>{_text(one.get('description', ''))}</td></tr>"
        for one in parameters
    ]
    return f"<h3>Parameters</h3><div class='scroll'><table><tbody>{''.join(rows)}</tbody></table></div>"


def _body(body: dict[str, Any] | None) -> str:
    if not body:
        return ""
    content = body["content"]["application/json"]
    return f"<h3>Body</h3><p>{_type(content['schema'])}</p>{_sample(content)}"


def _answer(status: str, answer: dict[str, Any]) -> str:
    content = answer.get("content", {})
    kinds = [_type(one["schema"]) if one.get("schema") else escape(media) for media, one in content.items()]
    samples = "".join(_sample(one) for one in content.values())
    what = f"{', '.join(kinds) or 'no body'}{samples}"
    return f"<tr><td>{status}</td><td>{_text(answer['description'])}</td><td>{what}</td></tr>"


def _sample(content: dict[str, Any]) -> str:
    return (
        f"<pre>{escape(json.dumps(content['example'], indent=2, ensure_ascii=False))}</pre>"
        if "example" in content
        else ""
    )


def _schema_card(name: str, schema: Schema) -> str:
    required = schema.get("required", [])
    rows = [
        f"<tr><td><code>{escape(field)}</code></td><td>{_type(one)}{' · required' if field in required else ''}</td>"
        f"<td>{_text(one.get('description', ''))}{_example(one)}</td></tr>"
        for field, one in schema.get("properties", {}).items()
    ]
    table = (
        f"<div class='scroll'><table><tbody>{''.join(rows)}</tbody></table></div>"
        if rows
        else f"<p>{_type(schema)}</p>"
    )
    head = f"<details id='schema-{escape(name)}'><summary><code>{escape(name)}</code></summary><div>"
    return f"{head}<p>{_text(schema.get('description', ''))}</p>{table}</div></details>"


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#schema-{name}'>{name}</a>"
    if "enum" in schema:
        return " | ".join(f"<code>{escape(json.dumps(one))}</code>" for one in schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(_type(one) for one in schema[choice])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))


def _example(schema: Schema) -> str:
    examples = schema.get("examples")
    return f" <span class='soft'>e.g.</span> <code>{escape(json.dumps(examples[0]))}</code>" if examples else ""


def _text(text: str) -> str:
    """Escaped, with `code` marked up."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def _anchor(name: str) -> str:
    return name.lower().replace(" ", "-")
