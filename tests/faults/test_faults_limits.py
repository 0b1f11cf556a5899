"""Small inputs that want much memory, and options without an end."""

from __future__ import annotations

import gc
import gzip
import io
import lzma
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from faulty import MIB, Faulty
from packing import as_parquet
from pictures import chunk, encoded, frame
from PIL import Image
from typer._click import ClickException
from typer.main import get_command

from fmnist_cli.cli import build_app
from fmnist_cli.data.fashion_mnist import FRAME_SPEC
from fmnist_cli.decode import decode
from fmnist_cli.errors import DataError, ImageError, UsageError
from fmnist_cli.machine import memory_limit, memory_share
from fmnist_cli.preprocess import check_spec
from fmnist_cli.preprocess.pipeline import Framing
from fmnist_cli.sources import open_source


def webp_bomb(width: int, height: int) -> bytes:
    """A picture of one colour: so many pixels take no bytes at all."""
    small = bytearray(encoded(Image.new("RGB", (1, 1), (9, 99, 199)), "WEBP", lossless=True))
    bits = int.from_bytes(small[21:25], "little") & ~0x0FFFFFFF
    small[21:25] = (bits | (width - 1) | (height - 1) << 14).to_bytes(4, "little")
    return bytes(small)


def test_webp_of_114_million_pixels_in_38_bytes(fmnist: Faulty, tmp_path: Path) -> None:
    """a row that says how much memory it would take; none is taken"""
    bomb = webp_bomb(16383, 7000)
    assert len(bomb) < 50
    (tmp_path / "bomb.webp").write_bytes(bomb)
    (tmp_path / "small.webp").write_bytes(webp_bomb(28, 28))
    outcome = fmnist("classify", "bomb.webp", "small.webp", "-m", "cnn", memory=200 * MIB)
    row, _ = outcome.rows
    assert "16383 × 7000 pixels take 2,624 MiB of memory to decode, at most 1,024" in row["error"]


@pytest.mark.parametrize(
    ("color", "side", "taken"), [(6, 10000, "2,288"), (2, 10900, None), (0, 10900, None)]
)
def test_png_of_much_memory(color: int, side: int, taken: str | None) -> None:
    """four channels are rejected by what they take; fewer only if they are too many pixels"""
    header = struct.pack(">IIBBBBB", side, side, 8, color, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND")
    with pytest.raises(ImageError) as caught:
        decode(b"\x89PNG\r\n\x1a\n" + b"".join(parts), color=True, memory=970 * MIB)
    assert (f"take {taken} MiB" in str(caught.value)) == (taken is not None)


def test_memory_option(fmnist: Faulty, tmp_path: Path) -> None:
    """what does not fit a worker's share is a row, the rest is labelled"""
    Image.new("RGB", (4000, 4000), (9, 99, 199)).save(tmp_path / "large.png")
    (tmp_path / "frame.png").write_bytes(encoded(frame()))
    outcome = fmnist("classify", ".", "--memory", "200M", "--workers", "1", memory=250 * MIB)
    assert outcome.code == 3
    assert [row["status"] for row in outcome.rows] == ["ok", "error"]
    assert "122 MiB of memory to decode, at most 95; see --memory" in outcome.rows[1]["error"]


def parquet(path: Path, groups: int, rows: int, size: int, **options: Any) -> Path:
    """Rows of one value each; it is not repeated here, as a process inherits its parent's peak."""
    import pyarrow
    import pyarrow.parquet

    value = pyarrow.array([bytes(size)], pyarrow.binary())
    column: Any = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * rows), value)
    table = pyarrow.table({"image": value if rows == 1 else column})
    with pyarrow.parquet.ParquetWriter(path, table.schema, store_schema=False, **options) as file:
        for _ in range(groups):
            file.write_table(table)
    pyarrow.default_memory_pool().release_unused()
    return path


def test_parquet_of_one_large_value_in_many_rows(fmnist: Faulty, tmp_path: Path) -> None:
    """a row each, the value in memory a few times"""
    parquet(tmp_path / "a.parquet", 1, 64, 8_000_000)
    outcome = fmnist("classify", "a.parquet", "-m", "cnn")
    assert (outcome.code, len(outcome.rows)) == (3, 64)


def test_parquet_of_many_large_values(fmnist: Faulty, tmp_path: Path) -> None:
    """a row each, few of them in memory"""
    parquet(tmp_path / "a.parquet", 16, 1, 30_000_000, use_dictionary=False, compression="zstd")
    outcome = fmnist("classify", "a.parquet", "-m", "cnn")
    assert (outcome.code, len(outcome.rows)) == (3, 16)


def test_parquet_page_that_claims_two_gigabytes(fmnist: Faulty, tmp_path: Path) -> None:
    """a row for the file, nothing of it in memory"""
    path = parquet(tmp_path / "a.parquet", 1, 1, 1000, use_dictionary=False, compression="gzip")
    data = path.read_bytes()
    assert data[4:7] == b"\x15\x00\x15"  # kind of page, then its size as a zigzag number
    end = next(at for at in range(7, 17) if data[at] < 0x80) + 1
    path.write_bytes(data[:7] + b"\xfe\xff\xff\xff\x0f" + data[end:])
    outcome = fmnist("classify", path.name, "-m", "cnn")
    assert outcome.code == 3
    assert "damaged after 0 rows" in outcome.rows[0]["error"]


