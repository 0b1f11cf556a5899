"""Filesystems elsewhere, by URL, through fsspec: opened once, asked again when they fail.

A URL may carry a password or a signature. What is shown or kept anywhere is `public` of it.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from fmnist_cli.errors import FmnistError, MissingExtraError, RemoteError, UsageError

T = TypeVar("T")

# Requests that one process has under way. An object comes some 20 to 100 ms after it is asked for,
# however small, so one at a time are a few dozen per second. The client of S3 takes 2.5 ms of a
# core for each; 64 under way keep a core busy.
IN_FLIGHT = 64
PAUSES = (0.2, 1.0, 5.0)  # seconds before a request is made again
SECONDS = 60.0  # that a request may take, and one more for each megabyte

# As text: compiled when the first URL is met, which most runs do not.
_HTTP = ("http://", "https://")
# The second alternative is of a secret with a slash in it, told from a port by what follows.
_USER = r"(?<=://)(?:[^/@]*@|[^/@:]*:(?!\d*(?:/|$))[^@]*@)"
_SIGNED = (
    r"(?i)x-(?:amz|goog|ms|oss)-.*|awsaccesskeyid|googleaccessid|expires|key-pair-id|policy|sig"
    r"|.*(?:token|secret|passw|pwd|auth|credential|signature).*"
)
_AZURE = r"(?i)s[a-z]{1,2}|sk[a-z]+"  # beside `sig`
_NO_MARKS = str.maketrans("", "", "+-.:")
_LONG = 32  # characters of a value that may be a secret


def is_url(text: str) -> bool:
    """Whether this is an address such as ``s3://bucket/key`` instead of a path."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.translate(_NO_MARKS).isalnum()


def is_http(url: str) -> bool:
    """Whether these are pages of the web, which have no folders."""
    return url.startswith(_HTTP)


def public(url: str) -> str:
    """A URL without user, password and signature; it names the same object in every run.

    Of a query what signs it is left out. Values that may be keys become a digest, so that objects
    that differ in them keep different names.
    """
    return "::".join(map(_public, url.split("::")))


def _public(url: str) -> str:
    url, mark, query = re.sub(_USER, "", url).partition("?")
    pairs = [part.partition("=") for part in query.split("&")]
    azure = any(name.lower() == "sig" for name, _, _ in pairs)
    kept = [
        f"{name}{equals}{_digested(value, name)}" if equals else _digested(name)
        for name, equals, value in pairs
        if not (equals and re.fullmatch(f"{_SIGNED}|{_AZURE[4:]}" if azure else _SIGNED, name))
    ]
    return url + mark * bool(kept) + "&".join(kept)


def _digested(value: str, name: str = "") -> str:
    if len(value) <= _LONG and not (value and "key" in name.lower()):
        return value
    import hashlib

    return "~" + hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def opened(url: str) -> tuple[Any, str]:
    """The filesystem of a URL, and the path on it.

    Raises:
        UsageError: there is no such kind of filesystem, or its package is not installed.
        RemoteError: it cannot be reached.
    """
    # Not all filesystems may be used by several threads, or after a fork. One of another process is
    # kept as well: its end would close the connections that are the parent's.
    return _opened(url, os.getpid(), threading.get_ident())


_opening = threading.Lock()  # two sessions begun at once would leave one open


@lru_cache(maxsize=4 * IN_FLIGHT)
def _opened(url: str, pid: int, thread: int) -> tuple[Any, str]:
    del pid, thread
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("fsspec", "remote") from None
    s3 = fsspec.config.conf.setdefault("s3", {})
    # With more, s3fs asks for the size of an object before it asks for the object.
    s3.setdefault("max_concurrency", 1)
    config = s3.setdefault("config_kwargs", {})
    config.setdefault("max_pool_connections", IN_FLIGHT)
    config.setdefault("retries", {"total_max_attempts": 1})  # `tried` does that
    with _opening:
        try:
            system, path = tried(lambda: fsspec.core.url_to_fs(url), "open", url)
            if hasattr(system, "call_s3"):
                tried(system.connect, "open", url)
        except RemoteError as error:
            cause = error.__cause__
            if isinstance(cause, ImportError):
                if url.startswith(("s3", *_HTTP)):
                    raise MissingExtraError(_package(cause, url), "remote") from None
                raise UsageError(f"{public(url)}: {cause}; pip install what it names") from None
            if isinstance(cause, ValueError):
                raise UsageError(f"{public(url)}: {reason(cause, url)}") from None
            raise
    return system, path


