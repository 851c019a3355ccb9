"""Protocols: what they do to pictures, how they are told apart, and the built-in ones."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gfla_video.evaluation.protocols import (
    BUILTIN,
    KNOWN_WEIGHTS,
    Crop,
    FileFormat,
    Protocol,
    Resize,
    find_protocols,
    list_protocols,
    to_eight_bits,
    weights_of,
    with_weights,
)
from gfla_video.evaluation.protocols.library import read_protocol
from gfla_video.registry import METRICS
from gfla_video.utils.config_check import keyword_arguments
from gfla_video.utils.errors import UserError

L1 = ({"type": "L1"},)
by_name = {protocol.name: protocol for protocol in BUILTIN}


def own(**values: Any) -> Protocol:
    """A protocol with a name, and what is given."""
    return Protocol(**{"name": "own", "version": 1, "source": "here", "metrics": L1, **values})


def test_eight_bits_are_rounded_or_cut_off() -> None:
    levels = torch.tensor([0.0, 10.4, 10.6, 254.6, 300.0, -20.0])
    image = (levels / 127.5 - 1).view(1, 1, -1).expand(3, 1, -1)
    assert to_eight_bits(image)[0, :, 0].tolist() == [0, 10, 11, 255, 255, 0]
    assert to_eight_bits(image, "truncate")[0, :, 1].tolist() == [0, 10, 10, 254, 255, 0]


def test_stretched_pictures_are_not_cropped_but_brought_back() -> None:
    """A crop made as wide as it is high: its sides are the person's, not a margin."""
    crop = np.random.default_rng(1).integers(0, 256, (16, 11, 3), dtype=np.uint8)
    crop = Resize((256, 176), "pillow", "bicubic").apply(crop)
    stretched = Resize((256, 256), "pillow", "bilinear").apply(crop)
    protocol = by_name["deepfashion-256x176"]
    back = Resize((256, 176), "pillow", "bicubic").apply(stretched)
    for made in (
        protocol.prepare_generated(stretched, fit="stretch"),
        protocol.prepare_reference(stretched, "stretch"),
    ):
        np.testing.assert_array_equal(made.picture, back)
        assert made.note is not None
        assert made.note.startswith(
            "pictures that were stretched to 256x256 are resized to 256x176"
        )
    assert np.abs(back.astype(int) - crop).mean() < 2
    moved = protocol.move_points(np.array([[127.5, 10.0, 1.0]]), (256, 256), "stretch")
    np.testing.assert_allclose(moved, [[87.5, 10.0, 1.0]])
    for fit, said in (("pad", False), (None, True)):
        made = protocol.prepare_generated(stretched, fit=fit)
        np.testing.assert_array_equal(made.picture, stretched[:, 40:216])
        assert (made.note is not None) == said
    assert protocol.prepare_reference(crop).note is None  # nothing is cut off
    plain = by_name["gfla-2020"].prepare_reference(stretched, "stretch")
    np.testing.assert_array_equal(plain.picture, stretched)
    assert plain.note is None


@pytest.mark.parametrize("rounding", ["round", "truncate"])
def test_what_was_8_bits_comes_back_as_it_was(rounding: str) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    maps = torch.from_numpy(levels).permute(2, 0, 1).float()
    for image in (maps.div(255).sub(0.5).div(0.5), maps / 127.5 - 1, maps / 255 * 2 - 1):
        np.testing.assert_array_equal(to_eight_bits(image, rounding), levels)


def test_a_file_comes_through_the_tensor_unchanged() -> None:
    picture = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    image = torch.from_numpy(picture).permute(2, 0, 1).float().div(255).sub(0.5).div(0.5)
    np.testing.assert_array_equal(own().prepare_reference(image).picture, picture)
    np.testing.assert_array_equal(own().prepare_generated(image).picture, picture)
    np.testing.assert_array_equal(own().prepare_generated(picture).picture, picture)


def test_the_order_is_eight_bits_file_size_steps() -> None:
    protocol = own(
        size=(6, 4),
        sizes=((8, 8),),
        otherwise=Resize((8, 8), "opencv", "bilinear"),
        generated=(Crop((6, 4)),),
        rounding="truncate",
        file=FileFormat("jpg", 50, "4:2:0"),
    )
    image = torch.rand(3, 12, 12) * 2 - 1
    picture = FileFormat("jpg", 50, "4:2:0").round_trip(to_eight_bits(image, "truncate"))
    expected = Resize((8, 8), "opencv", "bilinear").apply(picture)[1:7, 2:6]
    prepared = protocol.prepare_generated(image)
    np.testing.assert_array_equal(prepared.picture, expected)
    assert prepared.note == (
        "pictures of 12x12, not 8x8, are resized to 8x8 by opencv bilinear (not antialiased)"
    )
    whole = to_eight_bits(image)
    expected = Resize((8, 8), "opencv", "bilinear").apply(whole)[1:7, 2:6]
    np.testing.assert_array_equal(protocol.prepare_reference(image).picture, expected)
    made = protocol.prepare_generated(whole, written="jpg")  # not a jpg once more
    np.testing.assert_array_equal(made.picture, expected)
    points = protocol.move_points(np.array([[5.5, 5.5, 1.0]]), (12, 12))
    np.testing.assert_allclose(points, [[1.5, 2.5, 1.0]])


