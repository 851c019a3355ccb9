"""The rollout against a plain loop over the one call; chunks, gradients, what is remembered."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from clip_case import build, clip_batch, generator_config
from torch import Tensor

from gfla_video.models.rollout import ClipRollout, chunks_of


def by_hand(generator: Any, batch: dict[str, Any], previous: int) -> list[Tensor]:
    """The frame loop in words: each frame sees the source and the last ``previous`` results."""
    inputs = batch["inputs"]
    source, structure = inputs["sources"][0], inputs["source_structures"][0]
    made: list[Tensor] = []
    for t, target in enumerate(inputs["target_structures"].unbind(1)):
        images, structures = [source], [structure]
        for step in range(1, previous + 1):
            images.append(made[t - step] if t >= step else source)
            before = inputs["target_structures"][:, t - step] if t >= step else structure
            structures.append(before)
        made.append(generator(images, structures, target).image)
    return made


@pytest.mark.parametrize("previous", [0, 1, 2])
@pytest.mark.parametrize("per_kind", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_rollout_is_the_frame_loop(previous: int, per_kind: bool, training: bool) -> None:
    generator = build(generator_config(previous, per_kind)).double().train(training)
    batch = clip_batch(frames=5)
    inputs = batch["inputs"]
    inputs["sources"] = [x.double() for x in inputs["sources"]]
    inputs["source_structures"] = [x.double() for x in inputs["source_structures"]]
    inputs["target_structures"] = inputs["target_structures"].double()
    with torch.no_grad():
        true = torch.stack(by_hand(generator, batch, previous), dim=1)
        first = inputs["sources"][0], inputs["source_structures"][0]
        whole = ClipRollout(generator, *first)(inputs["target_structures"])
        chunked = ClipRollout(generator, *first)
        parts = [chunked(inputs["target_structures"][:, part]).images for part in chunks_of(5, 2)]
        single = ClipRollout(generator, *(x[:1] for x in first))
        rows = single.frames(inputs["target_structures"][0])
    torch.testing.assert_close(whole.images, true)
    torch.testing.assert_close(torch.cat(parts, dim=1), true)
    torch.testing.assert_close(rows.image, true[0])
    assert len(rows.flows) == len(whole.flows) == 1 + (previous or 0)
    torch.testing.assert_close(rows.flows[0][0], whole.flows[0][0][0])
    assert len(whole.previous) == previous
    if previous:
        torch.testing.assert_close(whole.previous[0][:, 1:], true[:, :-1])
        torch.testing.assert_close(whole.previous[-1][:, 0], inputs["sources"][0])


def test_gradients_flow_through_frames_until_detached() -> None:
    generator = build(generator_config(1)).train()
    inputs = clip_batch(frames=4)["inputs"]
    source = inputs["sources"][0].requires_grad_(True)
    rollout = ClipRollout(generator, source, inputs["source_structures"][0])
    first = rollout(inputs["target_structures"][:, :2])
    assert rollout.images[0].grad_fn is not None
    rollout.detach()
    assert rollout.images[0].grad_fn is None
    second = rollout(inputs["target_structures"][:, 2:])
    torch.testing.assert_close(second.previous[0][:, 0], first.images[:, -1])
    second.images.sum().backward()  # the first chunk's graph is not needed any more
    assert source.grad is not None
    assert all(not image.requires_grad for image in second.previous)


def test_memory_is_the_last_frames_only() -> None:
    generator = build(generator_config(2)).eval()
    inputs = clip_batch(frames=6, batch=1)["inputs"]
    rollout = ClipRollout(generator, inputs["sources"][0], inputs["source_structures"][0])
    with torch.inference_mode():
        out = rollout.frames(inputs["target_structures"][0])
    assert [image.shape for image in rollout.images] == [(1, 3, 64, 64)] * 2
    assert rollout.images[0].equal(out.image[-1:]) and rollout.images[1].equal(out.image[-2:-1])
    assert rollout.structures[0].equal(inputs["target_structures"][0, -1:])


def test_chunks_cover_the_clip() -> None:
    assert chunks_of(7, 3) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert chunks_of(6, 6) == [slice(0, 6)]


@pytest.mark.parametrize("encodes", [True, False])
def test_several_sources_are_references_of_every_frame(encodes: bool) -> None:
    config = generator_config(0)
    config["flow_estimator"] |= {"type": "FlowEstimator"}
    del config["flow_estimator"]["references"]
    generator = build(config).double().train(not encodes)
    views = [clip_batch(frames=4, batch=1)["inputs"] for _ in range(3)]
    images = [view["sources"][0].double() for view in views]
    structures = [view["source_structures"][0].double() for view in views]
    targets = views[0]["target_structures"][0].double()
    others = list(zip(images[1:], structures[1:], strict=True))
    with torch.no_grad():
        rollout = ClipRollout(generator, images[0], structures[0], others=others)
        rows, clip = rollout.frames(targets), rollout(targets[None])
        each = [generator(images, structures, target[None]) for target in targets]
    torch.testing.assert_close(rows.image, torch.cat([one.image for one in each]))
    torch.testing.assert_close(clip.images[0], rows.image)
    assert len(rows.flows) == len(rows.masks) == len(clip.flows) == 3
    for reference in range(3):
        own = torch.cat([one.flows[reference][0] for one in each])
        torch.testing.assert_close(rows.flows[reference][0], own)


def test_several_sources_and_previous_frames_exclude_each_other() -> None:
    generator = build(generator_config(1))
    inputs = clip_batch()["inputs"]
    pair = inputs["sources"][0], inputs["source_structures"][0]
    with pytest.raises(ValueError, match="2 sources for a generator of one source and 1 previous"):
        ClipRollout(generator, *pair, others=[pair])
