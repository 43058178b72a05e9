"""`python -m tests.clients.behaviours`: the cases that hold for every client as JSON, for a driver in any language."""

from __future__ import annotations

import json

from tests.clients.behaviours import for_every_client

if __name__ == "__main__":
    print(json.dumps([case.as_json() for case in for_every_client()], ensure_ascii=False))
