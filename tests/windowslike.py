"""Runs `fmnist` as Windows would, as far as that can be done on Linux.

Run: python tests/windowslike.py ARGUMENT…

The package, and nothing else, sees modules `os`, `signal` and `sys` without what Windows lacks,
and cannot import what Windows has not. For everybody, open files are neither renamed nor removed,
only files open for writing are synced, links are refused, text is written with CR LF, and there is
no /proc. Spawned processes import this file again, so the same holds in them.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import io
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

MISSING = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
LACKS = {
    "os": {
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG", "chown", "fchmod"),
        *("fork", "geteuid", "getloadavg", "getpgid", "getuid", "killpg", "mkfifo", "nice"),
        *("openpty", "pathconf", "posix_fadvise", "pread", "pwrite", "register_at_fork"),
        *("sched_getaffinity", "sendfile", "set_blocking", "setsid", "statvfs", "sysconf"),
        *("uname", "wait"),
    },
    "signal": {
        *("ITIMER_REAL", "SIGALRM", "SIGBUS", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE"),
        *("SIGQUIT", "SIGUSR1", "SIG_UNBLOCK", "alarm", "pthread_sigmask", "setitimer"),
    },
    "sys": set(),
}
INSTEAD = {"os": {"name": "nt"}, "signal": {}, "sys": {"platform": "win32"}}
HERE = {module.__name__: module for module in (os, signal, sys)}


class Seen(ModuleType):
    """A module as on Windows."""

    def __getattr__(self, name: str) -> Any:
        module = self.__name__
        if name in LACKS[module]:
            raise AttributeError(f"Windows has no {module}.{name}")
        return INSTEAD[module].get(name, getattr(HERE[module], name))

    def __setattr__(self, name: str, value: object) -> None:
        setattr(HERE[self.__name__], name, value)


SEEN = {name: Seen(name) for name in HERE}
_import, _open, _fsync = builtins.__import__, io.open, os.fsync


def importing(name: str, globals_: Any = None, *rest: Any, **more: Any) -> Any:
    """The `import` statement."""
    module = _import(name, globals_, *rest, **more)
    if not str((globals_ or {}).get("__name__")).startswith("fmnist_cli"):
        return module
    if name in MISSING:
        raise ImportError(f"No module named {name!r}")
    return SEEN.get(module.__name__, module)


def opening(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
    """The function `open`."""
    if isinstance(file, (str, os.PathLike)) and os.fspath(file).startswith("/proc/"):
        raise FileNotFoundError(errno.ENOENT, "no such file", os.fspath(file))
    if "b" not in mode and "r" not in mode and len(rest) < 4 and more.get("newline") is None:
        more["newline"] = "\r\n"
    return _open(file, mode, *rest, **more)


def is_open(path: Any) -> bool:
    """Whether this process has the file open."""
    numbers = Path("/proc/self/fd").iterdir()
    return Path(path).is_file() and any(one.is_file() and one.samefile(path) for one in numbers)


def refusing(function: Any) -> Any:
    """A function that does nothing to open files."""

    def careful(path: Any, *rest: Any, **more: Any) -> Any:
        if any(isinstance(one, (str, Path)) and is_open(one) for one in (path, *rest)):
            raise PermissionError(errno.EACCES, "it is being used by another process", str(path))
        return function(path, *rest, **more)

    return careful


def syncing(descriptor: int) -> None:
    """The function `os.fsync`."""
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")
    _fsync(descriptor)


def linking(*_: Any, **__: Any) -> None:
    """The function `os.symlink`."""
    raise OSError(errno.EINVAL, "A required privilege is not held by the client")


def become() -> None:
    """Let this process be so; before the package is imported."""
    builtins.__import__ = importing
    builtins.open = io.open = opening
    os.fsync, os.symlink = syncing, linking  # type: ignore[assignment]
    for name in ("remove", "rename", "replace", "unlink"):
        setattr(os, name, refusing(getattr(os, name)))


if __name__ in ("__main__", "__mp_main__"):
    become()
if __name__ == "__main__":
    from fmnist_cli.cli import main

    main()
