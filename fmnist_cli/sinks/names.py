r"""Names of files as text that any UTF-8 file can hold, and back.

A name in another encoding comes from the operating system with surrogates in it. They are
written as ``\udcXX``, and a backslash that would read as such an escape as ``\u005c``, so
every name comes back exactly; `os.fsencode` then gives its bytes. All others stay as they are.
"""

from __future__ import annotations

import re

_TO_ESCAPE = re.compile(r"[\ud800-\udfff]|\\(?=u(?:d[89a-f][0-9a-f]{2}|005c))")
_ESCAPED = re.compile(r"\\u(d[89a-f][0-9a-f]{2}|005c)")


def encodable(text: str) -> str:
    """`text` without surrogates; the inverse is `original`."""
    if text.isascii() and "\\" not in text:
        return text
    return _TO_ESCAPE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def original(text: str) -> str:
    """What `encodable` was given."""
    if "\\u" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
