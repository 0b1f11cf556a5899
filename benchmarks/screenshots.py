"""Makes the screenshots of docs/report.md from a page of `fmnist report`.

Run: python benchmarks/screenshots.py report.html [FOLDER]

Needs Playwright and a Chromium. Pictures that would be too large get 256 colours.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS = Path(__file__).resolve().parent.parent / "docs"
LIMIT = 300_000  # bytes of a picture
SECTIONS = ("data", "curves", "confusion", "classes", "cost", "robustness", "gradcam")
DARK = ("calibration",)
PHONE = ("confusion", "cost", "curves", "results")
PHONE_HEIGHT = 1000
# Largest cell of the matrix that is shown.
LARGEST = """() => {
    const cells = [...document.querySelectorAll('.model:not([hidden]) .confusion button')];
    cells.sort((a, b) => b.textContent - a.textContent)[0]?.click();
}"""
FINISHED = """() => Promise.all([...document.images].map((one) => one.decode()))"""


def opened(browser: Browser, path: Path, width: int, *, dark: bool = False) -> Page:
    """The page with all charts drawn and a cell of the matrix chosen."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
    )
    page.goto(path.absolute().as_uri())
    for number, chart in enumerate(page.locator("figure.chart").all()):
        chart.scroll_into_view_if_needed()
        page.locator("figure.chart[data-drawn]").nth(number).wait_for()
    page.evaluate(LARGEST)
    page.evaluate(FINISHED)
    page.mouse.move(0, 0)
    page.wait_for_timeout(300)
    return page


def shot(page: Page, section: str) -> Image.Image | None:
    """A section with anything to see; None for one that is left out."""
    part = page.locator(f"#{section}")
    if part.locator("figure, table, ul").count() == 0:
        return None
    return Image.open(io.BytesIO(part.screenshot())).convert("RGB")


def save(image: Image.Image, path: Path) -> None:
    """As PNG, with a palette where it would be too large."""
    image.save(path, optimize=True)
    if path.stat().st_size > LIMIT:
        image.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.name}: {image.width}×{image.height}, {size:,} bytes")
    if size > LIMIT:
        raise SystemExit(f"{path} is larger than {LIMIT:,} bytes")


def beside(images: list[Image.Image]) -> Image.Image:
    """Pictures of a phone, side by side, cut at one height."""
    gap = 24
    width = sum(image.width + gap for image in images) - gap
    joined = Image.new("RGB", (width, PHONE_HEIGHT), "#808080")
    left = 0
    for image in images:
        joined.paste("#fbfbf9", (left, 0, left + image.width, PHONE_HEIGHT))
        shown = image.crop((0, 0, image.width, min(image.height, PHONE_HEIGHT)))
        joined.paste(shown, (left, 0))
        left += image.width + gap
    return joined


def main(arguments: list[str]) -> None:
    """Write all pictures."""
    from playwright.sync_api import sync_playwright

    path, out = Path(arguments[0]), Path(arguments[1]) if len(arguments) > 1 else DOCS
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or playwright.chromium.executable_path
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        for dark, sections in ((False, SECTIONS), (True, DARK)):
            page = opened(browser, path, 1400, dark=dark)
            for section in sections:
                if (image := shot(page, section)) is not None:
                    save(image, out / f"report-{section}.png")
            page.close()
        page = opened(browser, path, 390)
        save(
            beside([image for one in PHONE if (image := shot(page, one)) is not None]),
            out / "report-phone.png",
        )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
