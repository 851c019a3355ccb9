"""Pictures animated: from Python and from the command line."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from gfla_video.apis import Animator
from gfla_video.registry import MODELS
from gfla_video.structures import GeneratorOutput
from gfla_video.tasks.pose.driver import PoseDriver
from gfla_video.tasks.pose.structure import PoseStructure
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter, read_video

SIZE = (96, 64)


@MODELS.register_module(name="BrighteningStandIn", force=True)
class Brightening(nn.Module):
    """A network whose result is the source, brighter where the target's joints are."""

    def __init__(self, strength: float = 0.5) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(strength))
        self.encoded, self.batches = 0, []

    def encode_sources(self, sources: list[Tensor]) -> list[Tensor]:
        self.encoded += 1
        return [source.clone() for source in sources]

    def forward(
        self,
        sources: list[Tensor],
        source_structures: list[Tensor],
        target_structure: Tensor,
        encoded: list[Tensor] | None = None,
    ) -> GeneratorOutput:
        batch, _, height, width = target_structure.shape
        self.batches.append(batch)
        assert encoded is not None
        assert not torch.is_grad_enabled()
        assert source_structures[0].shape[1] == 18
        bright = target_structure.amax(dim=1, keepdim=True)
        image = (encoded[0].expand(batch, -1, -1, -1) + self.strength * bright).clamp(-1, 1)
        flow = torch.ones(batch, 2, height // 4, width // 4, device=image.device)
        mask = torch.full((batch, 1, height // 4, width // 4), 0.5, device=image.device)
        return GeneratorOutput(image, [[flow / 2, flow]], [[mask, mask]])


def person(path: Path, size: tuple[int, int] = SIZE, mode: str = "RGB") -> Path:
    pixels = np.full((*size, 3), 60, np.uint8)
    pixels[: size[0] // 2] = (150, 60, 30)  # the upper half is brown
    Image.fromarray(pixels).convert(mode).save(path)
    return path


def body(x: float = 0.0) -> np.ndarray:
    columns = np.linspace(20, 44, 18) + x
    return np.stack([columns, np.linspace(10, 86, 18), np.ones(18)], axis=1)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A picture, its pose and ten frames of driving."""
    np.savez(tmp_path / "own.npz", keypoints=body(), size=SIZE)
    clip = np.stack([body(i) for i in range(10)])
    clip[4, 3] = (-1, -1, 0)
    np.savez(tmp_path / "drive.npz", keypoints=clip, fps="30000/1001", size=SIZE)
    return {
        "source": str(person(tmp_path / "person.png")),
        "driving": str(tmp_path / "drive.npz"),
        "source_structure": str(tmp_path / "own.npz"),
    }


@pytest.fixture
def animator() -> Animator:
    return Animator.from_network(Brightening(), PoseStructure(3.0), PoseDriver(), SIZE, "cpu")


def test_a_clip_with_the_exact_rate_and_all_frames(
    animator: Animator, files: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "new" / "out.mp4"
    summary = animator.animate(out=out, batch_size=4, **files)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == Fraction(30000, 1001)
        assert (stream.height, stream.width) == SIZE
        assert sum(1 for _ in container.decode(stream)) == 10
    assert animator.generator.encoded == 1  # the source once for the whole clip
    assert animator.generator.batches == [4, 4, 2]
    assert summary["frames"] == 10
    assert summary["fps"] == "30000/1001"
    assert summary["size"] == list(SIZE)
    assert "179 joints found, 1 missing" in summary["summary"]
    assert "\n" not in summary["summary"]
    assert list(out.parent.iterdir()) == [out]
    assert animator.animate(out=out, batch_size=3, **files)["frames"] == 10


def test_result_does_not_depend_on_the_batch(
    animator: Animator, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[np.ndarray] = []  # x264 itself is not bit-exact from run to run
    real = VideoWriter.write
    monkeypatch.setattr(
        VideoWriter, "write", lambda self, frame: (written.append(frame.copy()), real(self, frame))
    )
    for batch_size in (1, 7):
        animator.animate(out=tmp_path / "o.mp4", batch_size=batch_size, **files)
    frames = np.stack(written).astype(int)
    assert (frames[:10] == frames[10:]).all()
    assert abs(frames[0] - frames[9]).max() > 30  # frames differ: the joints went on


def test_panels(animator: Animator, files: dict[str, str], tmp_path: Path) -> None:
    out = tmp_path / "o.mp4"
    summary = animator.animate(out=out, show="source,driving,flow,mask", **files)
    assert summary["panels"] == ["source", "driving", "flow", "mask", "result"]
    frame = next(iter(read_video(out)))
    assert frame.shape[1] == 64 * 5 + 2 * 4
    caption = frame.shape[0] - SIZE[0]
    assert caption > 8
    strip = [frame[caption:-1, 66 * i : 66 * i + 64].astype(int) for i in range(5)]
    assert abs(strip[0][5, 32] - (150, 60, 30)).max() < 12
    assert strip[1].max() > 150  # a skeleton
    assert np.median(strip[1]) < 10  # on black
    assert strip[2].std(axis=(0, 1)).max() < 5  # one flow everywhere, one colour
    assert abs(strip[3] - 128).max() < 12
    assert abs(strip[4][5, 60] - (150, 60, 30)).max() < 12  # far from the joints
    with pytest.raises(UserError, match="no panel 'flows'"):
        animator.animate(out=out, show=("flows",), **files)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "LA"])
def test_kinds_and_odd_sizes_of_pictures(
    animator: Animator, files: dict[str, str], tmp_path: Path, mode: str
) -> None:
    files["source"] = str(person(tmp_path / "odd.png", (201, 101), mode))
    summary = animator.animate(out=tmp_path / "o.mp4", **files)
    assert summary["size"] == [96, 48]  # the source's proportions, padding cut off
    assert "from 101x201 to 64x96" in summary["summary"]


def test_exif_rotation(animator: Animator, files: dict[str, str], tmp_path: Path) -> None:
    pixels = np.asarray(Image.open(person(tmp_path / "a.png")))
    turned = Image.fromarray(np.rot90(pixels))  # lies on its side, the tag says so
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "a.jpg", exif=exif, quality=95)
    files["source"] = str(tmp_path / "a.jpg")
    animator.animate(out=tmp_path / "o.mp4", **files)
    frame = next(iter(read_video(tmp_path / "o.mp4"))).astype(int)
    assert abs(frame[5, 60] - (150, 60, 30)).max() < 16  # upright again
    assert abs(frame[90, 5] - (60, 60, 60)).max() < 16


def test_pad_and_stretch(animator: Animator, files: dict[str, str], tmp_path: Path) -> None:
    files["source"] = str(person(tmp_path / "wide.png", (96, 192)))
    padded = animator.animate(out=tmp_path / "o.mp4", **files)
    assert "padded from 64x32" in padded["summary"]
    stretched = animator.animate(out=tmp_path / "o.mp4", resize="stretch", **files)
    assert "Source stretched from 192x96 to 64x96" in stretched["summary"]
    assert padded["size"] == [32, 64] and stretched["size"] == [96, 192]  # undone in the clip
    animator.driver = PoseDriver(resize="stretch")
    assert "stretched" in animator.animate(out=tmp_path / "o.mp4", **files)["summary"]
    with pytest.raises(UserError, match="pad or stretch"):
        animator.animate(out=tmp_path / "o.mp4", resize="crop", **files)


def test_bad_input_comes_before_the_work(
    animator: Animator, files: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        animator.animate(out=tmp_path / "file" / "o.mp4", **files)
    nobody = tmp_path / "nobody.npz"
    np.savez(nobody, keypoints=np.zeros((3, 18, 3)))
    with pytest.raises(UserError, match="holds no poses"):
        animator.animate(out=tmp_path / "o.mp4", **{**files, "driving": str(nobody)})
    with pytest.raises(UserError, match=r"none\.jpg"):
        animator.animate(out=tmp_path / "o.mp4", **{**files, "source": "none.jpg"})
    with pytest.raises(UserError, match="no option speed"):
        animator.animate(out=tmp_path / "o.mp4", speed=2, **files)
    with pytest.raises(UserError, match="--batch-size"):
        animator.animate(out=tmp_path / "o.mp4", batch_size=0, **files)
    assert animator.generator.batches == []
    assert not list(tmp_path.glob("*.mp4"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interruption_leaves_a_partial_clip_and_the_old_result(
    animator: Animator, files: dict[str, str], tmp_path: Path, error, capsys
) -> None:
    out = tmp_path / "o.mp4"
    animator.animate(out=out, **files)
    before = out.read_bytes()
    network = animator.generator
    network.batches.clear()
    real = network.forward

    def stopping(*args, **kwargs) -> GeneratorOutput:
        if len(network.batches) == 3:
            raise error
        return real(*args, **kwargs)

    network.forward = stopping
    with pytest.raises(error):
        animator.animate(out=out, batch_size=2, **files)
    assert out.read_bytes() == before
    assert len(list(read_video(tmp_path / "o.partial.mp4"))) == 6
    assert "first 6 frames are in" in capsys.readouterr().err


def test_frames_are_made_while_they_are_written(
    animator: Animator, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Constant memory: one after the other, never more than one batch ahead of the file."""
    ahead = []
    real = VideoWriter.write

    def counting(writer: VideoWriter, frame: np.ndarray) -> None:
        ahead.append(sum(animator.generator.batches) - writer.frames)
        real(writer, frame)

    monkeypatch.setattr(VideoWriter, "write", counting)
    animator.animate(out=tmp_path / "o.mp4", batch_size=3, overlap=False, **files)
    assert max(ahead) <= 3


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    meta = {
        "task": "pose",
        "size": list(SIZE),
        "structure": {"type": "PoseStructure", "sigma": 3.0},
        "driver": {"type": "PoseDriver"},
        "generator": {"type": "BrighteningStandIn", "strength": 0.5},
    }
    path = tmp_path / "model.pth"
    torch.save({"meta": meta, "state_dict": {"generator.strength": torch.tensor(0.25)}}, path)
    return path


def config(path: Path, task: str = "pose", extra: str = "") -> Path:
    path.write_text(
        f"default_scope = 'gfla_video'\ntask = '{task}'\nsize = (128, 64)\n"
        "structure = dict(type='PoseStructure', sigma=6.0)\n"
        f"driver = dict(type='PoseDriver', resize='stretch')\n{extra}"
    )
    return path


def test_from_a_checkpoint_alone(checkpoint: Path, files: dict[str, str], tmp_path: Path) -> None:
    animator = Animator(None, checkpoint)
    assert animator.size == SIZE
    assert animator.generator.strength.item() == 0.25
    assert not animator.generator.training
    assert animator.animate(out=tmp_path / "o.mp4", **files)["frames"] == 10


def test_a_config_goes_before_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    animator = Animator(config(tmp_path / "c.py"), checkpoint)
    assert (animator.size, animator.driver.resize) == ((128, 64), "stretch")
    changed = Animator(config(tmp_path / "c.py"), checkpoint, cfg_options={"structure.sigma": 2.0})
    assert changed.structure.sigma == 2.0


def test_what_does_not_fit_together(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint of the task pose, but .* is for face"):
        Animator(config(tmp_path / "c.py", task="face"), checkpoint)
    with pytest.raises(UserError, match="--cfg-options"):
        Animator(None, checkpoint, cfg_options={"a": 1})
    content = torch.load(checkpoint, weights_only=True)
    content["meta"]["driver"] = {"type": "DriverOfAnotherPackage"}
    torch.save(content, checkpoint)
    with pytest.raises(UserError, match="the driver 'DriverOfAnotherPackage', which is not reg"):
        Animator(None, checkpoint)
    del content["meta"]["driver"]
    torch.save(content, checkpoint)
    with pytest.raises(UserError, match="says no driver"):
        Animator(None, checkpoint)
    with pytest.raises(UserError, match="multiples of 32"):
        Animator.from_network(Brightening(), PoseStructure(), PoseDriver(), (100, 100))
    with pytest.raises(UserError, match="no such config"):
        Animator(tmp_path / "none.py", checkpoint)


def test_the_command_adds_the_options_of_the_configs_driver(
    checkpoint: Path, files: dict[str, str], tmp_path: Path, monkeypatch, capsys, repo_root: Path
) -> None:
    tool = load_tool(repo_root)
    arguments = [str(config(tmp_path / "c.py")), str(checkpoint), "--source", files["source"]]
    arguments += ["--driving", files["driving"], "--out", str(tmp_path / "o.mp4")]
    arguments += ["--source-structure", files["source_structure"], "--fit", "body"]
    arguments += ["--show", "flow", "--cfg-options", "size=(96,64)"]
    monkeypatch.setattr(sys, "argv", ["animate.py", *arguments])
    tool.main()
    printed = capsys.readouterr().out
    assert "10 frames at 30000/1001 per second" in printed
    assert read_video(tmp_path / "o.mp4").size[1] == 64 * 2 + 2
    with pytest.raises(SystemExit) as stopped:
        tool._parse([arguments[0], "--help"])
    assert stopped.value.code == 0
    assert "--source-structure" in capsys.readouterr().out


def load_tool(repo_root: Path):
    """tools/animate.py as a module."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("animate_tool", repo_root / "tools/animate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_ends_with_one_sentence(
    run_tool, files: dict[str, str], checkpoint: Path, tmp_path: Path
) -> None:
    done = run_tool(
        *("tools/animate.py", config(tmp_path / "c.py", task="face"), checkpoint),
        *("--source", files["source"], "--driving", files["driving"], "--out", "o.mp4"),
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
