"""In place of a module of the SDK that writes its documentation: each of its names is a text that says nothing.

The asset carries this file under the names of those modules (`sdk_modules.py`). It imports nothing, which is its point.
"""


class Undocumented(str):
    """What makes one of the SDK's docstrings, or a handler of its events that adds to one."""

    __slots__ = ()

    def __new__(cls, *_: object, **__: object) -> "Undocumented":
        return super().__new__(cls)

    def __getattr__(self, name: str) -> object:
        return _add_nothing


def __getattr__(name: str) -> type[Undocumented]:
    if name.startswith("__"):
        raise AttributeError(name)
    return Undocumented


def _add_nothing(**_: object) -> None:
    pass
