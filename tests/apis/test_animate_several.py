"""Several pictures of one object animated together: the network sees all of them, in their order.

The task is the example of ``docs/add_a_task.md``, whose driver takes several sources.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gfla_video.apis import Animator
from gfla_video.registry import DRIVERS, MODELS, STRUCTURES
from gfla_video.structures.frame_fit import FrameFit
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter

SIZE = (64, 96)
CENTRES = [(20.0 + 8 * step, 30.0) for step in range(5)]
PLACES = [(30.0, 20.0), (60.0, 44.0), (90.0, 50.0)]
SHAPES = [(64, 96), (80, 100), (50, 150)]
_SMALL = {"base_channels": 4, "max_channels": 8}


def network(previous: int = 0, **estimator: Any) -> torch.nn.Module:
    """A small generator of the disc task."""
    flow = {"type": "FlowEstimator", **estimator}
    attention = {"type": "LocalAttention", "channels": 8, "kernel_size": 3, "hidden": 8}
    renderer = {"type": "TextureRenderer", "attention_levels": (2,), "attentions": [attention]}
    config = {
        "type": "TransferGenerator",
        "previous": previous,
        "gain": 1.0,
        "source_encoder": {"type": "PyramidEncoder", **_SMALL},
        "flow_estimator": {"structure_channels": 1, "gain": 1.0, "flow_levels": (2,), **_SMALL},
        "renderer": {"structure_channels": 1, **renderer, **_SMALL},
    }
    config["flow_estimator"].update(flow)
    return MODELS.build(config)


@pytest.fixture
def disc(repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """The toy task's structure and driver."""
    monkeypatch.syspath_prepend(str(repo_root / "tests/toy_task"))
    import disc_task  # noqa: F401

    return STRUCTURES.build({"type": "DiscStructure"}), DRIVERS.build({"type": "DiscDriver"})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    """Three pictures of different sizes and a file of centres."""
    paths = [tmp_path / f"view{number}.png" for number in range(3)]
    for number, (path, shape) in enumerate(zip(paths, SHAPES, strict=True)):
        pixels = np.random.default_rng(number).integers(0, 255, (*shape, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    (tmp_path / "centres.txt").write_text("".join(f"{x} {y}\n" for x, y in CENTRES))
    driving, out = tmp_path / "centres.txt", tmp_path / "out.mp4"
    return {"source": paths, "driving": driving, "out": out}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Every frame that is given to the file (x264 itself loses something)."""
    frames: list[np.ndarray] = []
    real = VideoWriter.write

    def keeping(writer: VideoWriter, frame: np.ndarray) -> None:
        frames.append(frame.copy())
        real(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", keeping)
    return frames


def by_hand(generator: Any, structure: Any, paths: list[Path]) -> np.ndarray:
    """The frames as the one call makes them, uint8 ``[T, H, W, 3]``."""
    images, maps = [], []
    for path, place in zip(paths, PLACES, strict=False):
        pixels = np.asarray(Image.open(path))
        fit = FrameFit(pixels.shape[:2], SIZE, "pad")
        picture = torch.from_numpy(fit.image(pixels)).permute(2, 0, 1).float()
        images.append(picture[None] / 127.5 - 1)
        maps.append(structure.encode(fit.points(np.array(place)), SIZE)[None])
    frames = []
    for centre in CENTRES:  # the first picture has the model's size: nothing is moved
        target = structure.encode(centre, SIZE)[None]
        image = generator(images, maps, target).image[0].permute(1, 2, 0)
        frames.append(((image + 1) * 127.5).round().clamp(0, 255).numpy())
    return np.stack(frames)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("overlap", [False, True])
def test_the_network_gets_every_source_with_its_structure(
    disc: tuple[Any, Any],
    files: dict[str, Any],
    written: list[np.ndarray],
    count: int,
    overlap: bool,
) -> None:
    generator = network().eval()
    files["source"] = files["source"][:count]
    with torch.no_grad():
        expected = by_hand(generator, disc[0], files["source"])
    animator = Animator.from_network(generator, *disc, SIZE, "cpu")
    calls: list[int] = []
    encode = generator.encode_sources
    generator.encode_sources = lambda sources: (calls.append(len(sources)), encode(sources))[1]
    centres = [number for place in PLACES[:count] for number in place]
    done = animator.animate(**files, batch_size=2, disc_centre=centres, overlap=overlap)
    assert calls == [count]  # each picture once for the whole clip
    assert done["size"] == list(SIZE)
    assert abs(np.stack(written) - expected).max() <= 1  # rounding
    resized = "Source view1.png resized with its proportions kept from 100x80"
    assert (resized in done["summary"]) == (count > 1)


def test_more_sources_change_the_result(
    disc: tuple[Any, Any], files: dict[str, Any], written: list[np.ndarray]
) -> None:
    animator = Animator.from_network(network(), *disc, SIZE, "cpu")
    paths = files.pop("source")
    for source in (str(paths[0]), [paths[0]], paths[:2]):
        animator.animate(source, show="source,result", **files)
    one, alone, two = np.stack(written).astype(int).reshape(3, len(CENTRES), -1, 96 * 2 + 2, 3)
    assert np.array_equal(one, alone)
    assert abs(two - one)[..., 98:, :].max() > 20
    panel = np.s_[:, -64:, :96]
    assert np.array_equal(two[panel], one[panel])  # the first picture


def test_several_pictures_where_one_is_taken(
    disc: tuple[Any, Any], files: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = network(1, type="JointFlowEstimator", references=2)
    animator = Animator.from_network(video, *disc, SIZE, "cpu")
    with pytest.raises(UserError, match="--source: 3 pictures, but this network takes one and the"):
        animator.animate(**files)
    animator = Animator.from_network(network(), *disc, SIZE, "cpu")
    with pytest.raises(UserError, match="pass x y of each of 3 source"):
        animator.animate(**files, disc_centre=[1, 2])
    with pytest.raises(UserError, match="--source: no picture is given"):
        animator.animate(**{**files, "source": []})
    with pytest.raises(UserError, match=r"view1\.png, which is read here"):
        (files["out"].parent / "out.mp4").symlink_to(files["source"][1])
        animator.animate(**files)
    monkeypatch.setattr(type(disc[1]), "several_sources", False)
    with pytest.raises(UserError, match="--source: 3 pictures, but DiscDriver takes one; pass one"):
        animator.animate(**files)


def test_a_network_that_cannot_encode_beforehand(
    disc: tuple[Any, Any], files: dict[str, Any], written: list[np.ndarray]
) -> None:
    """``encode_sources`` is an offer of a generator, not a duty."""

    class Plain(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *inputs: Any) -> Any:
            return self.inner(*inputs)

    generator = network()
    for made in (generator, Plain(generator)):
        Animator.from_network(made, *disc, SIZE, "cpu").animate(**files)
    once, again = np.split(np.stack(written).astype(int), 2)
    assert abs(once - again).max() <= 1