def test_other_sizes_without_a_rule_are_measured_with_a_warning() -> None:
    prepared = by_name["gfla-2020"].prepare_reference(torch.zeros(3, 96, 64))
    assert prepared.picture.shape == (96, 64, 3)
    assert "are 96x64, not 256x256, and measured as they are" in str(prepared.note)
    assert by_name["gfla-2020"].prepare_reference(torch.zeros(3, 256, 256)).note is None
    assert own().prepare_reference(torch.zeros(3, 5, 7)).note is None


def test_patn_pads_its_crops_with_white() -> None:
    whole = np.random.default_rng(0).integers(0, 200, (256, 256, 3), dtype=np.uint8)
    protocol = by_name["patn-2019"]
    for given in (whole, whole[:, 40:216]):
        for prepared in (
            protocol.prepare_generated(given, fit="pad"),
            protocol.prepare_reference(given, "pad"),
        ):
            assert prepared.note is None
            np.testing.assert_array_equal(prepared.picture[:, 40:216], whole[:, 40:216])
            assert (prepared.picture[:, :40] == 255).all()
            assert (prepared.picture[:, 216:] == 255).all()


@pytest.mark.parametrize("name", by_name)
def test_built_in_protocols_measure_any_size(name: str) -> None:
    protocol = by_name[name]
    for size in ((96, 64), (256, 256), (256, 176), (128, 64)):
        image = torch.rand(3, *size) * 2 - 1
        made, true = protocol.prepare_generated(image), protocol.prepare_reference(image)
        assert made.picture.shape == true.picture.shape
        expected = protocol.sizes and size not in protocol.sizes
        cropped = size == (256, 256) and (256, 176) in protocol.sizes
        assert (made.note is not None) == bool(expected or cropped)
        if not expected and protocol.size is not None:
            assert made.picture.shape[:2] == protocol.size


@pytest.mark.parametrize("name", by_name)
def test_built_in_metrics_are_complete_and_known(name: str) -> None:
    protocol = by_name[name]
    assert set(protocol.weights) <= set(KNOWN_WEIGHTS)
    for metric in protocol.metrics:
        taken = keyword_arguments(METRICS.get(metric["type"]))
        assert taken is not None
        assert set(metric) - {"type"} <= taken
        if metric["type"] == "SSIM":
            assert {"window", "sigma", "data_range"} <= set(metric)
        if metric["type"] == "LPIPSMetric":
            assert {"net", "version", "trunk"} <= set(metric)
        if metric["type"] == "FID":
            assert {"extractor", "weights", "real"} <= set(metric)
    again = read_protocol({**protocol.settings(), "name": "copy"})
    assert {**again.settings(), "name": name} == protocol.settings()


def test_the_docs_name_every_protocol_with_its_digest(repo_root: Path) -> None:
    """A digest that changed without a new version breaks comparisons with older results."""
    text = (repo_root / "docs" / "evaluation.md").read_text()
    told = dict(re.findall(r"^### `([^`]+)`, version \d+, digest `([0-9a-f]{12})`", text, re.M))
    assert told == {protocol.name: protocol.digest for protocol in BUILTIN}
    printed = list_protocols()
    assert all(protocol.title in printed for protocol in BUILTIN)


def test_every_value_counts_for_the_digest_but_the_words_of_the_source() -> None:
    base = own(size=(4, 4), sizes=((4, 4),), otherwise=Resize((4, 4), "pillow", "bicubic"))
    assert own().digest == own(source="elsewhere").digest
    others = [
        own(),
        own(name="other"),
        own(version=2),
        own(rounding="truncate"),
        own(file=FileFormat("jpg", 75, "4:2:0")),
        own(file=FileFormat("jpg", 76, "4:2:0")),
        own(metrics=({"type": "L1"}, {"type": "PSNR"})),
        own(images="the first ten"),
        own(expected_count=10),
        base,
        read_protocol({**base.settings(), "otherwise": Resize((4, 4), "pillow", "lanczos")}),
    ]
    assert len({protocol.digest for protocol in others}) == len(others)
    assert re.fullmatch(r"own v1 \([0-9a-f]{12}\)", own().title)


def test_a_protocol_may_stand_on_another_one() -> None:
    changed = read_protocol({"base": "patn-2019", "name": "mine", "version": 1, "metrics": L1})
    patn = by_name["patn-2019"]
    assert (changed.generated, changed.size, changed.metrics) == (patn.generated, patn.size, L1)
    assert "patn-2019 v1" in changed.source
    steps = [{"step": "crop", "size": (256, 176)}]
    smaller = {"generated": steps, "size": (256, 176)}
    changed = read_protocol({"base": "patn-2019", "name": "mine", "version": 1, **smaller})
    assert changed.reference == changed.generated == (Crop((256, 176)),)


