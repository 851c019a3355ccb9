"""A face animated: previous frames, sound, pictures put back, what is said."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gfla_video.apis import Animator
from gfla_video.registry import MODELS
from gfla_video.structures import GeneratorOutput
from gfla_video.tasks.face import structure as structure_module
from gfla_video.tasks.face.driver import FaceDriver
from gfla_video.tasks.face.structure import FaceStructure
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter, read_video
from tests.apis.test_animate import load_tool
from tests.models.clip_case import generator_config
from tests.tasks.face.faces import face
from tests.utils.videos import beep, make

SIZE = (64, 64)
FPS = Fraction(30000, 1001)


class Brighter(nn.Module):
    """A network whose picture is the last generated one, a little brighter."""

    previous = 1

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor(0.05))
        self.encoded = 0

    def encode_sources(self, sources: list[Tensor], first: int = 0) -> list[Tensor]:
        self.encoded += len(sources)
        return [source.clone() for source in sources]

    def forward(
        self,
        sources: list[Tensor],
        source_structures: list[Tensor],
        target_structure: Tensor,
        encoded: list[Tensor] | None = None,
    ) -> GeneratorOutput:
        assert encoded is not None and len(encoded) == len(sources) == len(source_structures) == 2
        assert target_structure.shape == (1, 16, *SIZE)
        torch.testing.assert_close(encoded[1], sources[1])
        flow = torch.zeros(1, 2, *SIZE)
        mask = torch.ones(1, 1, *SIZE)
        return GeneratorOutput(encoded[1] + self.step, [[flow]] * 2, [[mask]] * 2)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A source with its landmarks, and 20 frames with sound and theirs."""
    Image.fromarray(np.full((*SIZE, 3), 60, np.uint8)).save(tmp_path / "source.png")
    np.savez(tmp_path / "source.npz", landmarks=face(size=0.5) - 32, size=SIZE)
    drive = make(tmp_path / "drive.mp4", beep(1.0, 0.3), frames=20, fps=FPS, size=SIZE)
    points = np.stack([face(mouth=m % 5, size=0.5) - 32 for m in range(20)])
    np.savez(drive.with_suffix(".npz"), landmarks=points, size=SIZE)
    return {"source": str(tmp_path / "source.png"), "driving": str(drive)}


@pytest.fixture
def animator() -> Animator:
    return Animator.from_network(Brighter(), FaceStructure(), FaceDriver(), SIZE, "cpu")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    frames: list[np.ndarray] = []
    real = VideoWriter.write
    monkeypatch.setattr(
        VideoWriter, "write", lambda self, frame: (frames.append(frame.copy()), real(self, frame))
    )
    return frames


def sound_of(path: Path) -> tuple[str, float]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return stream.codec_context.name, float(stream.duration * stream.time_base)


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_previous_frames_go_across_batches(
    animator: Animator,
    files: dict[str, str],
    tmp_path: Path,
    written: list[np.ndarray],
    batch_size: int,
    overlap: bool,
) -> None:
    out = tmp_path / "o.mp4"
    animator.animate(out=out, batch_size=batch_size, overlap=overlap, **files)
    levels = [float(frame.mean()) for frame in written]
    first = 60 / 127.5 - 1
    expected = [(first + 0.05 * (t + 1) + 1) * 127.5 for t in range(20)]
    np.testing.assert_allclose(levels, expected, atol=0.6)
    assert animator.generator.encoded == 2 + 20  # every picture once


