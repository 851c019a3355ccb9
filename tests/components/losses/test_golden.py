"""Every loss against the golden numbers, in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from gfla_video.components.losses import (
    AdversarialLoss,
    AffineRegularizationLoss,
    LossInputs,
    PerceptualLoss,
    SamplingCorrectnessLoss,
    StyleLoss,
)
from gfla_video.components.losses.correctness import sampling_correctness
from gfla_video.components.losses.perceptual import gram_matrix
from gfla_video.components.losses.regularization import (
    affine_regularization,
    affine_residual_kernel,
)

TOLERANCE = 1e-9


def load(arrays: dict, name: str) -> torch.Tensor:
    """An array in float64."""
    return torch.from_numpy(arrays[name]).double()


def close(ours: torch.Tensor | None, arrays: dict, name: str) -> None:
    """Equal to the stated tolerance."""
    assert ours is not None
    torch.testing.assert_close(ours.detach(), load(arrays, name), rtol=0, atol=TOLERANCE)


def inputs(arrays: dict, **changes: object) -> LossInputs:
    """Loss inputs with the case's two flows."""
    picture = torch.zeros(2, 3, 8, 8, dtype=torch.float64)
    values: dict = {
        "target": picture,
        "sources": [picture],
        "source_structures": [],
        "target_structure": picture,
        "flows": [[load(arrays, "flow3").requires_grad_(), load(arrays, "flow2").requires_grad_()]],
        "masks": [[]],
        "levels": (3, 2),
    }
    return LossInputs(**(values | changes))


def test_tolerance_is_the_cases(golden: Callable) -> None:
    assert golden("losses").case["tolerance"]["f64_values"] == TOLERANCE


def test_affine_regularization(golden: Callable) -> None:
    arrays = golden("losses").arrays
    given = inputs(arrays)
    total = AffineRegularizationLoss(kernel_sizes=(3, 5))(given)
    total.backward()
    close(total, arrays, "reg.total_f64")
    close(given.flows[0][0].grad, arrays, "reg.grad_flow3_f64")
    close(given.flows[0][1].grad, arrays, "reg.grad_flow2_f64")
    close(affine_regularization(given.flows[0][0], 3), arrays, "reg.part3_f64")
    close(affine_regularization(given.flows[0][1], 5), arrays, "reg.part2_f64")
    kernel = affine_residual_kernel(3)
    close(kernel.T @ kernel, arrays, "reg.kernel3")
    assert affine_regularization(load(arrays, "reg.affine_flow"), 3) < 1e-9


@pytest.mark.parametrize("name", ["gauss", "bilinear", "gauss_mask", "bilinear_mask"])
def test_correctness(golden: Callable, name: str) -> None:
    arrays = golden("losses").arrays
    flow = load(arrays, "flow3").requires_grad_()
    sampling = "gaussian" if name.startswith("gauss") else "bilinear"
    mask = load(arrays, "mask") if name.endswith("mask") else None
    value = sampling_correctness(
        load(arrays, "source_feat"), load(arrays, "target_feat"), flow, sampling, mask
    )
    value.backward()
    close(value, arrays, f"corr.{name}.value_f64")
    close(flow.grad, arrays, f"corr.{name}.grad_flow3_f64")


def test_correctness_at_full_resolution(golden: Callable) -> None:
    arrays = golden("losses").arrays
    flow = load(arrays, "flow_full").requires_grad_()
    value = sampling_correctness(load(arrays, "source_feat"), load(arrays, "target_feat"), flow)
    value.backward()
    close(value, arrays, "corr.full.value_f64")
    close(flow.grad, arrays, "corr.full.grad_flow_full_f64")


def test_correctness_pairs_levels_with_layers(golden: Callable) -> None:
    arrays = golden("losses").arrays
    given = inputs(
        arrays,
        target_features={
            "relu4_1": load(arrays, "target_feat4"),
            "relu3_1": load(arrays, "target_feat"),
        },
        source_features=[
            {"relu4_1": load(arrays, "source_feat4"), "relu3_1": load(arrays, "source_feat")}
        ],
        layers={"level3": ("relu4_1",), "level2": ("relu3_1",)},
    )
    close(SamplingCorrectnessLoss()(given), arrays, "corr.call_value_f64")


def test_content_and_style(golden: Callable) -> None:
    arrays = golden("losses").arrays
    names = [n.removeprefix("vgg.x.") for n in arrays if n.startswith("vgg.x.")]
    fake = {name: load(arrays, f"vgg.x.{name}").requires_grad_() for name in names}
    given = inputs(
        arrays,
        fake_features=fake,
        target_features={name: load(arrays, f"vgg.y.{name}") for name in names},
        layers={
            "content": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
            "style": ("relu2_2", "relu3_4", "relu4_4", "relu5_2"),
        },
    )
    content, style = PerceptualLoss()(given), StyleLoss()(given)
    (content + style).backward()
    close(content, arrays, "vgg.content_f64")
    close(style, arrays, "vgg.style_f64")
    for name in names:
        close(fake[name].grad, arrays, f"vgg.grad_x.{name}_f64")
    close(gram_matrix(fake["relu3_4"]), arrays, "gram.relu3_4_f64")


def test_adversarial(golden: Callable) -> None:
    arrays = golden("losses").arrays
    logits = load(arrays, "adv.logits")
    ideal = {"lsgan": (1.0, 0.0), "hinge": (1.0, -1.0)}
    for mode, real, fake in (
        ("lsgan", "adv.lsgan_real_f64", "adv.lsgan_fake_f64"),
        ("hinge", "adv.hinge_d_real_f64", "adv.hinge_d_fake_f64"),
    ):
        loss = AdversarialLoss(mode)
        good, bad = (torch.full_like(logits, value) for value in ideal[mode])
        close(2 * loss.discriminator(logits, bad), arrays, real)
        close(2 * loss.discriminator(good, logits), arrays, fake)
    close(AdversarialLoss("lsgan").generator(logits), arrays, "adv.lsgan_real_f64")
    close(AdversarialLoss("hinge").generator(logits), arrays, "adv.hinge_g_f64")


def test_nsgan_is_cross_entropy() -> None:
    logits = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    loss = AdversarialLoss("nsgan", weight=2.0)
    torch.testing.assert_close(loss.generator(logits), -2 * torch.sigmoid(logits).log().mean())
    expected_fake = -0.5 * (1 - torch.sigmoid(-logits)).log().mean()
    expected = -0.5 * torch.sigmoid(logits).log().mean() + expected_fake
    torch.testing.assert_close(loss.discriminator(logits, -logits), expected)


def test_unknown_mode_is_said() -> None:
    with pytest.raises(ValueError, match="lsgan, hinge, nsgan"):
        AdversarialLoss("wgan")
