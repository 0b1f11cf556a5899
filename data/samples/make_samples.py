"""Draw the sample garment pictures of the demo, `fmnist classify data/samples/`.

Run with ``python data/samples/make_samples.py``; needs NumPy and Pillow. Every picture is drawn
from the outlines below, none comes from a data set, and each run writes the same bytes.

``products/`` holds colour photos on white. ``frames/`` holds 28x28 grey frames made the way
Fashion-MNIST made its own: the negative of a photo, its longest side scaled to 28 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Point = tuple[float, float]
Outline = Sequence[Point]
Colour = tuple[int, int, int]
Floats = npt.NDArray[np.float32]

HERE = Path(__file__).resolve().parent
SCALE = 8  # drawing pixels per unit; a garment is about 100 units on its longest side
WIDTH, HEIGHT = 120, 110  # units; x runs from -60 to 60 and y from -5 to 105
FRAME_SIDE = 28
EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Palette:
    """Colours of one garment: its fabric, its seams and small parts, its second material."""

    fabric: Colour
    seam: Colour
    second: Colour


def greys(fabric: int, seam: int, second: int) -> Palette:
    """The palette of a grey garment."""
    return Palette((fabric,) * 3, (seam,) * 3, (second,) * 3)


class Sketch:
    """A picture under way: colours, which pixels are covered, and the folds of the fabric."""

    def __init__(self, seed: int, folds: float) -> None:
        shape = (HEIGHT * SCALE, WIDTH * SCALE)
        self.rgb: Floats = np.full((*shape, 3), 255, np.float32)
        self.alpha: Floats = np.zeros(shape, np.float32)
        # Far fewer rows than columns: hanging cloth folds along its length.
        grid = np.random.default_rng(seed).normal(size=(5, 24)).astype(np.float32)
        waves = Image.fromarray(grid).resize(shape[::-1], Image.Resampling.BICUBIC)
        self.light: Floats = 1 + folds * np.asarray(waves, np.float32)
        self.light *= np.linspace(1.12, 0.9, shape[0], dtype=np.float32)[:, None]

    def part(self, points: Outline, colour: Colour, radius: float = 2, both: bool = False) -> None:
        """Fill a round-cornered outline, darker towards its rim; `both` adds its mirror image."""
        mask = Image.new("L", self.alpha.shape[::-1])
        ImageDraw.Draw(mask).polygon(to_pixels(rounded(points, radius, closed=True)), fill=255)
        self._paint(mask, colour, rim=0.45, both=both)

    def line(
        self, points: Outline, colour: Colour, width: float, radius: float = 20, both: bool = False
    ) -> None:
        """Stroke a curve that bends smoothly at its inner points; `both` as for `part`."""
        mask = Image.new("L", self.alpha.shape[::-1])
        path = to_pixels(rounded(points, radius, closed=False))
        ImageDraw.Draw(mask).line(path, fill=255, width=round(width * SCALE), joint="curve")
        self._paint(mask, colour, rim=0.1, both=both)

    def dots(self, centres: Outline, colour: Colour, size: float) -> None:
        """Fill small discs: buttons, eyelets, clasps."""
        mask = Image.new("L", self.alpha.shape[::-1])
        for centre in to_pixels(centres):
            ImageDraw.Draw(mask).circle(centre, size * SCALE, fill=255)
        self._paint(mask, colour, rim=0.1, both=False)

    def picture(self) -> Image.Image:
        """The drawing with its transparent background, cropped to what was drawn."""
        pixels = np.dstack([self.rgb, 255 * self.alpha]).round().clip(0, 255).astype(np.uint8)
        image = Image.fromarray(pixels)
        return image.crop(image.getchannel("A").getbbox())

    def _paint(self, mask: Image.Image, colour: Colour, rim: float, both: bool) -> None:
        inside = np.asarray(mask, np.float32) / 255
        soft = np.asarray(mask.filter(ImageFilter.GaussianBlur(2.2 * SCALE)), np.float32) / 255
        shade = self.light * (1 - rim * 2 * (1 - soft).clip(0, 0.5))
        painted = np.asarray(colour, np.float32) * shade[..., None]
        self.rgb += inside[..., None] * (painted - self.rgb)
        self.alpha = np.maximum(self.alpha, inside)
        if both:
            self._paint(ImageOps.mirror(mask), colour, rim, both=False)


def to_pixels(points: Outline) -> list[Point]:
    """Drawing pixels of points given in units."""
    return [((x + WIDTH / 2) * SCALE, (y + 5) * SCALE) for x, y in points]


def rounded(points: Outline, radius: float, *, closed: bool) -> list[Point]:
    """The path with each corner replaced by a quadratic curve of at most this radius."""
    path = [np.asarray(point, np.float64) for point in points]
    ring = [path[-1], *path, path[0]] if closed else path
    curve: list[Point] = [] if closed else [points[0]]
    for before, corner, after in zip(ring, ring[1:], ring[2:], strict=False):
        ends = []
        for other in (before, after):
            length = float(np.hypot(*(other - corner))) or 1.0
            ends.append(corner + (other - corner) * min(radius / length, 0.5))
        for t in np.linspace(0, 1, 9):
            x, y = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * corner + t**2 * ends[1]
            curve.append((float(x), float(y)))
    return curve if closed else [*curve, points[-1]]


def whole(half: Outline) -> list[Point]:
    """The symmetric outline whose right half, from top to bottom, is given."""
    return [*half, *((-x, y) for x, y in reversed(half))]


def draw_t_shirt(s: Sketch, p: Palette) -> None:
    """Short sleeves, round neck, straight body."""
    s.part(whole([(11, 0), (12, 8), (0, 12)]), p.second)
    s.part([(20, 3), (29, 8), (43, 31), (31, 37), (22, 26)], p.fabric, both=True)
    neck_to_hem = [(0, 11), (6, 9), (10, 1), (26, 6), (27, 28), (26, 60), (27, 99)]
    s.part(whole(neck_to_hem), p.fabric)
    s.line([(-10, 1), (-7, 10), (7, 10), (10, 1)], p.seam, 2, radius=8)
    s.line([(40, 28.5), (29, 34)], p.seam, 0.8, both=True)
    s.line([(25, 9), (26.5, 28)], p.seam, 0.7, both=True)
    s.line([(-26, 95), (26, 95)], p.seam, 0.9)


def draw_pullover(s: Sketch, p: Palette) -> None:
    """Long sleeves hanging along the body, ribbed neck, cuffs and hem, no opening."""
    s.part(whole([(10, 0), (10, 6), (0, 8)]), p.second)
    sleeve = [(22, 4), (31, 9), (35, 24), (38, 62), (38, 99), (29, 99), (28, 62), (24, 30)]
    s.part(sleeve, p.fabric, both=True)
    s.part(whole([(0, 8), (6, 7), (10, 1), (26, 6), (26, 34), (25, 60), (25, 96)]), p.fabric)
    s.line([(-10, 1), (-7, 8), (7, 8), (10, 1)], p.seam, 2.6, radius=8)
    s.line([(29, 91), (38, 91)], p.seam, 1.2, both=True)
    s.line([(25, 8), (25.5, 34)], p.seam, 0.8, both=True)
    s.line([(-25, 88.5), (25, 88.5)], p.seam, 1.2)


def draw_dress(s: Sketch, p: Palette) -> None:
    """Sleeveless bodice, narrow belted waist, wide skirt."""
    s.part(whole([(0, 6), (8, 5), (12, 1), (12, 16), (0, 18)]), p.second)
    bodice = [(0, 16), (7, 14), (10.5, 0), (17, 0), (15, 12), (18, 21), (13, 43)]
    s.part(whole(bodice), p.fabric)
    s.part(whole([(12.5, 42), (20, 60), (29, 98), (14, 100)]), p.fabric)
    for top, bottom in ((4, 8), (9, 19)):
        s.line([(top, 47), (bottom, 97)], p.seam, 0.7, both=True)
    s.part(whole([(13.5, 39.5), (13.5, 44.5)]), p.second, radius=0.5)


def draw_coat(s: Sketch, p: Palette) -> None:
    """Long body and sleeves, lapels, an opening down the middle, buttons, pocket flaps."""
    s.part(whole([(9, 0), (10, 8), (0, 12)]), p.second)
    sleeve = [(18, 5), (30, 9), (36, 27), (40, 60), (41, 92), (31, 94), (25, 40)]
    s.part(sleeve, p.fabric, both=True)
    s.part(whole([(0, 26), (9, 1), (27, 7), (26, 30), (26, 46), (29, 99)]), p.fabric)
    s.part([(8.5, 0), (15, 6), (16, 17), (11, 18), (12, 22), (0.5, 36)], p.fabric, both=True)
    s.line([(9, 2), (16, 17), (11, 18), (12, 22), (0.5, 36)], p.seam, 0.9, both=True)
    s.line([(0, 34), (0, 99)], p.seam, 3)
    s.dots([(8, y) for y in (42, 54, 66)], p.seam, 1.5)
    s.line([(12, 62), (22, 60)], p.seam, 1.8, both=True)
    s.line([(31, 87), (41, 85)], p.seam, 1.1, both=True)
    s.line([(26, 10), (26, 44)], p.seam, 1, both=True)


def draw_shirt(s: Sketch, p: Palette) -> None:
    """Pointed collar, button line, chest pocket, cuffed long sleeves, curved tail."""
    sleeve = [(17, 6.1), (30, 9.6), (34, 26), (37, 60), (37, 95), (29, 96), (27, 60), (23, 32)]
    s.part(sleeve, p.fabric, both=True)
    tail = [(0, 10), (9, 4), (26, 8.5), (25.5, 34), (24, 60), (25, 90), (20, 97), (0, 99)]
    s.part(whole(tail), p.fabric)
    s.part(whole([(8, 0), (9, 5), (0, 11)]), p.second)
    s.part([(8, -1), (11, 5), (8, 15), (0.3, 9)], p.fabric, both=True)
    s.line([(11, 5), (8, 15), (0.3, 9)], p.seam, 0.6, both=True)
    s.line([(2.6, 12), (2.6, 98)], p.seam, 0.5, both=True)
    s.dots([(0, y) for y in range(14, 95, 11)], (238, 234, 224), 0.9)
    s.line([(8, 27), (19, 27), (19, 38), (13.5, 41), (8, 38), (8, 27)], p.seam, 0.6, radius=1)
    s.line([(28.5, 88), (37, 87)], p.seam, 0.6, both=True)
    s.line([(24.5, 10), (25, 34)], p.seam, 0.6, both=True)


def draw_trousers(s: Sketch, p: Palette) -> None:
    """Two straight legs, waistband with loops, fly, slanted pockets, creases."""
    leg = [(-0.3, 3), (15.5, 3), (19, 22), (19, 50), (17, 100), (5.5, 100), (4, 66), (0.3, 35)]
    s.part(leg, p.fabric, both=True)
    s.part(whole([(15, 0), (15.8, 5)]), p.fabric, radius=0.8)
    s.line([(-15.8, 5.2), (15.8, 5.2)], p.seam, 0.5)
    s.line([(0, 5), (0, 32)], p.seam, 0.5)
    s.line([(3.5, 5), (3.5, 20), (0, 26)], p.seam, 0.4)
    s.line([(11, 5.5), (12, 12), (17.6, 17)], p.seam, 0.5, both=True)
    s.line([(9, 0), (9, 5)], p.seam, 1, both=True)
    s.line([(9.8, 30), (11.2, 99)], p.seam, 0.4, both=True)
    s.dots([(0, 2.6)], p.seam, 1.1)


def draw_sneaker(s: Sketch, p: Palette) -> None:
    """Low shoe, toe to the left: thick sole, laces, side stripes, padded heel."""
    s.part([(-9, 14), (-4, 2), (3, 0), (12, 10), (40, 10), (38, 18), (0, 20)], p.second)
    upper = [(-49, 37), (-49, 29), (-42, 24), (-28, 20), (-8, 6), (0, 4), (8, 12), (22, 15)]
    s.part([*upper, (36, 10), (43, 3), (48, 5), (46, 16), (49, 37)], p.fabric, radius=6)
    s.part([(-49, 37), (-49, 29), (-42, 24.5), (-34, 23), (-29, 37)], p.second, radius=5)
    s.part([(37, 37), (38, 20), (46, 15), (49, 37)], p.second, radius=4)
    s.part([(-50, 33), (-45, 35), (0, 35), (40, 34), (50, 31), (49, 43), (-46, 43)], p.seam)
    s.line([(-49, 40), (49, 40)], p.second, 0.7)
    for x, y in ((-24, 19), (-18.5, 15), (-13, 11), (-7.5, 7.5)):
        s.line([(x - 1, y - 1.5), (x + 6, y + 5)], p.seam, 2)
    for x in (2, 10, 18):
        s.line([(x + 6, 16), (x - 4, 34)], p.seam, 3)


def draw_ankle_boot(s: Sketch, p: Palette) -> None:
    """Chelsea boot, toe to the left: high shaft, elastic panel, block heel."""
    s.part([(7, 0), (38, -1), (36, 6), (9, 6)], p.second)
    front = [(-50, 68), (-49, 57), (-40, 50), (-20, 45), (-2, 35), (4, 18), (4, 0), (12, 3)]
    back = [(22, 5), (34, 3), (41, -1), (39, 20), (42, 44), (45, 58), (44, 69), (0, 69)]
    s.part([*front, *back], p.fabric, radius=5)
    s.part([(13, 3.5), (31, 4), (26, 34), (19, 35)], p.second, radius=3)
    s.line([(-22, 46), (-8, 55), (2, 68)], p.seam, 0.6)
    s.line([(26, 34), (32, 52), (30, 68)], p.seam, 0.6)
    s.line([(37, 6), (41, -5), (44, -2), (39, 10)], p.second, 1.4, radius=3)
    s.part([(-50, 66), (-20, 68), (10, 67), (45, 66), (45, 71), (8, 71), (-44, 72)], p.seam)
    s.part([(17, 70), (45, 70), (44, 82), (20, 82)], p.seam, radius=1)


def draw_sandal(s: Sketch, p: Palette) -> None:
    """High heel, toe to the left: bare sole, a band over the open toe, a loose ankle strap."""
    s.part([(31, 40), (49, 36), (46, 60), (44, 86), (38, 86), (39, 60)], p.fabric)
    s.line([(-45, 79), (-22, 80), (-8, 72), (14, 47), (30, 39), (48, 38)], p.fabric, 5)
    s.part([(-50, 78), (-30, 76), (-14, 76), (-18, 84), (-46, 85)], p.fabric, radius=3)
    s.part([(-41, 78), (-37, 60), (-24, 53), (-14, 56), (-10, 74)], p.fabric, radius=6)
    s.line([(-26, 78), (-22, 54)], p.seam, 1.6)
    s.part([(33, 40), (40, 26), (46, 12), (50, 14), (50, 38)], p.fabric, radius=3)
    s.line([(47, 16), (30, 20), (14, 14), (18, 6), (32, 4), (47, 14)], p.fabric, 4.2)
    s.dots([(22, 17)], p.seam, 2.5)


def draw_tote_bag(s: Sketch, p: Palette) -> None:
    """Open shopper: wide top, one tall round handle."""
    s.line([(-25, 48), (-24, 18), (-13, 2), (13, 2), (24, 18), (25, 48)], p.fabric, 4.5)
    s.part([(-46, 40), (46, 40), (41, 80), (35, 97), (-35, 97), (-41, 80)], p.fabric, radius=5)
    s.line([(-45, 47), (45, 47)], p.seam, 1.2)
    s.line([(33, 47), (30, 70), (31, 97)], p.seam, 1, both=True)
    s.dots([(-25, 52), (25, 52), (0, 54)], p.seam, 2)


def draw_handbag(s: Sketch, p: Palette) -> None:
    """Flap bag: short handle on rings, stitched flap with a clasp."""
    s.line([(-22, 32), (-20, 10), (-10, 2), (10, 2), (20, 10), (22, 32)], p.second, 4.5)
    s.part([(-40, 28), (40, 28), (48, 88), (-48, 88)], p.fabric, radius=6)
    s.part([(-41, 28), (41, 28), (44, 50), (16, 62), (-16, 62), (-44, 50)], p.fabric, radius=6)
    s.line([(-42.5, 49), (-16, 60), (16, 60), (42.5, 49)], p.seam, 0.6)
    s.line([(-45, 84), (45, 84)], p.seam, 0.6)
    s.dots([(-22, 31), (22, 31)], p.seam, 2.6)
    s.part([(-5, 56), (5, 56), (5, 68), (-5, 68)], p.seam, radius=1.5)
    s.dots([(0, 62)], p.second, 1.4)


Draw = Callable[[Sketch, Palette], None]


def draw(garment: Draw, palette: Palette, *, seed: int = 0, folds: float = 0.05) -> Image.Image:
    """The garment as a large RGBA picture, cropped to its outline."""
    sketch = Sketch(seed, folds)
    garment(sketch, palette)
    return sketch.picture()


def on_canvas(image: Image.Image, size: tuple[int, int], margin: float = 0.06) -> Image.Image:
    """The picture, scaled to fit and centred on a transparent canvas that is white beneath."""
    room = (round(size[0] * (1 - 2 * margin)), round(size[1] * (1 - 2 * margin)))
    small = ImageOps.contain(image, room, Image.Resampling.BOX)
    canvas = Image.new("RGBA", size, (255, 255, 255, 0))
    canvas.paste(small, ((size[0] - small.width) // 2, (size[1] - small.height) // 2))
    return canvas


def on_white(image: Image.Image) -> Image.Image:
    """The picture without transparency, on white."""
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def to_frame(image: Image.Image) -> Image.Image:
    """The Fashion-MNIST form: negative, grey, longest side 28 pixels, centred."""
    side = (FRAME_SIDE, FRAME_SIDE)
    return ImageOps.invert(on_white(on_canvas(image, side, margin=0)).convert("L"))


def main() -> None:
    """Write every sample next to this file."""
    frames, products = HERE / "frames", HERE / "products"
    frames.mkdir(exist_ok=True)
    products.mkdir(exist_ok=True)

    # Dark, because a frame is a negative.
    plain = greys(fabric=52, seam=128, second=96)
    for name, garment, palette in (
        ("t-shirt", draw_t_shirt, plain),
        ("pullover", draw_pullover, greys(fabric=88, seam=160, second=40)),
        ("dress", draw_dress, greys(fabric=36, seam=90, second=150)),
        ("coat", draw_coat, greys(fabric=52, seam=190, second=120)),
        ("sandal", draw_sandal, plain),
        ("sneaker", draw_sneaker, plain),
        ("tote-bag", draw_tote_bag, greys(fabric=88, seam=160, second=40)),
    ):
        to_frame(draw(garment, palette)).save(frames / f"{name}.png", optimize=True)

    denim = Palette(fabric=(44, 62, 104), seam=(176, 140, 92), second=(30, 42, 74))
    teal = Palette(fabric=(40, 104, 112), seam=(150, 192, 192), second=(24, 62, 68))
    wine = Palette(fabric=(140, 36, 74), seam=(104, 24, 54), second=(60, 24, 40))
    red = Palette(fabric=(168, 44, 48), seam=(218, 212, 200), second=(66, 64, 72))
    tan = Palette(fabric=(160, 100, 56), seam=(222, 184, 104), second=(96, 56, 32))
    brown = Palette(fabric=(122, 74, 42), seam=(52, 36, 28), second=(70, 46, 34))

    for name, sketch, size in (
        ("trousers.png", draw(draw_trousers, denim, seed=1), (300, 420)),
        ("shirt.jpg", draw(draw_shirt, teal, seed=2), (360, 420)),
        ("summer-dress.jpg", draw(draw_dress, wine, seed=3), (320, 440)),
        ("running-shoe.jpg", draw(draw_sneaker, red, seed=4, folds=0.02), (440, 300)),
    ):
        photo = on_white(on_canvas(sketch, size))
        photo.save(products / name, optimize=True, quality=88)
    handbag = on_canvas(draw(draw_handbag, tan, seed=5, folds=0.02), (320, 320))
    handbag.save(products / "handbag.png", optimize=True)
    boot = on_canvas(draw(draw_ankle_boot, brown, seed=6, folds=0.02), (330, 400))
    # As a phone held upright saves it: pixels turned left, and a tag that says to turn them right.
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    sideways = on_white(boot).transpose(Image.Transpose.ROTATE_90)
    sideways.save(products / "ankle-boot.jpg", quality=88, exif=exif)


if __name__ == "__main__":
    main()
