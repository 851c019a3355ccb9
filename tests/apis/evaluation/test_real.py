"""The real pictures that FID is measured against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from PIL import Image

from gfla_video.apis.evaluation.real import TargetPictures, pictures_in, real_pictures
from gfla_video.datasets import BrokenImageError, TransferDataset, read_image
from gfla_video.evaluation import inception
from gfla_video.evaluation.protocols import find_protocols
from gfla_video.registry import DATASETS
from gfla_video.utils.errors import UserError
from tests.apis.evaluation.toy_evaluation import settings
from tests.evaluation.metrics.pictures import SmallNetwork


def levels(count: int) -> torch.Tensor:
    """Pictures ``[count, 3, 8, 9]`` in [-1, 1]; number i has the 8-bit level 10 i everywhere."""
    return (10.0 * torch.arange(count) / 127.5 - 1).view(-1, 1, 1, 1).expand(-1, 3, 8, 9)


@DATASETS.register_module(name="PlainStills")
def plain_stills() -> list[dict[str, Any]]:
    """Three still samples of a data set that names no folder."""
    return [{"inputs": {}, "targets": {"image": image}} for image in levels(3)]


def test_a_data_set_without_a_folder_gives_its_targets() -> None:
    cfg = Config({"train_dataloader": {"dataset": {"type": "PlainStills"}}})
    real = real_pictures(None, cfg)
    assert real is not None
    assert [int(picture.max()) for picture in real.pictures] == [0, 10, 20]
    assert real.pictures[0].shape == (8, 9, 3)
    assert real.pictures[0].dtype == np.uint8
    assert real_pictures(None, Config({})) is None


def test_of_clips_every_frame_of_their_own() -> None:
    clips = [
        {
            "inputs": {"target_structures": torch.zeros(4, 1, 8, 9)},
            "targets": {"image": levels(4)},
            "meta": {"frames": frames},
        }
        for frames in (4, 2)
    ]
    pictures = TargetPictures(clips)  # type: ignore[arg-type]
    assert [int(picture.max()) for picture in pictures] == [0, 10, 20, 30, 0, 10]
    assert len(pictures) == 6


def test_a_data_set_with_a_folder_gives_all_pictures_there(sample_data: Path) -> None:
    real = real_pictures(None, Config(settings(sample_data)))
    assert real is not None
    assert set(real.pictures) == set((sample_data / "train").glob("*.png"))


@DATASETS.register_module()
class DimmedStills(TransferDataset):
    """Six pictures that are dimmed at random; some cannot be read, others take their places."""

    augmentations = ("dim",)

    def __init__(self, dim: float = 0.0, broken: tuple[int, ...] = ()) -> None:
        super().__init__(skip_broken=5)
        self.dim, self.broken = dim, broken

    def __len__(self) -> int:
        return 6

    def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        if index in self.broken:
            raise BrokenImageError(f"d/{index}.png: not a picture; replace it", f"d/{index}.png")
        level = (levels(6)[index] + 1) * (1 - self.dim * rng.random()) - 1
        return {"inputs": {}, "targets": {"image": level}}


def dimmed(**options: Any) -> Config:
    """A config that trains on them."""
    return Config({"train_dataloader": {"dataset": {"type": "DimmedStills", **options}}})


@pytest.fixture
def metric(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A FID whose network is small."""
    network = (lambda path: SmallNetwork(), "a file")
    monkeypatch.setitem(inception._NETWORKS, "torch-fidelity", network)
    monkeypatch.setenv("GFLA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "inception.pth").write_bytes(b"weights")
    return {"type": "FID", "weights": str(tmp_path / "inception.pth")}


def test_real_pictures_are_not_changed_at_random() -> None:
    plain, changed = real_pictures(None, dimmed()), real_pictures(None, dimmed(dim=0.9))
    assert plain is not None and changed is not None
    assert [int(picture.max()) for picture in changed.pictures] == [0, 10, 20, 30, 40, 50]
    assert changed.notes == plain.notes == ()
    silent = real_pictures(None, Config({"train_dataloader": {"dataset": {"type": "PlainStills"}}}))
    assert silent is not None
    assert silent.notes[0].startswith("training pictures: PlainStills does not say by which option")


def test_a_broken_training_picture_is_named_and_the_rest_counts(metric: dict[str, Any]) -> None:
    (sample,) = find_protocols(["sample"])
    real = real_pictures(None, dimmed(broken=(0, 4)))
    assert real is not None
    found = real.under(sample)(metric)
    assert found.count == 4
    assert found.broken == ("d/0.png: not a picture", "d/4.png: not a picture")


def test_broken_clips_do_not_end_the_reading() -> None:
    class Clips(DimmedStills):
        def load(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
            super().load(index, rng)
            inputs = {"target_structures": torch.zeros(4, 1, 8, 9)}
            return {"inputs": inputs, "targets": {"image": levels(4)}, "meta": {"frames": 2}}

    pictures = TargetPictures(Clips(broken=(0, 3)))
    assert len(pictures) == 2 * 4 + 2
    with pytest.raises(BrokenImageError):
        pictures[0]
    assert int(pictures[2].max()) == 10


def test_of_a_part_of_the_data_the_pictures_of_that_part(sample_data: Path) -> None:
    """A person who is held out of the training is no training picture."""
    config = settings(sample_data)
    whole = real_pictures(None, Config(config))
    assert whole is not None
    options = config["train_dataloader"]["dataset"]
    chosen = []
    for part in ("train", "test"):
        options |= {"split": {"fraction": 0.5, "part": part}, "affine": {"angle": 30}}
        real = real_pictures(None, Config(config))
        assert real is not None
        dataset = DATASETS.build(options)
        named = {name for pair in dataset.pairs for name in (pair.source, pair.target)}
        assert {path.name for path in real.pictures} == named
        chosen.append(set(real.pictures))
    assert not chosen[0] & chosen[1]
    assert chosen[0] | chosen[1] <= set(whole.pictures)


def test_what_is_done_to_real_pictures_is_said(
    sample_data: Path, metric: dict[str, Any], tmp_path: Path
) -> None:
    gfla, crops = find_protocols(["gfla-2020", "deepfashion-256x176"])
    real = real_pictures(sample_data / "train")
    assert real is not None
    for _ in range(2):  # measured, and from the cache
        assert real.under(gfla)(metric).notes == (
            "training pictures: the pictures are 64x64, not 256x256, and measured as they are: the "
            "numbers compare only with others at that size",
        )
    folder = tmp_path / "stretched"
    folder.mkdir()
    for i in range(3):
        Image.new("RGB", (256, 256), (80 * i,) * 3).save(folder / f"{i}.png")
    large = real_pictures(folder)
    assert large is not None
    (unsaid,) = large.under(crops)(metric).notes
    assert "taken as whole ones with margins and cropped" in unsaid
    (undone,) = large.under(crops, "stretch")(metric).notes
    assert undone.startswith("training pictures: pictures that were stretched to 256x256 are resi")
    assert large.as_they_are((256, 256))(metric).notes == ()
    assert "not of the config's size (64, 64)" in large.as_they_are((64, 64))(metric).notes[0]


def test_a_folder_with_sub_folders_in_natural_order(tmp_path: Path) -> None:
    for name in ("a/10.png", "a/2.jpg", "b/1.PNG"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "x.png").mkdir()  # a folder, whatever it is called
    (tmp_path / "b/3.png").symlink_to(tmp_path / "gone.png")
    found = [path.relative_to(tmp_path).as_posix() for path in pictures_in(tmp_path, "--images")]
    assert found == ["a/2.jpg", "a/10.png", "b/1.PNG", "b/3.png"]
    with pytest.raises(BrokenImageError, match="b/3.png: is a link to nothing"):
        read_image(tmp_path / "b/3.png")  # so it is named and counted
    with pytest.raises(UserError, match="--train-images .*none: there is no such folder"):
        real_pictures(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: holds no picture \(.jpg"):
        real_pictures(tmp_path / "empty")
