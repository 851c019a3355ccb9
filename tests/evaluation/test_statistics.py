"""Statistics of folders: their numbers, their cache, and broken pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gfla_video.datasets import read_image
from gfla_video.evaluation import (
    FeatureExtractor,
    Statistics,
    default_cache,
    load_statistics,
)
from gfla_video.evaluation import folder_statistics as any_statistics
from gfla_video.evaluation.statistics import frechet_distance
from gfla_video.utils.errors import UserError
from tests.evaluation.metrics.pictures import SmallNetwork, make_images, pixels, small_extractor


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven pictures, one of another size."""
    made = tmp_path / "pictures"
    made.mkdir()
    for i, image in enumerate(pixels(make_images(7)[0]).permute(0, 2, 3, 1).numpy()):
        Image.fromarray(image[:-2] if i == 3 else image).save(made / f"{i}.png")
    return made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test's statistics are kept."""
    monkeypatch.setenv("GFLA_CACHE", str(tmp_path / "cache"))
    assert default_cache() == tmp_path / "cache"
    return tmp_path / "cache"


def read(path: Path) -> np.ndarray:
    """As the data sets read a picture."""
    return np.asarray(read_image(path))


folder_statistics = partial(any_statistics, read=read)


def features(paths: list[Path]) -> np.ndarray:
    """One picture after the other, float64."""
    network = SmallNetwork()
    rows = []
    for path in paths:
        image = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None]
        rows.append(network(image)[0].double().detach().numpy())
    return np.concatenate(rows)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_mean_and_covariance(folder: Path, batch_size: int) -> None:
    paths = sorted(folder.iterdir())
    found = folder_statistics(paths, small_extractor(), batch_size=batch_size, keep_features=True)
    expected = features(paths)
    assert found.count == 7 and found.broken == ()
    np.testing.assert_allclose(found.mean, expected.mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        found.covariance, np.cov(expected, rowvar=False), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(found.features, expected, rtol=1e-5)


@pytest.mark.parametrize(("batch", "count"), [(2, 6), (4, 4), (9, 7)])
def test_the_incomplete_last_batch_may_be_dropped(folder: Path, batch: int, count: int) -> None:
    paths = sorted(folder.iterdir())
    found = folder_statistics(paths, small_extractor(), whole_batches=batch, batch_size=3)
    assert found.count == count and found.features is None
    np.testing.assert_allclose(found.mean, features(paths)[:count].mean(0), rtol=1e-5)


def test_what_was_measured_is_kept_until_something_changes(folder: Path, cache: Path) -> None:
    paths = sorted(folder.iterdir())
    extractor = small_extractor()

    def calls(**settings: object) -> tuple[int, Statistics]:
        before = extractor.network.calls
        found = folder_statistics(paths, extractor, **settings)  # type: ignore[arg-type]
        return extractor.network.calls - before, found

    count, first = calls(keep_features=True)
    assert count > 0
    count, again = calls(keep_features=True)
    assert count == 0
    assert again.digest == first.digest and again.count == 7
    for one, other in zip(first_fields(first), first_fields(again), strict=True):
        assert torch.equal(one, other)
    extractor._recent.clear()
    prepared, _ = calls(
        keep_features=True, prepare=lambda x: (x[::2], None), preparation="every second"
    )
    assert prepared > 0
    assert folder_statistics(paths, small_extractor(4)).digest != first.digest
    kept = sorted(path.name for path in folder.iterdir())
    changed = np.array(Image.open(paths[2]))
    changed[0, 0] ^= 1
    Image.fromarray(changed).save(paths[2])
    extractor._recent.clear()
    count, new = calls(keep_features=True)
    assert count > 0 and new.digest != first.digest
    assert sorted(path.name for path in folder.iterdir()) == kept  # nothing beside the pictures
    assert all(path.suffix == ".npz" for path in (cache / "statistics").iterdir())


def first_fields(statistics: Statistics) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The arrays, which are there."""
    assert statistics.features is not None
    return statistics.mean, statistics.covariance, statistics.features


def test_pictures_in_memory_and_a_preparation(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    arrays = [np.array(Image.open(path)) for path in paths]
    files = folder_statistics(paths, small_extractor())
    memory = folder_statistics(arrays, small_extractor())
    assert torch.equal(files.mean, memory.mean)
    cut = folder_statistics(
        paths, small_extractor(), prepare=lambda x: (x[:24, :24], None), preparation="24x24"
    )
    by_hand = folder_statistics([x[:24, :24] for x in arrays], small_extractor())
    assert torch.allclose(cut.mean, by_hand.mean)


def test_a_broken_picture_is_named_and_the_rest_counts(folder: Path) -> None:
    (folder / "2.png").write_bytes(b"\x89PNG no picture")
    (folder / "5.png").unlink()
    paths = [folder / f"{i}.png" for i in range(7)]
    for _ in range(2):  # measured, and from the cache
        found = folder_statistics(paths, small_extractor())
        assert found.count == 5
        assert [line.split(":")[0] for line in found.broken] == ["2.png", "5.png"]
    with pytest.raises(UserError, match=r"no real picture can be read \(2.png: .*check the folder"):
        folder_statistics([folder / "2.png"], small_extractor())


def test_pictures_are_read_as_the_data_sets_read_them(tmp_path: Path) -> None:
    """Transparent, turned by EXIF, 16 bits: each as its plain twin; damaged: named."""
    tmp_path = tmp_path / "pictures"
    tmp_path.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    alpha = np.full((32, 40, 1), 255, np.uint8)
    alpha[:5] = 0
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(tmp_path / "a.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "b.png", exif=turned)
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 257).save(tmp_path / "c.png")
    broken = bytearray((tmp_path / "a.png").read_bytes())
    broken[30] ^= 255  # Pillow's word for it is a SyntaxError
    (tmp_path / "d.png").write_bytes(broken)
    white = np.where(alpha > 0, pixels, 255).astype(np.uint8)
    twins = [white, np.rot90(pixels, -1), pixels[..., :1].repeat(3, axis=2)]
    found = folder_statistics([tmp_path / f"{name}.png" for name in "abcd"], small_extractor())
    expected = folder_statistics([np.ascontiguousarray(twin) for twin in twins], small_extractor())
    torch.testing.assert_close(found.mean, expected.mean)
    assert found.digest == expected.digest  # of the pictures, not of their files
    assert found.broken[0].startswith("d.png: the image cannot be read (")
    assert expected.broken == ()


def test_what_the_preparation_says_is_kept(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    for _ in range(2):  # measured, and from the cache
        found = folder_statistics(
            paths, small_extractor(), prepare=lambda x: (x, f"{len(x)} high"), preparation="none"
        )
        assert found.notes == ("32 high", "30 high")


def test_broken_pictures_of_one_name_are_two(folder: Path) -> None:
    paths = []
    for part in ("one", "two"):
        (folder / part).mkdir()
        (folder / part / "0.png").write_bytes(b"no picture")
        paths.append(folder / part / "0.png")
    found = folder_statistics([folder / "1.png", *paths], small_extractor())
    assert [line.partition(":")[0] for line in found.broken] == ["one/0.png", "two/0.png"]


def test_a_damaged_file_of_the_cache_is_made_again(folder: Path, cache: Path) -> None:
    paths = sorted(folder.iterdir())
    first = folder_statistics(paths, small_extractor())
    (kept,) = (cache / "statistics").iterdir()
    whole = kept.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:200] + bytes(300) + whole[500:]):
        kept.write_bytes(damaged)
        again = folder_statistics(paths, small_extractor())
        assert again.digest == first.digest and torch.equal(again.mean, first.mean)
        assert load_statistics(kept).digest == first.digest


def test_a_cache_in_the_data_folder_is_refused(folder: Path) -> None:
    arrays = [read(path) for path in sorted(folder.iterdir())]
    for pictures in (arrays, sorted(folder.iterdir())):
        with pytest.raises(UserError, match="must not lie in the folder of the data"):
            folder_statistics(
                pictures,
                small_extractor(),
                cache_dir=folder.parent / "cache",
                data_folders=[folder.parent],
            )


def test_a_cache_among_the_pictures_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="must not lie in the folder of the data"):
        folder_statistics(sorted(folder.iterdir()), small_extractor(), cache_dir=folder / "cache")


def test_files_of_statistics(tmp_path: Path) -> None:
    path = tmp_path / "statistics.npz"
    with pytest.raises(UserError, match=r"statistics.npz: no such file of statistics"):
        load_statistics(path)
    good = {"mu": np.zeros(3), "sigma": np.eye(3)}
    for content, said in (
        ({"mean": np.zeros(3)}, "is no file of statistics"),
        (good | {"sigma": np.zeros((2, 2))}, "do not belong together"),
        (good | {"sigma": np.full((3, 3), np.nan)}, "holds values that are no numbers"),
        (good | {"features": np.zeros((5, 2))}, "do not belong together"),
    ):
        np.savez(path, **content)
        with pytest.raises(UserError, match=said):
            load_statistics(path)
    np.savez(path, mu=np.zeros(64), sigma=np.eye(64))
    whole = path.read_bytes()
    np.save(tmp_path / "array.npy", np.zeros(3))
    array = (tmp_path / "array.npy").read_bytes()
    for content in (b"no archive", b"", whole[:2000], array, b"PK\x03\x04" + whole[10:]):
        path.write_bytes(content)
        with pytest.raises(UserError, match="is no file of statistics"):
            load_statistics(path)


def test_the_distance_of_known_gaussians() -> None:
    """Diagonal covariances: the distance is that of means and of standard deviations."""
    mean = torch.tensor([1.0, -2.0], dtype=torch.float64)
    one = Statistics(mean, torch.diag(torch.tensor([4.0, 9.0], dtype=torch.float64)), 10)
    other = Statistics(0 * mean, torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64)), 10)
    assert frechet_distance(one, other) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 0) ** 2)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_an_extractor_does_not_train() -> None:
    extractor = FeatureExtractor(SmallNetwork(), "small")
    assert not any(parameter.requires_grad for parameter in extractor.network.parameters())
