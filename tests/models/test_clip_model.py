"""Training on clips: one update per chunk, losses summed over frames, n previous frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from clip_case import CHANNELS, SMALL, build, clip_batch, generator_config
from torch import Tensor

from gfla_video.components.losses.landmarks import point_flow
from gfla_video.engine.optim import PerNetworkOptimConstructor
from gfla_video.models.clips import shifted, teacher_forced
from gfla_video.utils.errors import UserError

ADAM = {"type": "OptimWrapper", "optimizer": {"type": "Adam", "lr": 1e-3}}
LOSSES = {
    "reconstruction": {"type": "ReconstructionLoss", "weight": 5.0},
    "correctness": {"type": "SamplingCorrectnessLoss", "levels": (2,), "weight": 1.0},
    "regularization": {"type": "AffineRegularizationLoss", "kernel_sizes": (3,), "weight": 0.01},
}


def clip_model(previous: int = 1, **changes: Any) -> Any:
    settings = {
        "type": "ClipModel",
        "chunk": 3,
        "generator": generator_config(previous),
        "discriminator": dict(type="ResidualDiscriminator", levels=3, **SMALL),
        "clip_discriminator": {"type": "FrameDifferenceDiscriminator", "levels": 3} | SMALL,
        "adversarial": {"type": "AdversarialLoss"},
        "features": {"type": "FilterBankFeatures"},
        "losses": LOSSES,
    }
    return build(settings | changes)


def optimisers(model: Any) -> Any:
    names = [n for n in ("generator", "discriminator", "clip_discriminator") if hasattr(model, n)]
    return PerNetworkOptimConstructor({name: dict(ADAM) for name in names})(model)


@pytest.mark.parametrize("previous", [0, 1, 2])
def test_it_trains_with_n_previous_frames(previous: int) -> None:
    """The reconstruction falls, and every network moves."""
    model = clip_model(previous)
    wrappers = optimisers(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    batch = clip_batch(frames=6)
    logs = [model.train_step(batch, wrappers) for _ in range(6)]
    assert logs[-1]["loss_reconstruction"] < logs[0]["loss_reconstruction"]
    assert {"loss_generator", "loss_discriminator", "loss_clip_discriminator"} <= set(logs[0])
    moved = {
        name.split(".")[0]
        for name, value in model.state_dict().items()
        if not value.equal(before[name])
    }
    assert {"generator", "discriminator", "clip_discriminator"} <= moved


def test_each_chunk_is_one_update_of_every_network() -> None:
    model = clip_model()
    wrappers = optimisers(model)
    calls: list[str] = []
    for name in ("generator", "discriminator", "clip_discriminator"):
        plain: Callable = wrappers[name].update_params
        wrappers[name].update_params = lambda loss, n=name, f=plain: (calls.append(n), f(loss))
    model.train_step(clip_batch(frames=6), wrappers)
    assert calls == ["discriminator", "clip_discriminator", "generator"] * 2


def test_losses_are_summed_over_frames_and_see_the_right_references() -> None:
    """Against the losses of single frames, one by one, with the frames that were generated."""
    model = clip_model(previous=1).double()
    batch = clip_batch(frames=3)
    inputs, images = batch["inputs"], batch["targets"]["image"].double()
    inputs = {
        "sources": [inputs["sources"][0].double()],
        "source_structures": [inputs["source_structures"][0].double()],
        "target_structures": inputs["target_structures"].double(),
    }
    structures = inputs["target_structures"]
    output = model(inputs)
    found = model.clip_losses(output, inputs, {"image": images})
    expected: dict[str, Tensor] = {}
    source, structure = inputs["sources"][0], inputs["source_structures"][0]
    for t in range(3):
        single = {
            "sources": [source, output.images[:, t - 1].detach() if t else source],
            "source_structures": [structure, structures[:, t - 1] if t else structure],
            "target_structure": structures[:, t],
        }
        losses = model.compute_losses(
            images[:, t],
            single,
            [[maps[:, t] for maps in scales] for scales in output.flows],
            [[maps[:, t] for maps in scales] for scales in output.masks],
            model.levels,
            output.images[:, t],
        )
        for name, value in losses.items():
            expected[name] = expected.get(name, 0) + value
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=lambda m, n=name: f"{n}: {m}")
    assert set(found) == {*expected, "loss_adversarial", "loss_clip_adversarial"}


def test_the_flow_from_previous_frames_can_be_judged_by_the_truth() -> None:
    generated, truth = clip_model(), clip_model(loss_previous="truth")
    truth.load_state_dict(generated.state_dict())
    batch = clip_batch(frames=3)
    both = [m.eval() for m in (generated, truth)]
    losses = [m.clip_losses(m(batch["inputs"]), **batch) for m in both]
    assert torch.equal(losses[0]["loss_reconstruction"], losses[1]["loss_reconstruction"])
    assert not torch.equal(losses[0]["loss_correctness"], losses[1]["loss_correctness"])


def test_a_wrong_chunk_is_said() -> None:
    with pytest.raises(ValueError, match="chunk must be 3 or more"):
        clip_model(chunk=2)
    model = clip_model(chunk=4)
    with pytest.raises(UserError, match=r"model.chunk: 4 .* do not divide the clips of 6"):
        model.train_step(clip_batch(frames=6), optimisers(model))


def test_accumulated_gradients_are_refused() -> None:
    model = clip_model()
    wrappers = optimisers(model)
    wrappers["generator"]._accumulative_counts = 2
    with pytest.raises(UserError, match=r"generator.accumulative_counts: clips are updated chunk"):
        model.train_step(clip_batch(frames=6), wrappers)


def test_without_a_clip_discriminator() -> None:
    model = clip_model(clip_discriminator=None)
    logs = model.train_step(clip_batch(frames=3), optimisers(model))
    assert "loss_clip_discriminator" not in logs and "loss_discriminator" in logs


def test_modes_of_the_call() -> None:
    model = clip_model().eval()
    batch = clip_batch(frames=2)
    output = model(batch["inputs"])
    assert output.images.shape == (2, 2, 3, 64, 64)
    samples = model(batch["inputs"], mode="predict")
    assert [sample["image"].shape for sample in samples] == [(2, 3, 64, 64)] * 2
    assert samples[1]["flows"][1][0].shape == (2, 2, 16, 16)


def test_stage_1_takes_the_true_frames_before() -> None:
    flow = generator_config(2)["flow_estimator"]
    model = build(
        {
            "type": "ClipFlowModel",
            "previous": 2,
            "flow_estimator": flow,
            "features": {"type": "FilterBankFeatures"},
            "losses": {"correctness": LOSSES["correctness"]},
        }
    )
    batch = clip_batch(frames=3)
    losses = model(**batch, mode="loss")
    assert losses["loss_correctness"].requires_grad
    images, structures = batch["targets"]["image"], batch["inputs"]["target_structures"]
    single = teacher_forced(batch["inputs"], images, previous=2)
    source = batch["inputs"]["sources"][0]
    assert [len(x) for x in single["sources"]] == [6] * 3
    # clip 1, frame 2: the source, frame 1, frame 0
    for got, true in zip(single["sources"], (source[1], images[1, 1], images[1, 0]), strict=True):
        assert got[3 + 2].equal(true)
    assert single["sources"][2][3 + 1].equal(source[1])  # nothing two frames before frame 1
    assert single["target_structure"][5].equal(structures[1, 2])
    assert single["source_structures"][1].shape == (6, CHANNELS, 64, 64)


def test_points_go_with_their_references() -> None:
    """The flow of each reference is judged by the points of the frame that it comes from."""
    model = clip_model(previous=1, losses={"points": {"type": "PointFlowLoss", "weight": 2.0}})
    batch = clip_batch(frames=3)
    points = torch.cat([torch.rand(2, 3, 5, 2) * 64, torch.ones(2, 3, 5, 1)], dim=3)
    own = torch.cat([torch.rand(2, 5, 2) * 64, torch.ones(2, 5, 1)], dim=2)
    targets = {**batch["targets"], "points": points, "source_points": own}
    with torch.no_grad():
        output = model(batch["inputs"])
        found = model.clip_losses(output, batch["inputs"], targets)["loss_points"]
    expected = 0.0
    for t in range(3):
        for r, from_points in enumerate((own, points[:, t - 1] if t else own)):
            flow = output.flows[r][0][:, t]
            expected += 2.0 * float(point_flow(flow, from_points, points[:, t], (64, 64)))
    assert float(found) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(UserError, match="PointFlowLoss needs the targets 'points'"):
        model.clip_losses(output, **batch)


def test_shifted() -> None:
    clip = torch.arange(1, 5).view(1, 4, 1)
    first = torch.zeros(1, 1, dtype=clip.dtype)
    assert shifted(first, clip, 1).flatten().tolist() == [0, 1, 2, 3]
    assert shifted(first, clip, 3).flatten().tolist() == [0, 0, 0, 1]
    assert shifted(first, clip, 0).flatten().tolist() == [0, 0, 0, 0]
    assert shifted(first, clip, 9).flatten().tolist() == [0, 0, 0, 0]
