"""Fetches the official files: several mirrors, resumed transfers, checked by size and MD5.

A file grows as ``NAME.partial`` and takes its name only when it is whole and its MD5 is right,
so an interrupted download never looks like data. Standard library only.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from fmnist_cli import __version__
from fmnist_cli.data.fashion_mnist import FILES, DataFile, is_official, md5_of
from fmnist_cli.errors import DownloadError, UsageError
from fmnist_cli.files import open_own

# Integrity comes from the MD5, so plain http is acceptable; it is merely asked last.
MIRRORS: tuple[str, ...] = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
_CHUNK = 1 << 16
_WORTH_RETRYING = {408, 425, 429}  # and every 5xx

Opener = Callable[[urllib.request.Request, float], Any]
"""Opens a request with a timeout in seconds; answers and raises like ``urllib``'s ``urlopen``."""


Kind = Literal["kept", "started", "advanced", "note", "finished"]


class DownloadEvent(NamedTuple):
    """One step of a download.

    Attributes:
        kind: ``kept`` (was already whole), ``started``, ``advanced``, ``note`` (something went
            wrong and is being handled), ``finished``.
        name: the file.
        done: bytes there so far.
        total: bytes of the whole file.
        message: what happened, for ``note``.
    """

    kind: Kind
    name: str
    done: int
    total: int
    message: str = ""


Progress = Callable[[DownloadEvent], None]


def open_url(request: urllib.request.Request, timeout_s: float) -> Any:
    """The default opener: ``urllib`` with the proxies of the environment."""
    return urllib.request.urlopen(request, timeout=timeout_s)  # noqa: S310 - checked by _folder_url


class _DroppedError(Exception):
    """The transfer broke off in a way that may heal: try this mirror again."""


class _UselessError(Exception):
    """The mirror will not do: go to the next."""


