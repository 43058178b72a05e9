"""`python -m tools.docs`: the protocol document as a page that opens from disk, `.local/docs/index.html`.

AsyncAPI's own React component draws it in the browser. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
from pathlib import Path

import yaml

from local.progress import step
from tools.npm_archive import FetchFailed, fetch

VERSION = "3.2.1"
PACKAGE = f"@asyncapi/react-component@{VERSION}"
INTEGRITY = "sha512-k5ZqJd6+oxYaQ2o6F3rGWJ1MTIjXdpsUYB3NKQbVqr4yzrN0Ovj5c7eZx8NGd3wfKPhbOrLREtYl9K2OPfnSsA=="

SCRIPT, STYLE = f"asyncapi-react-{VERSION}.js", f"asyncapi-react-{VERSION}.css"
FILES = {"package/browser/standalone/index.js": SCRIPT, "package/styles/default.min.css": STYLE}
"""What is taken of the package, and under which name."""

PROJECT = Path(__file__).parent.parent
DOCUMENT = PROJECT / "docs" / "asyncapi.yaml"
DIRECTORY = PROJECT / ".local" / "docs"

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="document"></div>
<script src="{script}"></script>
<script>
const schema = {document};
const config = {{
  show: {{ sidebar: true }},
  expand: {{ messageExamples: true }},
  replyLabel: "FROM CLIENT",
  sendLabel: "FROM SERVER",
}};
AsyncApiStandalone.render({{ schema, config }}, document.getElementById("document"));
</script>
</body>
</html>
"""


def render(directory: Path = DIRECTORY) -> Path:
    """Writes the page, with what it needs beside it."""
    directory.mkdir(parents=True, exist_ok=True)
    if not all((directory / name).exists() for name in FILES.values()):
        with step(f"Fetching {PACKAGE}"), tempfile.TemporaryDirectory() as temporary:
            _extract(fetch(PACKAGE, INTEGRITY, Path(temporary)), directory)
    page = directory / "index.html"
    page.write_text(_page(yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))), encoding="utf-8")
    return page


def _extract(archive: Path, directory: Path) -> None:
    with tarfile.open(archive) as package:
        for member, name in FILES.items():
            content = package.extractfile(member)
            if content is None:
                raise FetchFailed(f"{PACKAGE} has no file {member}")
            (directory / name).write_bytes(content.read())


def _page(document: dict[str, dict[str, str]]) -> str:
    title = f"{document['info']['title']} {document['info']['version']}"
    # "</script>" in a description would end the script.
    embedded = json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")
    return PAGE.format(title=title, style=STYLE, script=SCRIPT, document=embedded)


def main() -> None:
    try:
        print(render())
    except FetchFailed as failure:
        sys.exit(f"\nerror: {failure}")


if __name__ == "__main__":
    main()
