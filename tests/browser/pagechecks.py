"""What can be wrong with the looks of any page, as lists that ought to be empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

AA = 4.5  # contrast of text, WCAG 2.2, success criterion 1.4.3

_FAINT = """(least) => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) => {
    const linear = (v) => (v / 255 <= .04045 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4);
    return .2126 * linear(red) + .7152 * linear(green) + .0722 * linear(blue);
  };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = parse(getComputedStyle(element).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const words = texts.currentNode.textContent.trim();
    if (!words || !element.checkVisibility({visibilityProperty: true})) continue;
    const pair = [parse(getComputedStyle(element).color), behind(element)].map(luminance);
    const ratio = (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
    if (ratio < least) faint.add(`${words.slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return [...faint];
}"""

_OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > width + .5)
    .map((element) => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
}"""

_WITHOUT_PICTURE = """() => [...document.images]
    .filter((image) => !(image.complete && image.naturalWidth > 0 && image.alt))
    .map((image) => image.alt || image.outerHTML.slice(0, 80))"""

_LEADING_NOWHERE = """() => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place);
  const links = [...document.querySelectorAll("a[href^='#']")].map((a) => a.hash.slice(1));
  return [...twice, ...links.filter((id) => !ids.includes(id))];
}"""


def faint(page: Page) -> list[str]:
    """Visible text whose contrast to what is behind it is below `AA`, with the ratio."""
    return page.evaluate(_FAINT, AA)


def overflowing(page: Page) -> list[str]:
    """What makes the page scroll sideways."""
    return page.evaluate(_OVERFLOWING)


def without_picture(page: Page) -> list[str]:
    """Images that did not load or have no alternative text."""
    return page.evaluate(_WITHOUT_PICTURE)


def leading_nowhere(page: Page) -> list[str]:
    """Ids that are there twice, and those that links name and that are not there."""
    return page.evaluate(_LEADING_NOWHERE)


def open_details(page: Page) -> None:
    """Open whatever is folded, so that it is looked at, too."""
    page.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")


def wrong_looks(page: Page) -> list[str]:
    """All of these, with everything unfolded."""
    open_details(page)
    checks = (faint, overflowing, without_picture, leading_nowhere)
    return [f"{check.__name__}: {found}" for check in checks for found in check(page)]
