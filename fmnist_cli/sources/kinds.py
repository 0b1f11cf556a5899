"""What kind of file the first bytes say it is; names are only a hint.

The one place that decides what counts as a picture and what as an archive, in folders and
in archives alike.
"""

from __future__ import annotations

import re

# What has one of these suffixes gets a row. Not all are read, but none is passed over quietly.
_SUFFIXES = """
    .png .jpg .jpeg .jpe .jfif .webp .gif .bmp .dib .tif .tiff .avif .heic .heif
    .ppm .pgm .pbm .pnm .pfm .pam .jp2 .j2k .j2c .jpc .jpf .jpx .tga .psd .ico .qoi .pcx .sgi
    .dng .nef .nrw .cr2 .cr3 .crw .arw .srf .sr2 .raf .orf .rw2 .rwl .pef .srw .x3f .mrw .3fr
    .iiq .kdc .dcr .erf .mef .mos
    .jxl .jxr .wdp .hdp .dds .svg .svgz .eps .exr .xcf .psb .cur .icns .wmf .emf .bpg .djvu
    .flif .dcm .fits
"""
SUFFIXES = frozenset(_SUFFIXES.split())

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
    b"II+\0": "TIFF",  # with addresses of 64 bits
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS\0\1": "PSD",
    b"qoif": "QOI",
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",  # an empty one
    b"PK\0\0PK": "zip",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
}
_RAW_STARTS = {
    b"FUJIFILMCCD-RAW": "RAF",
    b"IIU\0": "RW2",
    b"IIRO": "ORF",
    b"IIRS": "ORF",
    b"MMOR": "ORF",
    b"FOVb": "X3F",
    b"\0MRM": "MRW",
    b"II\x1a\0\0\0HEAPCCDR": "CRW",
}
_UNREAD_STARTS = {
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II\xbc\1": "JPEG XR",
    b"DDS ": "DDS",
    b"v/1\1": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"gimp xcf": "XCF",
    b"8BPS\0\2": "PSB",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"\xd7\xcd\xc6\x9a": "WMF",
    b"\0\0\2\0\1\0": "CUR",
    b"icns": "ICNS",
    b"BPG\xfb": "BPG",
    b"AT&TFORM": "DjVu",
    b"FLIF": "FLIF",
    b"SIMPLE  =": "FITS",
}
STARTS |= _RAW_STARTS | _UNREAD_STARTS
RAW = frozenset({*_RAW_STARTS.values(), "CR2", "CR3"})
UNREAD = frozenset({*_UNREAD_STARTS.values(), "SVG", "DICOM", *RAW})
_BRANDS = dict.fromkeys((b"avif", b"avis"), "AVIF") | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
    "HEIC",
)
_READ = frozenset({"PNG", "JPEG", "GIF", "TIFF", "BMP", "WebP", "AVIF", "HEIC"})
_READ |= {"JPEG 2000", "PSD", "QOI"}
_PICTURES = _READ | UNREAD
_SVG = re.compile(rb"\s*(?:<\?xml|<!DOCTYPE svg|<!--|<svg[\s>])")
_IDX_TYPES = b"\x08\x09\x0b\x0c\x0d\x0e"


def kind_of(head: bytes) -> str:
    """The kind of a file, by its first `SNIFF` bytes; 32 are enough for pictures.

    Returns:
        "PNG", "JPEG", …, one of `UNREAD`, "zip", "tar", "Parquet", "IDX", "gzip", …; "empty";
        else "other".
    """
    if not head:
        return "empty"
    if head[257:262] == b"ustar" and is_tar_header(head, strict=True):
        return "tar"  # first: the name of its first member may look like any other kind
    for start, kind in STARTS.items():
        if head.startswith(start):
            return "CR2" if kind == "TIFF" and head[8:10] == b"CR" else kind
    if head[:2] == b"BM" and head[6:10] == bytes(4):  # a text may begin with "BM"
        return "BMP"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return _BRANDS[head[8:12]]
    if head[4:12] == b"ftypcrx ":
        return "CR3"
    if head[:1] == b"P" and head[1:2] in b"1234567fF" and head[2:3].isspace():
        return "Netpbm"
    if head[:4] == b"\0\0\1\0" and head[5:6] == b"\0" != head[4:5]:
        return "ICO"
    if head[:2] == b"\x01\xda" and head[2:3] in b"\0\1" and head[3:4] in b"\1\2":
        return "SGI"
    if head[:1] == b"\n" and head[1:2] in b"\0\2\3\4\5" and head[2:3] in b"\0\1" and len(head) > 3:
        return "PCX"
    if head[:10] == b"%!PS-Adobe" and b"EPSF" in head[:32]:
        return "EPS"
    if head[128:132] == b"DICM":
        return "DICOM"
    if _SVG.match(head.removeprefix(b"\xef\xbb\xbf")) and b"<svg" in head:
        return "SVG"
    if len(head) > 4 and head[:2] == b"\0\0" and head[2] in _IDX_TYPES and 1 <= head[3] <= 32:
        return "IDX"
    if _is_tga(head):
        return "TGA"
    return "tar" if is_tar_header(head) else "other"


def isomedia_kind(head: bytes) -> str | None:
    """``AVIF`` or ``HEIF`` by the brands in the first box of a file; None for other files."""
    if head[4:8] != b"ftyp" or head[8:12] not in _BRANDS:
        return None
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = {head[8:12], *(head[start : start + 4] for start in range(16, end, 4))}
    return "AVIF" if any(_BRANDS.get(brand) == "AVIF" for brand in brands) else "HEIF"


def _is_tga(head: bytes) -> bool:
    """Whether these may be the first bytes of TGA, which has no mark of its own."""
    if len(head) < 18 or head[2] & 7 not in (1, 2, 3) or head[2] > 11 or head[17] & 0xC0:
        return False
    palette = head[1] == 1 and head[7] in (15, 16, 24, 32)
    if not palette and (head[1] or any(head[3:8]) or head[2] & 7 == 1):
        return False
    return any(head[12:14]) and any(head[14:16]) and head[16] in (8, 15, 16, 24, 32)


def looks_like_image(head: bytes) -> bool:
    """Whether the first 16 bytes (or more) of a file are those of a common picture format.

    Kinds with a mark that other files may begin with, such as two letters, are not among them.
    """
    return kind_of(head) in _PICTURES and head[:2] != b"\xff\x0a"


def has_image_suffix(name: str) -> bool:
    """Whether the name ends like a picture's."""
    return name[name.rfind(".") :].lower() in SUFFIXES


def has_archive_suffix(name: str) -> bool:
    """Whether the name ends like that of an archive of pictures."""
    return name.lower().endswith((".zip", ".tar", ".parquet", *_COMPRESSED_TARS))


def is_archive(name: str, head: bytes) -> bool:
    """Whether a file that is no picture could be opened as an archive of pictures."""
    kind = kind_of(head)
    return kind in _ARCHIVES or (kind in _COMPRESSED and name.lower().endswith(_COMPRESSED_TARS))


def is_tar_header(block: bytes, *, strict: bool = False) -> bool:
    """Whether 512 bytes are a tar header: its checksum is right, or at least its mark is there.

    Args:
        block: the first bytes of a file.
        strict: whether the mark alone is not enough.
    """
    if len(block) < SNIFF:
        return False
    if block[257:262] == b"ustar" and not strict:
        return True
    try:
        stored = int(block[148:156].rstrip(b"\0 ") or b"x", 8)
    except ValueError:
        return False
    return stored == sum(block[:148]) + 8 * 32 + sum(block[156:SNIFF])
