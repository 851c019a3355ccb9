"""One pass under several protocols: tables, warnings, weights, real pictures, broken files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from mmengine.config import Config
from PIL import Image
from skimage.metrics import structural_similarity

from gfla_video.apis.compare_results import compare_results
from gfla_video.apis.evaluation.evaluate import evaluate
from gfla_video.apis.evaluation.measures import Measures
from gfla_video.apis.evaluation.protocols import ReferenceDigest
from gfla_video.apis.tables import format_report_table, format_tables
from gfla_video.evaluation import inception
from gfla_video.utils.errors import UserError
from tests.apis.evaluation.toy_evaluation import TOY, save, settings
from tests.evaluation.metrics.pictures import SmallNetwork

PLAIN = {"version": 1, "metrics": [{"type": "SSIM"}, {"type": "L1"}]}
JPG = {"format": "jpg", "quality": 75, "subsampling": "4:2:0"}
SMALLER = {"step": "resize", "size": (48, 48)}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the toy networks and their checkpoint ``model.pth``."""
    (tmp_path / "toy_networks.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    save(tmp_path / "model.pth", {"generator": {"type": "ShiftGenerator"}})
    return tmp_path


@pytest.fixture
def small_inception(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A weights file; whatever is in it, Inception is a small random network now."""
    network = (lambda path: SmallNetwork(), "a file")
    monkeypatch.setitem(inception._NETWORKS, "torch-fidelity", network)
    monkeypatch.setenv("GFLA_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "inception.pth"
    path.write_bytes(b"weights")
    return path


def measured(toy: Path, data: Path, *protocols: str, **more: Any) -> dict[str, Any]:
    """The report of the toy under protocols; the copied source beside it."""
    config = Config({**settings(data), **more.pop("config", {})})
    measures = Measures(protocols, **more.pop("measures", {}))
    options = {"baselines": ["copy_source"], "device": "cpu", **more}
    return evaluate(config, toy / "model.pth", measures=measures, **options)


def values(report: dict[str, Any]) -> dict[str, dict[str, float]]:
    """The model's row of each table, by the protocol's name."""
    return {
        (table["protocol"] or {"name": "config"})["name"]: table["results"]["model"]
        for table in report["tables"]
    }


def test_two_protocols_give_two_labelled_tables(toy: Path, sample_data: Path) -> None:
    out = toy / "results.json"
    report = measured(toy, sample_data, "gfla-2020", "config", "patn-2019", out=out, command="me")
    assert json.loads(out.read_text()) == report
    own, gfla, patn = report["tables"]
    assert own["protocol"] is None
    assert "flow_epe" in own["results"]["model"]
    assert (gfla["protocol"]["name"], gfla["protocol"]["version"]) == ("gfla-2020", 1)
    assert gfla["protocol"]["file"] == JPG
    assert gfla["results"]["model"]["psnr"] != own["results"]["model"].get("psnr")
    assert set(gfla["results"]["model"]) == {"ssim_51", "ssim_256", "psnr", "l1", "mae"}
    assert set(patn["results"]["model"]) == {"ssim"}
    assert patn["results"]["model"]["ssim"] != gfla["results"]["model"]["ssim_256"]
    assert set(patn["results"]) == {"model", "copy_source"}
    assert (report["seed"], report["command"]) == (0, "me")
    text = format_tables(report)
    for table in (gfla, patn):
        title = f"{table['protocol']['name']} v1 ({table['protocol']['digest']}): "
        assert f"{title}{table['count']} held-out samples" in text


def test_a_protocols_numbers_are_those_of_its_written_files(toy: Path, sample_data: Path) -> None:
    """By hand: cut off to 8 bits, JPEG by Pillow, then scikit-image, as the released program."""
    (table,) = measured(toy, sample_data, "gfla-2020")["tables"]
    l1, ssim = [], []
    for path in sorted((sample_data / "test_truth").glob("*.npz")):
        source, target = (
            np.asarray(Image.open(sample_data / "test" / f"{stem}.png"))
            for stem in path.stem.split("_2_")
        )
        made = (((source / 127.5 - 1) * 0.5 + 1) / 2 * 255).astype(np.float32).astype(np.uint8)
        written = toy / "written.jpg"
        Image.fromarray(made).save(written)
        made = np.asarray(Image.open(written))
        l1.append(np.abs(made / 255 - target / 255).mean())
        ssim.append(
            structural_similarity(
                target / 255,
                made / 255,
                data_range=(made.max() - made.min()) / 255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                channel_axis=2,
            )
        )
    found = table["results"]["model"]
    assert found["l1"] == pytest.approx(np.mean(l1), rel=1e-3)
    assert found["ssim_256"] == pytest.approx(np.mean(ssim), rel=1e-3)
    assert table["count"] == len(l1)


def test_filter_jpg_padding_and_rounding_each_move_the_number(
    toy: Path, sample_data: Path, tmp_path: Path
) -> None:
    """Under one name of a metric, on the same pictures."""
    padded = {"step": "pad", "size": (64, 96)}
    variants: dict[str, dict[str, Any]] = {
        "plain": {},
        "jpg": {"file": JPG},
        "better-jpg": {"file": {**JPG, "quality": 95}},
        "cut-off": {"rounding": "truncate"},
        "white": {"generated": [padded]},
        "black": {"generated": [{**padded, "colour": (0, 0, 0)}]},
        "pillow": {"generated": [{**SMALLER, "library": "pillow", "filter": "bicubic"}]},
        "opencv": {"generated": [{**SMALLER, "library": "opencv", "filter": "bicubic"}]},
        "area": {"generated": [{**SMALLER, "library": "opencv", "filter": "area"}]},
        "lanczos": {"generated": [{**SMALLER, "library": "pillow", "filter": "lanczos"}]},
    }
    protocols = [{"name": name, **PLAIN, **more} for name, more in variants.items()]
    weights = tmp_path / "squeeze.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), weights)
    lpips = {"type": "LPIPSMetric", "net": "squeeze", "trunk": "weights:lpips-squeeze"}
    for protocol in protocols:
        protocol["metrics"] = [*PLAIN["metrics"], lpips]
    report = measured(
        toy,
        sample_data,
        *variants,
        config={"protocol": protocols, "metric_weights": {"lpips-squeeze": str(weights)}},
    )
    rows = values(report)
    for metric in ("ssim", "l1", "lpips_squeeze"):
        found = {name: row[metric] for name, row in rows.items()}
        if metric == "l1":  # a border that both have is no difference, whatever its colour
            assert found.pop("black") == found["white"]
        assert len({round(value, 7) for value in found.values()}) == len(found), found
    moved = {name: abs(row["ssim"] / rows["plain"]["ssim"] - 1) for name, row in rows.items()}
    assert moved["white"] > 0.05
    assert min(moved[name] for name in ("pillow", "opencv", "jpg")) > 1e-3
    digests = {table["protocol"]["digest"] for table in report["tables"]}
    assert len(digests) == len(variants)


def test_what_may_not_share_a_column_is_refused(toy: Path, sample_data: Path) -> None:
    for name in ("gfla-2020", "patn-2019"):
        measured(toy, sample_data, name, out=toy / f"{name}.json")
    files = {name: toy / f"{name}.json" for name in ("gfla-2020", "patn-2019")}
    with pytest.raises(UserError, match="numbers of different protocols do not belong in one col"):
        compare_results(files)
    fewer = {"config": {"test_dataloader": settings(sample_data)["test_dataloader"]}}
    fewer["config"]["test_dataloader"]["dataset"]["max_pairs"] = 5
    measured(toy, sample_data, "gfla-2020", out=toy / "fewer.json", **fewer)
    with pytest.raises(UserError, match="'count' differs .* on the same samples"):
        compare_results({"all": files["gfla-2020"], "fewer": toy / "fewer.json"})


def test_missing_weights_and_pictures_are_named_in_the_table(toy: Path, sample_data: Path) -> None:
    (table,) = measured(toy, sample_data, "market-128x64")["tables"]
    text = format_report_table(table)
    assert (
        "warning: LPIPSMetric alex 0.1 is left out: --weights lpips-alex=FILE (torchvision" in text
    )
    assert "warning: FID is left out: --weights inception=FILE (torch-fidelity's" in text
    assert "warning: the pictures are 64x64, not 128x64, and measured as they are" in text
    assert f"warning: {table['count']} pictures, not the protocol's 12,000: the numbers" in text
    assert table["expected_count"] == 12000
    assert table["weights"] == {}
    assert 0 < table["results"]["model"]["mask_ssim"] < 1  # from the data's joints


def test_the_mask_is_drawn_where_the_joints_are_after_the_steps(
    toy: Path, sample_data: Path
) -> None:
    """On twice as large pictures the body is black outside twice as large joints."""
    masked = {"type": "SSIM", "window": 11, "mask": "points", "name": "m"}
    wide = {"step": "pad", "size": (64, 128)}
    protocols = [
        {"name": name, "version": 1, "metrics": [masked], "generated": steps}
        for name, steps in (("plain", []), ("wide", [wide]))
    ]
    rows = values(measured(toy, sample_data, "plain", "wide", config={"protocol": protocols}))
    # black outside the body in both: the padding adds equal black pixels, as it would nowhere else
    outside = 1 - rows["wide"]["m"]
    assert outside == pytest.approx((1 - rows["plain"]["m"]) * 54 / 118, rel=0.05)


def test_fid_against_the_training_pictures(
    toy: Path, sample_data: Path, small_inception: Path
) -> None:
    weights = {"inception": str(small_inception)}
    fid = {"type": "FID", "weights": "weights:inception", "real": "train"}
    config = {"protocol": {**PLAIN, "name": "mine", "metrics": [fid]}}
    ours = measured(toy, sample_data, "mine", config=config, measures={"weights": weights})
    (table,) = ours["tables"]
    found = table["results"]
    pictures = list((sample_data / "train").glob("*.png"))
    assert table["real"]["FID"]["count"] == len(pictures)
    assert table["weights"]["inception"]["file"] == "inception.pth"
    assert found["model"]["fid"] > found["copy_source"]["fid"] > 0
    assert any("pictures for 12 features" in warning for warning in table["warnings"])
    given = {"weights": weights, "train_images": sample_data / "train"}
    same = measured(toy, sample_data, "mine", config=config, measures=given)["tables"][0]
    assert same["results"] == found
    assert same["real"] == table["real"]
    given["train_images"] = sample_data / "test"
    other = measured(toy, sample_data, "mine", config=config, measures=given)["tables"][0]
    assert other["results"] != found
    assert other["real"] != table["real"]
    assert {path.name for path in sample_data.iterdir() if path.suffix == ".npz"} <= {"drive.npz"}


def test_a_configs_own_fid_reads_the_training_pictures(
    toy: Path, sample_data: Path, small_inception: Path
) -> None:
    fid = {"type": "FID", "weights": str(small_inception), "real": "train"}
    (table,) = measured(toy, sample_data, config={"test_metrics": [fid]})["tables"]
    assert table["results"]["model"]["fid"] > 0
    assert table["real"]["FID"]["count"] == len(list((sample_data / "train").glob("*.png")))
    told = table["weights"]["FID.weights"]  # a file that the metric names itself
    assert told["file"] == "inception.pth" and len(told["sha256"]) == 64


def test_the_order_counts_where_a_number_depends_on_it() -> None:
    """Of whole batches the last pictures are left out, and which these are is the order's word."""
    picture = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    told = []
    for places in ((0, 1), (1, 0)):
        digest = ReferenceDigest()
        for place in places:
            digest.add(picture[place : place + 1])
        assert digest.told([{"type": "L1"}]).keys() == {"references"}
        told.append(digest.told([{"type": "L1", "whole_batches": 64}]))
    assert told[0]["references"] == told[1]["references"]
    assert told[0]["references_order"] != told[1]["references_order"]


def test_how_pictures_came_to_their_size_is_read_from_the_config(
    toy: Path, sample_data: Path
) -> None:
    whole = {"name": "crops", "version": 1, "metrics": [{"type": "L1"}], "size": (64, 44)}
    whole |= {"sizes": [(64, 44), (64, 64)], "generated": [{"step": "crop", "size": (64, 44)}]}
    back = {"step": "resize", "size": (64, 44), "library": "pillow", "filter": "bicubic"}
    found = {}
    for fit in (None, "pad", "stretch"):
        config = {"protocol": {**whole, "otherwise": back}, "picture_fit": fit}
        (table,) = measured(toy, sample_data, "crops", config=config)["tables"]
        found[fit] = table["results"]["model"]["l1"], table["warnings"]
    assert found[None][0] == found["pad"][0] != found["stretch"][0]
    assert found["pad"][1] == []
    assert "pictures of 64x64 are taken as whole ones with margins and cropped" in found[None][1][0]
    assert found["stretch"][1] == [
        "pictures that were stretched to 64x64 are resized to 64x44 by pillow bicubic (antialiased)"
    ]
    with pytest.raises(UserError, match="picture_fit must be 'stretch', 'pad' or None, not 'cut'"):
        measured(toy, sample_data, "sample", config={"picture_fit": "cut"})


def test_real_pictures_are_prepared_as_the_protocol_says(
    toy: Path, sample_data: Path, small_inception: Path
) -> None:
    fid = {"type": "FID", "weights": "weights:inception", "real": "train"}
    steps = [{**SMALLER, "library": "pillow", "filter": "box"}]
    protocols = [
        {**PLAIN, "name": "large", "metrics": [fid]},
        {**PLAIN, "name": "small", "metrics": [fid], "generated": steps},
    ]
    measures = {"weights": {"inception": str(small_inception)}}
    report = measured(
        toy, sample_data, "large", "small", config={"protocol": protocols}, measures=measures
    )
    large, small = report["tables"]
    assert large["real"]["FID"]["digest"] != small["real"]["FID"]["digest"]
    assert large["results"]["model"]["fid"] != small["results"]["model"]["fid"]


def test_a_broken_picture_is_named_and_counted(toy: Path, sample_data: Path) -> None:
    data = toy / "data"
    shutil.copytree(sample_data, data)
    victim = sorted((data / "test").glob("*.png"))[0]
    victim.write_bytes(victim.read_bytes()[:200])
    whole = measured(toy, sample_data, "config", "sample")
    report = measured(toy, data, "config", "sample", preview=toy / "p.png", report=toy / "report")
    pairs = len(list((data / "test_truth").glob(f"*{victim.stem}*.npz")))
    for table, complete in zip(report["tables"], whole["tables"], strict=True):
        assert len(table["broken"]) == 1
        assert table["broken"][0].startswith(f"{victim.name}: the image cannot be read (")
        assert table["count"] == complete["count"] - pairs
        assert table["warnings"][0] == (
            f"{pairs} samples are left out, as 1 picture cannot be used: {victim.name}"
        )
    assert (toy / "p.png").is_file()
    assert (toy / "report" / "index.html").is_file()
    for path in (data / "test").glob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(UserError, match="no sample of the test data can be read, .*not a picture"):
        measured(toy, data)


def test_bad_input_is_one_sentence(toy: Path, sample_data: Path) -> None:
    for measures, message in (
        ({"weights": {"inseption": "a"}}, "--weights inseption: no metric reads that, choose of"),
        ({"weights": {"inception": "none.pth"}}, "inception=none.pth: there is no such file"),
    ):
        with pytest.raises(UserError, match=message):
            measured(toy, sample_data, "sample", measures=measures)
    with pytest.raises(UserError, match="--protocol fid: there is no such protocol"):
        measured(toy, sample_data, "fid")
    flow = save(toy / "flow.pth", {"flow_estimator": {"type": "ShiftFlow"}})
    with pytest.raises(UserError, match="--protocol sample: this checkpoint holds no generator"):
        evaluate(Config(settings(sample_data)), flow, measures=Measures(["sample"]), device="cpu")


@pytest.mark.slow
def test_the_tool_lists_the_protocols(run_tool: Callable[..., Any]) -> None:
    printed = run_tool("tools/test.py", "--protocol", "list").stdout
    assert "gfla-2020 v1 (" in printed
    refused = run_tool("tools/test.py", "--images", "a", check=False)
    assert refused.returncode == 2
    assert "give CONFIG and CHECKPOINT, or --images DIR and --reference DIR" in refused.stderr