def _package(error: ImportError, url: str) -> str:
    missing = getattr(error.__cause__, "name", None)
    return str(missing or ("s3fs" if url.startswith("s3") else "aiohttp"))


def tried(do: Callable[[], T], what: str, url: str) -> T:
    """What a request gives, which is made again a few times where that may help.

    Args:
        do: the request.
        what: it is for, in a word: "read", "list", "write".
        url: of what is asked for.

    Raises:
        RemoteError: says why it failed for good, without secrets.
    """
    for number, pause in enumerate((*PAUSES, None), start=1):
        try:
            return do()
        except FmnistError:
            raise
        except Exception as error:  # each filesystem has exceptions of its own
            error = _translated(error)
            if pause is None or _is_final(error):
                tries = f" after {number} tries" if number > 1 else ""
                raise RemoteError(
                    f"cannot {what} {public(url)}{tries}: {reason(error, url)}",
                    missing=isinstance(error, FileNotFoundError),
                ) from error
            import random

            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - so that not all do at once
    raise AssertionError


def timed(system: Any, size: int | None) -> dict[str, float]:
    """The time limit of a request, as the argument that only asynchronous filesystems know."""
    return {"timeout": SECONDS + (size or 0) / 1e6} if system.async_impl else {}


_FINAL = (
    FileNotFoundError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ValueError,
    TypeError,
    ImportError,
    MemoryError,
)


def _is_final(error: Exception) -> bool:
    """Whether the same request would fail again."""
    status = getattr(error, "status", None)
    if isinstance(status, int) and 400 <= status < 500:
        return status not in (408, 429)
    name = type(error).__name__
    return isinstance(error, _FINAL) or "Credentials" in name or "Validation" in name


def _translated(error: Exception) -> Exception:
    """An error of the S3 client as one of the system, as far as s3fs has not done it."""
    if type(error).__name__ != "ClientError":
        return error
    from s3fs.errors import translate_boto_error

    found: Exception = translate_boto_error(error)
    return found


def reason(error: BaseException, url: str) -> str:
    """Why a request for `url` failed, in words that hold no secret of it."""
    text = " ".join(str(error).split())
    for secret in _secrets(url):
        text = text.replace(secret, "…")
    text = re.sub(r"[a-z][a-z0-9+.]*://[^\s'\"<>]+", lambda found: public(found[0]), text)
    text = text[:300]
    if isinstance(error, FileNotFoundError):
        return "it does not exist"
    status = getattr(error, "status", None)
    if (
        isinstance(error, PermissionError)
        or status in (401, 403)
        or "Credentials" in str(type(error))
    ):
        return f"no permission ({text}); the credentials come from the environment"
    if isinstance(error, MemoryError):
        return "out of memory"
    if isinstance(error, TimeoutError):
        return f"no answer within {SECONDS:g} s"
    return text or type(error).__name__


def _secrets(url: str) -> list[str]:
    """What is in a URL and not in `public` of it, the longest first."""
    found = [user[:-1] for user in re.findall(_USER, url)]
    found += [part for user in found for part in user.split(":")]
    for one in url.split("::"):
        query = one.partition("?")[2]
        shown = public(one)
        values = (part.partition("=")[2] for part in query.split("&"))
        found += [query, *(value for value in values if value and value not in shown)]
    return sorted((secret for secret in found if len(secret) > 3), key=len, reverse=True)