def test_protocols_are_found_by_name_in_configs_and_in_files(tmp_path: Path) -> None:
    values = {"name": "mine", "version": 3, "metrics": [{"type": "L1"}]}
    found = find_protocols(["gfla-2020", "mine", "gfla-2020"], values)
    assert [protocol.name for protocol in found] == ["gfla-2020", "mine"]
    assert found[1].source == "the config itself"
    path = tmp_path / "several.py"
    path.write_text(f"protocol = [dict({values}), dict({values}, name='more')]")
    assert [one.name for one in find_protocols([str(path), own()])] == ["mine", "more", "own"]


def test_the_file_that_the_docs_measure_with(repo_root: Path) -> None:
    found = find_protocols([str(repo_root / "configs" / "protocols" / "sensitivity.py")])
    assert len({protocol.digest for protocol in found}) == len(found) == 15
    assert all(protocol.metrics == found[0].metrics for protocol in found)


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        (["gfla"], None, "there is no such protocol, choose of gfla-2020, patn-2019"),
        (["none.py"], None, r"none.py: there is no such file"),
        (["mine"], {"name": "mine", "metrics": L1}, "protocol: needs a version of its own"),
        (["mine"], "gfla-2020", "must be a dict of a protocol's values"),
        ([], {"name": "gfla-2020", "version": 2, "metrics": L1}, "gfla-2020 is built in"),
        ([], {"name": "a", "version": 1, "metric": L1}, "protocol.metric: there is no such key"),
        ([], {"name": "a", "version": 1, "base": "b"}, "protocol.base: must be one of gfla-2020"),
        ([own(), own(rounding="truncate")], None, "two protocols are called own"),
    ],
)
def test_what_is_no_protocol(names: list[Any], values: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find_protocols(names, values)


def test_files_that_define_none(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    for text, message in (("a = 1", "sets no 'protocol"), ("protocol = (", "not a readable")):
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            find_protocols([str(path)])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "My own"}, "a name has lower case letters"),
        ({"version": 0}, "version must be 1, 2"),
        ({"rounding": "up"}, "rounding must be round or truncate"),
        ({"metrics": ()}, "names no metric"),
        ({"size": (4,)}, r"size: must be two positive whole numbers \(H, W\)"),
        ({"size": (4, 4), "sizes": ((8, 8),)}, "the steps bring 8x8 to 8x8, not to size"),
        ({"sizes": ((8, 8),), "generated": (Crop((4, 4)),)}, "'otherwise' must make the rest"),
        ({"otherwise": Resize((4, 4), "pillow", "box")}, "must lead to one of the sizes"),
        ({"otherwise": {"step": "crop", "size": (4, 4)}}, "otherwise: must be a resize"),
        ({"file": {"format": "jpg"}}, "file.quality"),
    ],
)
def test_values_that_are_not_possible(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        own(**values)


def test_weights_are_names_until_they_are_files() -> None:
    metric = {"type": "A", "inner": [{"file": "weights:one"}], "other": "weights:two", "n": 1}
    assert list(weights_of(metric)) == ["one", "two"]
    filled = with_weights(metric, {"one": "x.pth", "two": "y.pth"})
    assert filled == {"type": "A", "inner": [{"file": "x.pth"}], "other": "y.pth", "n": 1}
    assert metric["other"] == "weights:two"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('protocol = dict(name="a", version=1)', "protocol 'a': names no metric, give it"),
        ('protocol = dict(name="a", version=1, metrics=[1])', "names no metric, give it metrics="),
        ("import nothing_of_this_name", "No module named 'nothing_of_this_name'"),
        ("from nothing_of_this_name import x", "No module named 'nothing_of_this_name'"),
        ("x = 1 / 0", "is not a readable config .ZeroDivisionError: division by zero"),
        ("import math\nx = math.none", "AttributeError: module 'math' has no attribute 'none'"),
    ],
)
def test_a_file_without_a_good_protocol_is_one_sentence(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        find_protocols([str(tmp_path / "mine.py")])
    assert "\n" not in str(caught.value)


def test_steps_that_do_not_lead_to_the_size_are_said() -> None:
    """Without `sizes` nobody knows before what the steps lead to."""
    protocol = own(size=(6, 4), generated=(Crop((6, 4)),))
    assert protocol.prepare_reference(torch.zeros(3, 8, 8)).note is None
    prepared = protocol.prepare_generated(torch.zeros(3, 5, 3))
    assert prepared.note == (
        "pictures of 5x3 are measured at 5x3, not at the protocol's 6x4, where its steps do not "
        "bring them"
    )