def test_the_sound_goes_along(animator: Animator, files: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    summary = animator.animate(out=out, **files)
    codec, seconds = sound_of(out)
    assert codec == "aac"
    assert abs(seconds - 20 / FPS) < 1 / FPS
    assert summary["fps"] == "30000/1001"
    assert summary["sound"] == "copied from drive.mp4 (aac)"
    assert "Sound copied from drive.mp4 (aac)." in summary["summary"]
    assert "20 driving frames: 20 with a face" in summary["summary"]
    assert "Landmarks of drive.npz, beside it" in summary["summary"]
    quiet = animator.animate(out=out, sound=False, **files)
    assert quiet["sound"] == ""
    with av.open(str(out)) as container:
        assert not container.streams.audio


@pytest.mark.parametrize("name", ["drive.mp4", "link.mp4", "picture.mp4", "drive.npz", "points"])
def test_what_is_read_is_never_written_over(
    animator: Animator, files: dict[str, str], tmp_path: Path, name: str
) -> None:
    out, options = tmp_path / name, {}
    if name == "link.mp4":
        out.symlink_to(files["driving"])
    elif name == "picture.mp4":
        out.hardlink_to(files["source"])
    elif name == "drive.npz":  # whose pictures are found beside it
        files["driving"], out = str(out), tmp_path / "drive.mp4"
    elif name == "points":
        out = tmp_path / "points.mp4"
        out.write_bytes((tmp_path / "drive.npz").read_bytes())
        options["driving_landmarks"] = str(out)
    before = out.read_bytes()
    with pytest.raises(UserError, match="--out: .* would overwrite .*; pass another name"):
        animator.animate(**files, out=out, **options)
    assert out.read_bytes() == before


def test_an_unfinished_part_that_is_read_is_kept(
    animator: Animator, files: dict[str, str], tmp_path: Path
) -> None:
    partial = Path(files["driving"]).rename(tmp_path / "out.partial.mp4")
    (tmp_path / "drive.npz").rename(partial.with_suffix(".npz"))
    with pytest.raises(UserError, match="its unfinished part is out.partial.mp4"):
        animator.animate(files["source"], partial, tmp_path / "out.mp4")
    assert partial.is_file()


@pytest.mark.parametrize("size", ["foo", 64, (64,)])
def test_a_size_that_is_none_is_one_sentence(size: Any) -> None:
    with pytest.raises(UserError, match="is not a height and a width, say two numbers"):
        Animator.from_network(Brighter(), FaceStructure(), FaceDriver(), size, "cpu")


def test_another_speed_is_silent_and_finds_the_sources_edges_once(
    animator: Animator, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    monkeypatch.setattr(
        structure_module,
        "canny_edges",
        lambda picture, size: seen.append(id(picture)) or np.zeros(size, bool),
    )
    summary = animator.animate(out=tmp_path / "o.mp4", fps="10", **files)
    assert len(seen) == 1
    assert (summary["fps"], summary["sound"]) == ("10", "")
    assert "The sound of drive.mp4 is left out, as --fps changes the speed" in summary["summary"]
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert not container.streams.audio


def test_a_driver_without_sound(animator: Animator, files: dict[str, str], tmp_path: Path) -> None:
    make(tmp_path / "drive.mp4", None, frames=20, fps=FPS, size=SIZE)
    summary = animator.animate(out=tmp_path / "o.mp4", **files)
    assert "Sound none, drive.mp4 has none." in summary["summary"]


def test_ctrl_c_leaves_a_clip_with_its_sound(
    animator: Animator, files: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "o.mp4"
    animator.animate(out=out, **files)
    before = out.read_bytes()
    network, real = animator.generator, animator.generator.forward
    calls: list[int] = []

    def stopping(*args: Any, **kwargs: Any) -> GeneratorOutput:
        calls.append(1)
        if len(calls) == 13:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    network.forward = stopping
    with pytest.raises(KeyboardInterrupt):
        animator.animate(out=out, batch_size=4, **files)
    assert out.read_bytes() == before
    partial = tmp_path / "o.partial.mp4"
    assert len(list(read_video(partial))) == 12
    assert abs(sound_of(partial)[1] - 12 / FPS) < 1 / FPS


def test_a_face_is_put_back_into_the_source(
    animator: Animator, files: dict[str, str], tmp_path: Path, written: list[np.ndarray]
) -> None:
    wide = np.full((150, 220, 3), 90, np.uint8)
    Image.fromarray(wide).save(tmp_path / "source.png")
    points = face(size=0.5) - 32 + np.array([120, 30])
    np.savez(tmp_path / "source.npz", landmarks=points, size=(150, 220))
    out = tmp_path / "o.mp4"
    summary = animator.animate(out=out, paste_back="source", **files)
    assert summary["size"] == [150, 220]
    assert "Source cropped around the face" in summary["summary"]
    middle = points.mean(axis=0).astype(int)
    assert written[-1][middle[1], middle[0], 0] > 150
    assert (written[-1][:, :60] == 90).all()
    tiled = animator.animate(out=out, paste_back="source", show="source,driving", **files)
    assert tiled["size"][1] == 3 * 220 + 2 * 2
    alone = animator.animate(out=out, **files)
    assert alone["size"] == [64, 64]


@pytest.mark.parametrize("previous", [0, 1, 2])
def test_real_networks_with_previous_frames(
    files: dict[str, str], tmp_path: Path, previous: int, written: list[np.ndarray]
) -> None:
    config = generator_config(previous)
    for part in ("flow_estimator", "renderer"):
        config[part]["structure_channels"] = FaceStructure.channels
    network = MODELS.build(config)
    animator = Animator.from_network(network, FaceStructure(), FaceDriver(), SIZE, "cpu")
    for batch_size in (3, 20):
        summary = animator.animate(
            out=tmp_path / "o.mp4", batch_size=batch_size, show="flow,mask", **files
        )
        assert summary["frames"] == 20
    frames = np.stack(written).astype(int)
    # rounding of batched and single frames may differ by one level
    assert abs(frames[:20, -64:, -64:] - frames[20:, -64:, -64:]).max() <= 1
    assert abs(frames[0, -64:, -64:] - frames[4, -64:, -64:]).max() > 1


def test_the_command(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, repo_root: Path
) -> None:
    config = generator_config(1)
    for part in ("flow_estimator", "renderer"):
        config[part]["structure_channels"] = FaceStructure.channels
    meta = {
        "task": "face",
        "size": list(SIZE),
        "structure": {"type": "FaceStructure"},
        "driver": {"type": "FaceDriver"},
        "generator": config,
    }
    weights = {f"generator.{k}": v for k, v in MODELS.build(config).state_dict().items()}
    torch.save({"meta": meta, "state_dict": weights}, tmp_path / "model.pth")
    (tmp_path / "c.py").write_text(
        "default_scope = 'gfla_video'\ntask = 'face'\nsize = (64, 64)\n"
        "structure = dict(type='FaceStructure')\ndriver = dict(type='FaceDriver')\n"
    )
    tool = load_tool(repo_root)
    arguments = ["animate.py", str(tmp_path / "c.py"), str(tmp_path / "model.pth")]
    options = ["--source", files["source"], "--driving", files["driving"]]
    options += ["--out", str(tmp_path / "o.mp4"), "--motion", "absolute", "--smooth", "1"]
    monkeypatch.setattr(sys, "argv", [*arguments, *options])
    tool.main()
    assert "20 frames at 30000/1001 per second" in capsys.readouterr().out
    assert sound_of(tmp_path / "o.mp4")[0] == "aac"
    monkeypatch.setattr(sys, "argv", [*arguments, *options, "--no-sound"])
    tool.main()
    with av.open(str(tmp_path / "o.mp4")) as container:
        assert not container.streams.audio