def test_parquet_of_statistics_that_do_not_suit(fmnist: Faulty, tmp_path: Path) -> None:
    """rows all the same; Arrow would end the process"""
    path = as_parquet({f"{n}.png": encoded(frame(n)) for n in range(3)}, tmp_path / "a.parquet")
    data = path.read_bytes()
    text, number = (b"\x15" + kind + b"%\x02\x18\x04path" for kind in (b"\x0c", b"\x02"))
    assert data.count(text) == 1
    path.write_bytes(data.replace(text, number))
    outcome = fmnist("classify", path.name, "-m", "cnn")
    assert (outcome.code, len(outcome.rows)) == (0, 3), outcome.said


class _Zeros(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        return bytes(size)


def test_tar_gz_of_large_members(fmnist: Faulty, tmp_path: Path) -> None:
    """those that can be held are tried one after the other, a larger one is a row"""
    import tarfile

    with tarfile.open(tmp_path / "a.tar.gz", "w:gz", compresslevel=1) as archive:
        for name, size in (("a.png", 100), ("b.png", 100), ("c.png", 100), ("d.png", 130)):
            member = tarfile.TarInfo(name)
            member.size = size * MIB
            archive.addfile(member, _Zeros())
    outcome = fmnist("classify", "a.tar.gz", "-m", "cnn")
    assert len(outcome.rows) == 4
    assert "unpack the archive" in outcome.rows[3]["error"]


def idx(path: Path, count: int, height: int, width: int) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(struct.pack(">BBBBIII", 0, 0, 8, 3, count, height, width))
        file.write(bytes(min(height * width, 1 << 16)))
    return path


def test_idx_of_large_images(tmp_path: Path) -> None:
    """a row for the file, as from --max-pixels on"""
    (item,) = open_source(idx(tmp_path / "a.gz", 3, 19_000, 19_000))
    with pytest.raises(ImageError, match="too large: 361,000,000 bytes"):
        item.read()
    (item,) = open_source(idx(tmp_path / "b.gz", 1, 20, 20))
    with pytest.raises(ImageError, match="20 × 20 pixels, at most 399; see --max-pixels"):
        Framing(FRAME_SPEC, max_pixels=399)(item)


def test_xz_with_a_huge_dictionary(tmp_path: Path) -> None:
    """refused, without making room for it"""
    data = bytearray(lzma.compress(bytes(2000)))
    size = (data[12] + 1) * 4
    assert data[14:16] == b"\x21\x01"  # the filter that has a dictionary
    data[16] = 37  # 1.5 GiB
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")
    (tmp_path / "a.tar.xz").write_bytes(data)
    with pytest.raises(DataError, match=r"(?i)memory"):
        open_source(tmp_path / "a.tar.xz")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--workers", "1" + "0" * 20], "1<=x<=1024"),
        (["--top-k", "1000000000"], "1<=x<=1000"),
        (["--batch-size", "100000"], "1<=x<=65536"),
        (["--limit", "1" + "0" * 20], "1<=x<=2147483647"),
        (["--max-pixels", "9" * 400 + "G"], "no size"),
        (["--memory", "0"], "no size"),
        (["--memory", "40M"], "too little for --workers"),
        (["--memory", "1G", "--workers", "100"], "too little for --workers 100"),
        (["--memory", "1G", "--workers", "1", "--max-bytes", "600M"], "half of a worker's"),
        (["--batch-size", "60000", "-m", "photo"], "--batch-size 60,000 of 224×224"),
    ],
)
def test_option_without_end(words: list[str], said: str, tmp_path: Path) -> None:
    """exit 2, the range or the reason is said"""
    (tmp_path / "a.png").write_bytes(encoded(frame()))
    app = get_command(build_app("classify"))
    with pytest.raises((UsageError, ClickException)) as caught:
        app.main(["classify", str(tmp_path), *words], standalone_mode=False)
    gc.unfreeze()  # which the command did for itself
    assert caught.value.exit_code == 2
    assert said in str(caught.value)


def test_memory_of_a_cgroup(tmp_path: Path) -> None:
    """the least of all limits above the process counts, of both versions"""
    machine = memory_limit(tmp_path)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("9:memory,x:/a/b\n8:pids:/\n0::/c/d\n")
    for name, limit in (
        ("memory/a/b/memory.limit_in_bytes", "9223372036854771712"),
        ("memory/memory.limit_in_bytes", "800000000"),
        ("c/d/memory.max", "max"),
        ("c/memory.max", "500000000"),
    ):
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{limit}\n")
    assert memory_limit(tmp_path) == 500_000_000 < machine
    (tmp_path / "sys/fs/cgroup/c/memory.max").unlink()
    assert memory_limit(tmp_path) == 800_000_000


def test_memory_for_workers() -> None:
    """as many as fit by default, and a reason where those asked for do not"""
    assert memory_share(100_000_000, None) == (1, 50_000_000)
    assert memory_share(900_000_000, 2) == (2, 300_000_000)
    with pytest.raises(UsageError, match="too little for --workers 9"):
        memory_share(300_000_000, 9)


def test_model_of_huge_pictures() -> None:
    """ModelError before anything of that size is made"""
    with pytest.raises(ValueError, match="too large"):
        check_spec(FRAME_SPEC._replace(height=100_000, width=100_000))
