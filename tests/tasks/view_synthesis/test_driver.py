"""The camera driver: sources' cameras, what a model of few angles refuses, whole clips."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gfla_video.apis import Animator
from gfla_video.registry import DRIVERS, MODELS
from gfla_video.structures.driving import SourceImage
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.tasks.view_synthesis.cameras import Camera
from gfla_video.tasks.view_synthesis.driver import CameraDriver, CameraStream
from gfla_video.tasks.view_synthesis.structure import CameraAngles, CameraBins
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video

SIZE = (64, 96)


def picture(path: str | Path, structure: Any = None) -> SourceImage:
    pixels = np.full((*SIZE, 3), 90, np.uint8)
    return SourceImage(pixels, Path(path), FrameFit(SIZE, SIZE), structure=structure)


def opened(source: SourceImage, driving: str = "turntable", **options: Any) -> CameraStream:
    return CameraDriver().open(driving, source, options)


def listed(folder: Path, **views: Any) -> None:
    views = {f"{name}.png": view for name, view in views.items()}
    (folder / "cameras.json").write_text(json.dumps({"views": views}))


def test_the_source_camera_is_read_from_the_name() -> None:
    stream = opened(picture("a/347.5_-5.png"))
    assert stream.source == next(iter(stream)) == Camera(347.5, -5.0)
    assert (stream.length, stream.fps, stream.other_sources) == (72, Fraction(24), [])
    assert stream.report[0] == "source seen from azimuth 347.5 and elevation -5 (its name)"
    assert stream.report[1] == "72 cameras, azimuth 347.5 ... 342.5, elevation -5"


def test_where_the_source_camera_is_found(tmp_path: Path) -> None:
    """What is passed comes first, then the list of the folder, then the name."""
    listed(tmp_path, obj1__3={"azimuth": 15, "elevation": 1})
    source = picture(tmp_path / "obj1__3.png")
    stream = opened(source)
    assert stream.source == Camera(15.0, 1.0) and "(in cameras.json)" in stream.report[0]
    assert opened(source, source_camera=["-20,3"]).source == Camera(340.0, 3.0)
    assert opened(source, source_camera=(30, 4.5)).source == Camera(30.0, 4.5)
    listed(tmp_path, **{"12_7": {"azimuth": 1, "elevation": 2}})
    assert opened(picture(tmp_path / "12_7.png")).source == Camera(1.0, 2.0)
    assert opened(picture(tmp_path / "13_7.png")).source == Camera(13.0, 7.0)
    with pytest.raises(UserError, match=r"obj1__3\.png: its camera is not known, pass --source-ca"):
        opened(source)
    driving = tmp_path / "cameras.json"  # not a list of the folder's pictures
    driving.write_text('[{"azimuth": 1, "elevation": 2}]')
    stream = opened(picture(tmp_path / "12_7.png"), str(driving))
    assert (stream.source, list(stream)) == (Camera(12.0, 7.0), [Camera(1.0, 2.0)])
    with pytest.raises(UserError, match="says no camera"):
        opened(source, str(driving))


def test_several_sources(tmp_path: Path) -> None:
    other = picture(tmp_path / "090_10.png")
    source = replace(picture(tmp_path / "000_10.png"), others=(other,))
    stream = opened(source)
    assert (stream.source, stream.other_sources) == (Camera(0.0, 10.0), [Camera(90.0, 10.0)])
    assert stream.report[1] == "090_10.png seen from azimuth 90 and elevation 10 (its name)"
    given = opened(source, source_camera=["1,2", "3,4"])
    assert (given.source, given.other_sources) == (Camera(1.0, 2.0), [Camera(3.0, 4.0)])
    assert opened(source, source_camera=[(1, 2), (3, 4)]).other_sources == [Camera(3.0, 4.0)]
    with pytest.raises(UserError, match="--source-camera: 1 for 2 of --source, pass one"):
        opened(source, source_camera=["1,2"])


def test_a_model_of_few_angles() -> None:
    """A turntable stops at what the model knows; another angle is refused before the work."""
    source = picture("340_10.png", CameraBins(18, (0, 10, 20)))
    stream = opened(source)
    assert stream.length == 18 and stream.fps == 6 and list(stream)[1] == Camera(0.0, 10.0)
    path = "azimuth=0:60:5,elevation=10"
    with pytest.raises(UserError) as raised:
        opened(source, path)
    sentence = str(raised.value)
    assert sentence.startswith(f"--driving {path}, frame 1: azimuth 5 is none of the 18 that")
    assert "--off-bins nearest" in sentence
    stream = opened(source, path, off_bins="nearest")
    assert [camera.azimuth for camera in stream] == [0, 0, 0, 20, 20, 20, 20, 40, 40, 40, 40, 60]
    assert "9 of them taken to the nearest that the model knows" in stream.report
    with pytest.raises(UserError, match=r"frame 0: elevation 11 is none .*\(0, 10, 20\)"):
        opened(source, "elevation=11")


def test_a_source_off_the_bins() -> None:
    bins = CameraBins(18, (0, 10, 20))
    with pytest.raises(UserError, match=r"^333_14\.png, its camera \(its name\): azimuth 333 is"):
        opened(picture("333_14.png", bins))
    stream = opened(picture("333_14.png", bins), off_bins="nearest")
    assert stream.source == Camera(340.0, 10.0) == next(iter(stream))
    assert "elevation 14, taken as azimuth 340 and elevation 10 (its name)" in stream.report[0]
    lenient = picture("333_14.png", CameraBins(18, (0, 10, 20), nearest=True))
    assert opened(lenient).source == Camera(340.0, 10.0)  # the config says nearest
    with pytest.raises(UserError, match="azimuth 333"):
        opened(lenient, off_bins="error")


def test_any_angle_of_a_continuous_code() -> None:
    source = picture("333_14.png", CameraAngles())
    cameras = list(opened(source, "azimuth=0.5:3:1.25,elevation=-7.5"))
    assert cameras == [Camera(0.5, -7.5), Camera(1.75, -7.5)]
    steep = picture("333_14.png", CameraAngles(elevation_scale=4.0))
    with pytest.raises(UserError, match="frame 0: elevation 45 is beyond"):
        opened(steep, "elevation=45")
    with pytest.raises(UserError, match="frame 1: elevation 100 is beyond straight above"):
        opened(source, "elevation=0,100")


def test_frame_rates(tmp_path: Path) -> None:
    source = picture("0_0.png")
    stream = opened(source, "azimuth=0:9:3")
    assert stream.fps == 25 and "25 frames per second taken (see --fps)" in stream.report
    assert opened(source, "turntable", fps="29.97").fps == Fraction(30000, 1001)
    (tmp_path / "c.json").write_text('{"cameras": [{"azimuth": 1, "elevation": 2}], "fps": 12}')
    assert opened(source, str(tmp_path / "c.json")).fps == 12
    with pytest.raises(UserError, match="--fps: 'fast' is no frame rate"):
        opened(source, fps="fast")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"off_bins": "next"}, "off_bins is error or nearest"),
        ({"source_cameras": "1,2"}, "did you mean source_camera"),
        ({"source_camera": "left"}, "--source-camera: 'left' is no camera"),
        ({"source_camera": ["nan,3"]}, "'nan,3' is no camera"),
        ({"source_camera": []}, "is no camera"),
        ({"source_camera": "3,nan"}, "elevation nan is beyond"),
    ],
)
def test_wrong_options(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        opened(picture("0_0.png"), **options)


def test_options_of_the_command() -> None:
    parser = ArgumentParser()
    CameraDriver.add_arguments(parser)
    arguments = ["--source-camera", "20,10", "110,10", "--turns", "-1", "--off-bins", "nearest"]
    stream = CameraDriver().open(
        "turntable",
        replace(picture("a.png", CameraBins()), others=(picture("b.png"),)),
        vars(parser.parse_args(arguments)),
    )
    assert list(stream)[:2] == [Camera(20.0, 10.0), Camera(0.0, 10.0)]
    assert stream.other_sources == [Camera(100.0, 10.0)]
    assert isinstance(DRIVERS.build({"type": "CameraDriver", "resize": "stretch"}), CameraDriver)
    with pytest.raises(ValueError, match="resize is pad or stretch"):
        CameraDriver("crop")


@pytest.fixture
def views(tmp_path: Path) -> list[Path]:
    """Two views of an object; the first is not square and must be fitted."""
    paths = []
    for name, shape in (("020_10", (50, 60)), ("200_10", (64, 64))):
        pixels = np.random.default_rng(len(paths)).integers(0, 255, (*shape, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def animator(structure: Any) -> Animator:
    small = {"base_channels": 4, "max_channels": 8}
    coded = {"structure_channels": structure.channels, "structure_at": "bottleneck", **small}
    attention = {"type": "LocalAttention", "channels": 8, "kernel_size": 3, "hidden": 8}
    network = MODELS.build(
        {
            "type": "TransferGenerator",
            "gain": 1.0,
            "source_encoder": {"type": "PyramidEncoder", **small},
            "flow_estimator": {"type": "FlowEstimator", "flow_levels": (2,), "gain": 1.0, **coded},
            "renderer": {
                "type": "TextureRenderer",
                "attention_levels": (2,),
                "attentions": [attention],
                **coded,
            },
        }
    )
    return Animator.from_network(network, structure, CameraDriver(), (64, 64), "cpu")


def test_a_turntable_of_one_and_of_two_views(views: list[Path], tmp_path: Path) -> None:
    made = animator(CameraBins(6, (0, 10), nearest=True))
    clips = []
    for count in (1, 2):
        out = tmp_path / f"{count}.mp4"
        done = made.animate(views[:count], "turntable", out, show="source,driving,flow,mask")
        assert (done["frames"], done["fps"]) == (6, "2")
        said = "Source seen from azimuth 20 and" if count == 1 else "200_10.png seen from azimuth"
        assert said in done["summary"]
        clips.append(np.stack(list(read_video(out))).astype(int))
    height = round(64 * 50 / 60)  # the first view's proportions at the model's scale
    assert clips[0].shape == clips[1].shape and clips[0].shape[2] == 5 * 64 + 2 * 4
    result = np.s_[:, -height + 4 : -4, -60:]
    assert abs(clips[0][result] - clips[1][result]).max() > 20
    drawn = clips[0][:, -height + 4 : -4, 66:130]
    assert all(abs(one - other).max() > 50 for one, other in pairwise(drawn))


def test_the_work_is_not_begun_for_an_angle_off_the_bins(
    views: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = animator(CameraBins(18, (10,)))
    monkeypatch.setattr(torch.nn.Module, "__call__", lambda *_: pytest.fail("the network ran"))
    with pytest.raises(UserError, match="frame 1: azimuth 15 is none of the 18"):
        made.animate(views[0], "azimuth=0:60:15", tmp_path / "o.mp4", off_bins="error")
    assert not (tmp_path / "o.mp4").exists()
