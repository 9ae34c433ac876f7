"""GIF: a frame a moment, all of one size, for good."""

from __future__ import annotations

from io import BytesIO

from figures import moments, steps
from PIL import Image, ImageChops, ImageStat

from inspector.export.gif import LAST_MOMENT, MOMENT, write_gif
from inspector.export.png import rasterise


def test_a_frame_for_each_moment() -> None:
    scenes = steps("S3")
    image = Image.open(BytesIO(write_gif(scenes)))
    assert (image.format, image.n_frames, image.info["loop"]) == ("GIF", len(scenes), 0)
    times = []
    for index, scene in enumerate(scenes):
        image.seek(index)
        times.append(image.info["duration"])
        expected = Image.open(BytesIO(rasterise(scene, "light", ground=True))).convert("RGB")
        assert image.size == expected.size
        difference = ImageStat.Stat(ImageChops.difference(image.convert("RGB"), expected))
        assert max(difference.mean) < 2
    assert times == [*([MOMENT] * (len(scenes) - 1)), LAST_MOMENT]


def test_one_moment_is_a_picture() -> None:
    assert Image.open(BytesIO(write_gif(moments("S5")[:1], theme="dark"))).n_frames == 1
