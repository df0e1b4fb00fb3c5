"""The spellings of a secret in a text: escaped, inside base64, or in hexadecimal.

`decoded` removes URL, HTML, JSON, Python and SQL escapes, also mixed and nested ones, and returns the position of each
character in the original text. Secret and text are compared without escapes.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

PASSES = 5
"""How many layers of escapes are removed, e.g. JSON inside JSON inside a URL."""
LONG_LINE = 16
"""Lines of a multi-line secret with at least this many characters count as secrets of their own."""

_ESCAPE = re.compile(
    r"""(?x)
      %(?: [0-7][0-9A-Fa-f]                                                     # URL: one character of UTF-8
         | [CDcd][0-9A-Fa-f] %[89ABab][0-9A-Fa-f]
         | [Ee][0-9A-Fa-f] (?:%[89ABab][0-9A-Fa-f]){2}
         | [Ff][0-7] (?:%[89ABab][0-9A-Fa-f]){3} )
    | \\u[Dd][89ABab][0-9A-Fa-f]{2} \\u[Dd][C-Fc-f][0-9A-Fa-f]{2}               # JSON: a pair of surrogates
    | \\u[0-9A-Fa-f]{4} | \\U[0-9A-Fa-f]{8} | \\x[0-9A-Fa-f]{2} | \\[0-7]{3}    # JSON, Python, C
    | \\[\s\S]                                                                  # \n, \", \/, \\
    | &(?: \#[0-9]{1,7} | \#[xX][0-9A-Fa-f]{1,6} | [A-Za-z][A-Za-z0-9]{1,30} );   # HTML
    | ['"]{2,} | \{{2,} | \}{2,} | \]{2,} | %{2,}                               # doubled: SQL, ODBC, shells, formats
    | (?<=[A-Za-z0-9+/_-]{60}) \r?\n [ \t]* (?=[A-Za-z0-9+/=_-])                # base64 in lines
    """
)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0"}
_ALIKE = str.maketrans({"+": " ", '"': "'"})
"""A form encodes a blank as +; a shell quotes a quote by the other one."""


def decoded(text: str) -> tuple[str, list[int] | None]:
    """Remove the escapes of a text.

    Returns:
        The text, and for each of its characters the place in the given one where it began, the end's included; None
        where the places are the same.
    """
    places: list[int] | None = None
    for _ in range(PASSES):
        parts: list[str] = []
        origins: list[int] = []
        done = 0
        for match in _ESCAPE.finditer(text):
            plain = _plain(match[0])
            parts += [text[done : match.start()], plain]
            origins += range(done, match.start())
            origins += [match.start()] * len(plain)
            done = match.end()
        if not parts:
            break
        parts.append(text[done:])
        origins += range(done, len(text) + 1)
        places = origins if places is None else [places[origin] for origin in origins]
        text = "".join(parts)
    return text.translate(_ALIKE), places


def _plain(escape: str) -> str:
    """Return what an escape stands for."""
    match escape[0], escape[1:2]:
        case "%", other if other != "%":
            return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")
        case "\\", "u" if len(escape) == 12:
            return bytes.fromhex(escape.replace("\\u", "")).decode("utf-16-be", "replace")
        case "\\", "u" | "U" | "x" if len(escape) > 2:
            number = int(escape[2:], 16)
            return chr(number) if number <= 0x10FFFF else ""
        case "\\", _ if len(escape) == 4:
            return chr(int(escape[1:], 8))
        case "\\", letter:
            return _LETTERS.get(letter, letter)
        case "&", _:
            return html.unescape(escape)
        case (("\r" | "\n"), _):
            return ""
    return escape[0]


def spellings(secret: str) -> set[str]:
    """Return what a text holds, as it is or once it is `decoded`, where it holds the secret."""
    encoded = secret.encode("utf-8", "surrogatepass")
    found = {secret, decoded(secret)[0], decoded(encoded.decode("latin-1"))[0]}  # the last: the repr of bytes
    quoted = quote(secret, safe="", errors="replace")
    for octets in {encoded, quoted.encode(), secret.encode("utf-16-le", "surrogatepass")}:
        found |= {decoded(form)[0] for form in _base64(octets)}
    found |= {encoded.hex(), encoded.hex().upper()}
    # A backslash at the end would be read as the beginning of an escape, together with what follows it in a text.
    return {spelling.rstrip("\\") for spelling in found}


def long_lines(secret: str) -> Iterator[str]:
    """Yield the lines of a secret that are secrets by themselves, e.g. those of a private key, without its frame."""
    for written in {secret, secret.replace("\\n", "\n")}:
        lines = [line.strip() for line in written.splitlines()]
        if len(lines) > 1:
            yield from (line for line in lines if len(line) >= LONG_LINE and not line.startswith("-----"))


def _base64(octets: bytes) -> Iterable[str]:
    """Yield the characters of base64 that the octets determine, for each of the three places they may begin at."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + octets)
        certain = text[-(-before * 8 // 6) : (before + len(octets)) * 8 // 6].decode()
        yield from {certain, certain.replace("+", "-").replace("/", "_")}
