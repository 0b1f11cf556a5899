from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from packing import as_tar, tar_bytes
from pictures import encoded, frame

from fmnist_cli.errors import DataError, ImageError, UsageError
from fmnist_cli.sources import open_source
from fmnist_cli.sources.items import HeldItem, Selection, Source
from fmnist_cli.sources.tar import TarSource

PNG = encoded(frame())
THREE = {"a.png": PNG, "b.png": PNG, "c.png": PNG}
SLOT = 512 + len(PNG) + -len(PNG) % 512  # bytes of one of them in an archive


def rows(source: Source) -> dict[str, str | None]:
    """Path → the reason why it cannot be read."""
    found: dict[str, str | None] = {}
    for item in source:
        try:
            item.read()
            found[item.path] = None
        except ImageError as error:
            found[item.path] = str(error)
    return found


def members(path: Path, *infos: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> Path:
    """An archive whose files hold a picture each."""
    with tarfile.open(path, "w", format=form) as archive:
        for info in infos:
            info.size = len(PNG) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(PNG))
    return path


def info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_long_names(tmp_path: Path, form: int) -> None:
    name = "/".join(["folder" * 4] * 6) + "/" + "x" * 60 + ".png"
    assert len(name) > 200
    source = open_source(as_tar({name: PNG, "b.png": PNG}, tmp_path / "a.tar", form))
    assert rows(source) == {name: None, "b.png": None}


def test_any_name_goes_through_unchanged(tmp_path: Path) -> None:
    names = ["new\nline.png", "\u65e5.png", "caf\udce9.png", "=.png", " .png", "x" * 101 + ".png"]
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        source = open_source(as_tar(dict.fromkeys(names, PNG), tmp_path / "a.tar", form))
        assert [item.path for item in source] == names


def test_names_are_tidy(tmp_path: Path) -> None:
    names = ["./a.png", "/b.png", "./c/.x/d.png", "./._e.png", "z.png", "a2.png"]
    source = open_source(as_tar(dict.fromkeys(names, PNG), tmp_path / "a.tar"))
    assert [item.path for item in source] == ["a.png", "b.png", "z.png", "a2.png"]


def test_links_and_names_that_point_outside_have_their_reason(tmp_path: Path) -> None:
    path = members(
        tmp_path / "a.tar",
        info("folder", tarfile.DIRTYPE),
        info("a.png"),
        info("hard.png", tarfile.LNKTYPE, "a.png"),
        info("soft.png", tarfile.SYMTYPE, "a.png"),
        info("soft", tarfile.SYMTYPE, "a.png"),
        info("pipe.png", tarfile.FIFOTYPE),
        info("../up.png"),
        info("z.png"),
    )
    source = open_source(path)
    found = rows(source)
    assert list(found) == ["a.png", "hard.png", "soft.png", "pipe.png", "../up.png", "z.png"]
    assert found["a.png"] is None
    assert found["z.png"] is None
    assert "link" in str(found["hard.png"])
    assert "pipe" in str(found["pipe.png"])
    assert "outside" in str(found["../up.png"])
    assert source.skipped.count == 1


def test_sizes_in_binary(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(THREE, tarfile.GNU_FORMAT))
    data[124:136] = b"\x80" + len(PNG).to_bytes(11, "big")
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(data)
    assert rows(open_source(tmp_path / "a.tar")) == dict.fromkeys(THREE)


def test_a_sparse_file_is_rejected_and_passed_over(tmp_path: Path) -> None:
    data = bytearray(tar_bytes({"a.png": PNG, "b.png": PNG}, tarfile.GNU_FORMAT))
    data[156:157] = b"S"
    data[482] = 1  # its map goes on for a block
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    (tmp_path / "a.tar").write_bytes(data[:512] + bytes(512) + data[512:])
    found = rows(open_source(tmp_path / "a.tar"))
    assert list(found) == ["a.png", "b.png"]
    assert "sparse" in str(found["a.png"])
    assert found["b.png"] is None


