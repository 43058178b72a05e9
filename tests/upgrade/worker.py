"""One version of the functions as a process: a line in names the handler and its event, a line out is the answer.

`python worker.py FOLDER`, with the folder of the version's sources. It runs in an environment like Lambda's.
"""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # where the functions log
    sys.path.insert(0, sys.argv[1])
    for line in sys.stdin:
        name, event = json.loads(line)
        answer = importlib.import_module(name).handler(event, None)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
