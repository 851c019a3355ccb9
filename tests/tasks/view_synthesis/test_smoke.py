"""The task with the project's tools: trained, resumed, measured, turned; what its configs make."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gfla_video.apis import Animator, evaluate, train
from gfla_video.apis.config import load_config
from gfla_video.registry import DATASETS, MODELS
from gfla_video.utils.errors import UserError
from gfla_video.utils.video import read_video

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SMOKE = CONFIGS / "_smoke" / "view_synthesis.py"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, view_samples: Path) -> Path:
    """Both stages of the smoke config, stopped in the second and resumed."""
    folder = tmp_path_factory.mktemp("run")
    data = {
        f"{which}_dataloader.dataset.data_root": str(view_samples) for which in ("train", "test")
    }
    train(SMOKE, folder, cfg_options={**data, "stages.1.train_cfg.max_iters": 1}, device="cpu")
    train(SMOKE, folder, cfg_options=data, device="cpu", resume=True)
    return folder


def test_it_is_measured_against_the_exact_flow(run: Path, view_samples: Path) -> None:
    root = {"test_dataloader.dataset.data_root": str(view_samples)}
    report = evaluate(SMOKE, run / "model.pth", cfg_options=root, baselines=["copy_source"])
    (table,) = report["tables"]
    assert table["count"] == 12  # one source view of 2 objects, to 6 azimuths
    found = table["results"]["model"]
    assert {"ssim", "l1", "foreground_l1", "flow_epe", "flow_epe_ratio"} <= set(found)
    assert found["flow_epe_zero"] > 1.0


def test_it_turns_one_view_and_two(run: Path, view_samples: Path, tmp_path: Path) -> None:
    car = view_samples / "test" / "car90001"
    animator = Animator(SMOKE, run / "model.pth", device="cpu")
    pictures = {}
    for name, sources in (
        ("one", [car / "000_00.png"]),
        ("two", [car / "000_00.png", car / "180_00.png"]),
    ):
        out = tmp_path / f"{name}.mp4"
        summary = animator.animate(sources, "azimuth=0:90:15,elevation=5", out)
        assert (summary["frames"], summary["size"]) == (6, [64, 64])
        pictures[name] = next(iter(read_video(out)))
    assert (pictures["one"] != pictures["two"]).any()


def test_binned_cameras_refuse_what_they_do_not_know(
    run: Path, view_samples: Path, tmp_path: Path
) -> None:
    bins = {"_delete_": True, "type": "CameraBins", "azimuths": 5, "elevations": (0, 10, 20)}
    changes = {"structure": bins}
    animator = Animator(SMOKE, run / "model.pth", device="cpu", cfg_options=changes)
    source = view_samples / "test" / "car90001" / "000_00.png"
    with pytest.raises(UserError, match="azimuth 36 is none of the 5"):
        animator.animate(source, "azimuth=0:80:36", tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("structure", "said"),
    [
        (
            {"_delete_": True, "type": "CameraBins"},
            "CameraBins of 21 channels, .* CameraAngles of 8",
        ),
        (5, "says structure=5, which is no dict"),
    ],
)
def test_another_structure_is_refused_before_the_work(
    run: Path, structure: object, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        Animator(SMOKE, run / "model.pth", device="cpu", cfg_options={"structure": structure})


@pytest.mark.parametrize("name", ["sample", "shapenet_car", "shapenet_chair"])
def test_every_trained_weight_of_the_last_stage_gets_a_gradient(name: str) -> None:
    """What gets none would break training in several processes."""
    config = load_config(CONFIGS / "view_synthesis" / f"{name}.py")
    generator = MODELS.build(config.stages[-1]["model"]["generator"])
    channels = 21 if name.startswith("shapenet") else 8
    size = (64, 64)
    code = torch.randn(2, 1, channels, 1, 1)
    out = generator([torch.rand(1, 3, *size)], [code[0]], code[1])
    out.image.square().mean().backward()
    without = [n for n, p in generator.named_parameters() if p.grad is None]
    assert not without


def test_the_chairs_config_names_chairs() -> None:
    config = load_config(CONFIGS / "view_synthesis" / "shapenet_chair.py")
    loaders = config.train_dataloader, config.test_dataloader
    assert [loader.dataset.category for loader in loaders] == ["chair", "chair"]
    assert [loader.dataset.ids for loader in loaders] == ["id_chair_train.txt", "id_chair_test.txt"]


def test_the_published_methods_train_on_the_released_azimuths() -> None:
    """The released file has 36 of them, the codes 18."""
    for name in ("shapenet_car", "shapenet_chair", "appearance_flow"):
        config = load_config(CONFIGS / "view_synthesis" / f"{name}.py")
        assert config.train_dataloader.dataset.azimuths == "0:360:20", name


@pytest.mark.parametrize("known", ["True", "False"])
def test_the_config_of_ones_own_objects(known: str, tmp_path: Path, view_samples: Path) -> None:
    """Rendered objects with their exact correspondences, or photographs."""
    text = (CONFIGS / "view_synthesis" / "few_views.py").read_text()
    text = text.replace("../_base_", str(CONFIGS / "_base_")).replace(
        "data/views", str(view_samples)
    )
    text = text.replace("_with_points = True", f"_with_points = {known}")
    text = text.replace("_with_truth = False", f"_with_truth = {known}")
    (tmp_path / "own.py").write_text(text)
    config = load_config(tmp_path / "own.py")
    losses = [set(stage["model"]["losses"]) for stage in config.stages]
    assert all(("points" in names) == (known == "True") for names in losses)
    for loader in (config.train_dataloader, config.test_dataloader):
        sample = DATASETS.build(loader.dataset)[0]
        assert sample["targets"]["image"].shape == (3, 128, 128)