@pytest.mark.parametrize("cut", [SLOT + 1, SLOT + 100, SLOT + 512, 2 * SLOT - 1, 2 * SLOT])
def test_a_cut_off_archive_has_a_row_of_its_own(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes(THREE)[:cut])
    whole = max(1, cut // SLOT)
    if cut == 2 * SLOT - 1:
        whole = 2  # all but the padding is there
    wanted = [*list(THREE)[:whole], path.as_posix()]
    found = rows(open_source(path))
    assert list(found) == wanted
    assert f"cut off after {whole} members" in str(found[path.as_posix()])
    packed = tmp_path / "a.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    found = rows(open_source(packed))
    assert list(found) == [*wanted[:-1], packed.as_posix()]


def test_cut_off_compressed_data_has_a_row_of_its_own(tmp_path: Path) -> None:
    for suffix in (".gz", ".xz"):  # bzip2 comes in blocks of 900 KB
        files = {f"{i:03d}.png": encoded(frame(i)) for i in range(400)}
        path = as_tar(files, tmp_path / f"a.tar{suffix}")
        path.write_bytes(path.read_bytes()[: -path.stat().st_size // 3])
        *names, last = rows(open_source(path)).items()
        assert [name for name, _ in names] == list(files)[: len(names)]
        assert last[0] == path.as_posix()
        assert f"damaged or cut off after {len(names)} members" in str(last[1])


def test_a_wrong_checksum_of_gzip_has_a_row_of_its_own(tmp_path: Path) -> None:
    path = as_tar(THREE, tmp_path / "a.tar.gz")
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    assert list(rows(open_source(path))) == [*THREE, path.as_posix()]


def test_a_damaged_header_has_a_row_of_its_own(tmp_path: Path) -> None:
    data = bytearray(tar_bytes(THREE))
    data[SLOT] ^= 1
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    found = rows(open_source(path))
    assert list(found) == ["a.png", path.as_posix()]
    assert "damaged after 1 members" in str(found[path.as_posix()])


def test_archives_one_after_the_other_are_one(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_bytes({"a.png": PNG}) + tar_bytes({"b.png": PNG}))
    assert rows(open_source(path)) == {"a.png": None, "b.png": None}


def test_damage_at_the_very_beginning_of_compressed_data(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 100)
    with pytest.raises(DataError, match=r"a\.tar\.gz: the gzip data is damaged"):
        open_source(path)


def test_content_beyond_the_limit_is_not_held(tmp_path: Path) -> None:
    path = as_tar({"a.png": bytes(100_000), "b.png": PNG}, tmp_path / "a.tar.gz")
    found = rows(open_source(path, selection=Selection(max_bytes=10_000)))
    assert found == {
        "a.png": "too large: 100,000 bytes, at most 10,000; see --max-bytes",
        "b.png": None,
    }


def test_plain_archives_are_read_by_address(tmp_path: Path) -> None:
    assert [item.held for item in open_source(as_tar(THREE, tmp_path / "a.tar"))] == [0, 0, 0]
    packed = list(open_source(as_tar(THREE, tmp_path / "a.tar.xz")))
    assert all(isinstance(item, HeldItem) and item.held == len(PNG) for item in packed)


def test_members_of_a_web_dataset_that_are_no_pictures_are_counted(tmp_path: Path) -> None:
    files = {"0.jpg": PNG, "0.cls": b"3", "0.json": b"{}", "1.jpg": PNG, "1.cls": b"4"}
    source = open_source(as_tar(files, tmp_path / "shard-000.tar"))
    assert rows(source) == {"0.jpg": None, "1.jpg": None}
    assert source.skipped.count == 3


def test_a_compression_that_this_python_lacks_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(600))
    with pytest.raises((UsageError, DataError), match=r"a\.tar\.zst: .*Zstandard data"):
        open_source(path)


def test_only_what_is_wanted(tmp_path: Path) -> None:
    path = as_tar(THREE, tmp_path / "a.tar")
    source = TarSource(path, "p/", Selection(wants=lambda path: path == "b.png"))
    assert [item.path for item in source] == ["p/b.png"]
