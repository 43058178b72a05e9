"""The line at the bottom that names the keys."""

from __future__ import annotations

from textual.screen import Screen
from textual.widgets import Footer


class Keys(Footer):
    """Textual's own makes all its parts anew whenever it looks; this one only if a key has changed."""

    _named: object = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        keys = [(key, enabled, tip) for _, key, enabled, tip in screen.active_bindings.values() if key.show]
        if keys != self._named and screen.app.app_focus:
            self._named = keys
            super().bindings_changed(screen)
