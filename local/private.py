"""Files and folders that only their owner can read: they hold secrets, the emulator's keys and people's messages."""

from __future__ import annotations

from pathlib import Path

UMASK = 0o077


def private_folder(path: Path) -> Path:
    """Makes the folder, with what is missing above it, and closes it to other users also if it was there already."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def private_file(path: Path, text: str = "") -> Path:
    """Writes the file in one step, never readable for other users, whatever was there before."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600, exist_ok=False)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path
