"""What a child process printed: the first and the last few KiB, whatever the amount in between.

This module must not know processes or subjects; it is handed bytes.
"""

from typing import Final

HEAD_BYTES: Final = 2 << 10
TAIL_BYTES: Final = 6 << 10


class Output:
    """Takes any amount of bytes and keeps the first 2 KiB and the last 6 KiB."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes) -> None:
        """Append `data`, forgetting what is neither among the first nor among the last bytes."""
        self._total += len(data)
        room = HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        del self._tail[:-TAIL_BYTES]

    def text(self) -> str:
        """The kept bytes as printable text, with a line that says how many are missing in the middle."""
        missing = self._total - len(self._head) - len(self._tail)
        gap = f"\n… {missing} bytes left out …\n" if missing else ""
        return _decode(self._head + self._tail) if not gap else _decode(self._head) + gap + _decode(self._tail)


def _decode(data: bytearray) -> str:
    return printable(data.decode("utf-8", errors="replace"))


def printable(text: str) -> str:
    """`text` with control characters spelt out, so that it cannot move a cursor or recolour a terminal."""
    lines = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char in "\n\t" else _spell(char) for char in lines)


def _spell(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
