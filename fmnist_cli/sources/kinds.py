"""What kind of file the first bytes say it is; names are only a hint.

The one place that decides what counts as a picture and what as an archive, in folders and
in archives alike.
"""

from __future__ import annotations

_COMMON = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib"}
SUFFIXES = frozenset(
    _COMMON | {".tif", ".tiff", ".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm"}
)

SNIFF = 512  # bytes that tell every kind, tar included, whose mark comes late

_COMPRESSED_TARS = (".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".zst", ".tzst")
_ARCHIVES = frozenset({"zip", "tar", "Parquet"})
_COMPRESSED = frozenset({"gzip", "bzip2", "xz", "Zstandard"})

STARTS = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",  # an empty one
    b"PK\0\0PK": "zip",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_BRANDS = dict.fromkeys((b"avif", b"avis"), "AVIF") | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
    "HEIC",
)
_PICTURES = frozenset({"PNG", "JPEG", "GIF", "TIFF", "BMP", "WebP", "AVIF", "HEIC"})
_IDX_TYPES = b"\x08\x09\x0b\x0c\x0d\x0e"


def kind_of(head: bytes) -> str:
    """The kind of a file, by its first `SNIFF` bytes; 32 are enough for pictures.

    Returns:
        "PNG", "JPEG", …, "zip", "tar", "Parquet", "IDX", "gzip", …; "empty"; else "other".
    """
    if not head:
        return "empty"
    for start, kind in STARTS.items():
        if head.startswith(start):
            return kind
    if head[:2] == b"BM" and head[6:10] == bytes(4):  # a text may begin with "BM"
        return "BMP"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return _BRANDS[head[8:12]]
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace():
        return "Netpbm"
    if len(head) > 4 and head[:2] == b"\0\0" and head[2] in _IDX_TYPES and 1 <= head[3] <= 32:
        return "IDX"
    return "tar" if is_tar_header(head) else "other"


def isomedia_kind(head: bytes) -> str | None:
    """``AVIF`` or ``HEIF`` by the brands in the first box of a file; None for other files."""
    if head[4:8] != b"ftyp" or head[8:12] not in _BRANDS:
        return None
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = {head[8:12], *(head[start : start + 4] for start in range(16, end, 4))}
    return "AVIF" if any(_BRANDS.get(brand) == "AVIF" for brand in brands) else "HEIF"


def looks_like_image(head: bytes) -> bool:
    """Whether the first 16 bytes (or more) of a file are those of a common picture format.

    Netpbm is not among them: its mark is two letters that any text may begin with.
    """
    return kind_of(head[:32]) in _PICTURES


def has_image_suffix(name: str) -> bool:
    """Whether the name ends like a picture's."""
    return name[name.rfind(".") :].lower() in SUFFIXES


def is_archive(name: str, head: bytes) -> bool:
    """Whether a file that is no picture could be opened as an archive of pictures."""
    kind = kind_of(head)
    return kind in _ARCHIVES or (kind in _COMPRESSED and name.lower().endswith(_COMPRESSED_TARS))


def is_tar_header(block: bytes) -> bool:
    """Whether 512 bytes are a tar header: its checksum is right, or at least its mark is there."""
    if len(block) < SNIFF:
        return False
    if block[257:262] == b"ustar":
        return True
    try:
        stored = int(block[148:156].rstrip(b"\0 ") or b"x", 8)
    except ValueError:
        return False
    return stored == sum(block[:148]) + 8 * 32 + sum(block[156:SNIFF])