@dataclass(frozen=True, slots=True)
class Downloader:
    """Fetches the data files.

    A dropped connection, a timeout, or an HTTP 5xx is tried again on the same mirror after a
    pause that doubles each time, and goes on where it stopped. Any other answer, or content
    with a wrong MD5, moves on to the next mirror. An interrupt leaves ``NAME.partial`` for
    the next run to resume.

    Attributes:
        progress: called at each step.
        opener: opens requests.
        sleep: waits between attempts.
        timeout_s: how long a mirror may be silent.
        attempts: tries per mirror and file.
        backoff_s: the first pause.
    """

    progress: Progress = lambda _event: None
    opener: Opener = open_url
    sleep: Callable[[float], None] = time.sleep
    timeout_s: float = 30.0
    attempts: int = 4
    backoff_s: float = 1.0

    def download(
        self,
        target: Path,
        mirrors: Sequence[str] = MIRRORS,
        files: Sequence[DataFile] = FILES,
    ) -> tuple[Path, ...]:
        """Fetch files into a folder; those already whole are kept.

        Args:
            target: folder for the files; made when missing.
            mirrors: http or https addresses of folders, asked in order.
            files: what to fetch.

        Returns:
            The path of each file, in the order of ``files``.

        Raises:
            UsageError: a mirror is no http or https address, or there is none.
            DownloadError: a file could not be fetched from any mirror, or not be written.
        """
        if not mirrors:
            raise UsageError("no mirror to download from; give one with --mirror URL")
        folders = [_folder_url(mirror) for mirror in mirrors]
        # Network errors are handled where they happen; what is left to catch here is the disk.
        try:
            target.mkdir(parents=True, exist_ok=True)
            return tuple(self._fetch(file, target, folders) for file in files)
        except OSError as error:
            raise DownloadError(
                f"cannot write to {target} ({error.strerror or error}). "
                "Free some space, or choose another folder with --data-dir"
            ) from error

    def _fetch(self, file: DataFile, target: Path, folders: Sequence[str]) -> Path:
        """Puts one whole, checked file into ``target``."""
        final = target / file.name
        partial = target / f"{file.name}.partial"
        if final.is_file() and final.stat().st_size == file.size and is_official(final, file):
            self._report("kept", file, file.size)
            return final
        self._report("started", file, _size(partial))
        answers: list[str] = []
        for folder in folders:
            url = folder + file.name
            try:
                self._ask_mirror(url, file, partial)
            except _UselessError as useless:
                answers.append(f"  {url}: {useless}")
                self._report("note", file, _size(partial), f"{url}: {useless}")
                continue
            partial.replace(final)
            self._report("finished", file, file.size)
            return final
        raise DownloadError(
            f"could not fetch {file.name}:\n" + "\n".join(answers) + "\n"
            "Check the network and run the command again (it resumes), or get the four files "
            "by hand and name their folder with --data-dir"
        )

    def _ask_mirror(self, url: str, file: DataFile, partial: Path) -> None:
        """Completes ``partial`` from one mirror, with retries.

        Raises:
            _UselessError: this mirror does not have the file, or does not deliver it.
        """
        for attempt in range(1, self.attempts + 1):
            try:
                self._complete(url, file, partial)
            except _DroppedError as dropped:
                if attempt == self.attempts:
                    raise _UselessError(f"{dropped} (tried {attempt} times)") from dropped
                self._report("note", file, _size(partial), f"{url}: {dropped}; trying again")
                self.sleep(self.backoff_s * 2 ** (attempt - 1))
            else:
                return

    def _complete(self, url: str, file: DataFile, partial: Path) -> None:
        """One try: receives what is missing and checks the whole."""
        if _size(partial) > file.size:
            partial.unlink()
        resumed = _size(partial) > 0
        if _size(partial) < file.size:
            self._receive(url, file, partial)
        if md5_of(partial) == file.md5:
            return
        partial.unlink()
        if not resumed:
            raise _UselessError("sent content with a wrong MD5")
        # The bad bytes may be the older ones, so this mirror gets the chance to send all.
        self._report("note", file, 0, "the resumed file has a wrong MD5; starting over")
        self._complete(url, file, partial)

    def _receive(self, url: str, file: DataFile, partial: Path) -> None:
        """Appends the rest of the file to ``partial``, or all of it where that is refused."""
        have = _size(partial)
        with contextlib.closing(self._request(url, have)) as response:
            if response.status == 200:
                have = 0  # the server ignores ranges
            elif response.status != 206 or _range_start(response) != have:
                raise _UselessError(f"HTTP {response.status} with a part that was not asked for")
            length = response.headers.get("Content-Length", "")
            if length.isdecimal() and have + int(length) != file.size:
                raise _UselessError(
                    f"offers {have + int(length):,} bytes where the file has {file.size:,}"
                )
            with open_own(partial) as sink:
                sink.truncate(have)
                while have < file.size:
                    chunk = _read(response, min(_CHUNK, file.size - have))
                    if not chunk:
                        raise _DroppedError(
                            f"connection closed after {have:,} of {file.size:,} bytes"
                        )
                    sink.write(chunk)
                    have += len(chunk)
                    self._report("advanced", file, have)

    def _request(self, url: str, have: int) -> Any:
        """An open response for the file from byte ``have`` on."""
        headers = {"User-Agent": f"fmnist-cli/{__version__}"}
        if have:
            headers["Range"] = f"bytes={have}-"
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - see _folder_url
        try:
            return self.opener(request, self.timeout_s)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416 and have:  # the server will not resume: ask for the whole
                return self._request(url, 0)
            answer = f"HTTP {error.code} {error.reason}"
            if error.code >= 500 or error.code in _WORTH_RETRYING:
                raise _DroppedError(answer) from error
            raise _UselessError(answer) from error
        except (OSError, http.client.HTTPException) as error:
            raise _network_error(error) from error

    def _report(self, kind: Kind, file: DataFile, done: int, message: str = "") -> None:
        self.progress(DownloadEvent(kind, file.name, done, file.size, message))


def _folder_url(mirror: str) -> str:
    """The mirror with a slash at its end; other schemes would let urllib read local files."""
    parts = urllib.parse.urlsplit(mirror)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"mirror {mirror!r} is no http:// or https:// address")
    return mirror.rstrip("/") + "/"


def _read(response: Any, size: int) -> bytes:
    """At most ``size`` bytes of the body, empty at its end."""
    try:
        chunk: bytes = response.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise _network_error(error) from error
    return chunk


def _network_error(error: Exception) -> _DroppedError | _UselessError:
    """What to do about an error of the connection; unknown hosts and bad certificates stay so."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return _DroppedError("timed out")
    if isinstance(cause, socket.gaierror):
        return _UselessError(f"unknown host ({cause.strerror})")
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _UselessError(f"certificate refused ({cause.verify_message})")
    return _DroppedError(str(cause) or type(cause).__name__)


def _range_start(response: Any) -> int | None:
    """The first byte that a 206 answer carries: ``Content-Range: bytes START-END/TOTAL``."""
    unit, _, span = response.headers.get("Content-Range", "").partition(" ")
    start = span.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdecimal() else None


def _size(path: Path) -> int:
    """Bytes of a file, 0 when it is not there."""
    return path.stat().st_size if path.is_file() else 0
