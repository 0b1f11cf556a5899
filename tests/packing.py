"""The same files as a folder and as every kind of archive."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

Files = Mapping[str, bytes]  # relative path → content, in the order to be packed


def as_folder(files: Files, path: Path) -> Path:
    """A folder of the files."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_zip(files: Files, path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip archive of the files."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return path


def tar_bytes(files: Files, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar archive of the files, in one of the formats of `tarfile`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def as_tar(files: Files, path: Path, form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar archive of the files, compressed as the name says."""
    pack: Callable[[bytes], bytes] = {
        ".gz": gzip.compress,
        ".tgz": gzip.compress,
        ".bz2": bz2.compress,
        ".xz": lzma.compress,
    }.get(path.suffix, bytes)
    path.write_bytes(pack(tar_bytes(files, form)))
    return path


def as_parquet(files: Files, path: Path) -> Path:
    """A Parquet file with the columns path and image."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table(
        {
            "path": pyarrow.array(list(files), pyarrow.string()),
            "image": pyarrow.array(list(files.values()), pyarrow.binary()),
        }
    )
    pyarrow.parquet.write_table(table, path)
    return path
