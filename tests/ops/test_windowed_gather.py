"""The windowed gather of every backend: worked by hand, against a plain loop, odd inputs."""

from __future__ import annotations

import pytest
import torch

from gfla_video.ops import window_base, windowed_gather


def plain(source: torch.Tensor, weights: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """The formula, position by position."""
    batch, channels, height, width = source.shape
    window = int(weights.shape[1] ** 0.5)
    out = torch.zeros(batch, channels, *weights.shape[2:], dtype=source.dtype)
    for b in range(batch):
        for y in range(weights.shape[2]):
            for x in range(weights.shape[3]):
                for j in range(window * window):
                    sx = min(max(int(base[b, 0, y, x]) + j % window, 0), width - 1)
                    sy = min(max(int(base[b, 1, y, x]) + j // window, 0), height - 1)
                    out[b, :, y, x] += weights[b, j, y, x] * source[b, :, sy, sx]
    return out


def case(window: int = 3, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    """Source 5 x 4, output 3 x 6, windows reaching outside on all sides."""
    source = torch.randn(2, 3, 5, 4, dtype=dtype)
    weights = torch.randn(2, window * window, 3, 6, dtype=dtype)
    base = torch.randint(-6, 8, (2, 2, 3, 6), dtype=torch.int32)
    return source, weights, base


@pytest.mark.usefixtures("backend")
def test_worked_by_hand() -> None:
    """Picture [[1, 2], [3, 4]], window 2 from (0, 0) and from (1, 1), where it clamps to 4."""
    source = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 4, 1, 1).expand(1, 4, 1, 2)
    base = torch.tensor([[[[0, 1]], [[0, 1]]]], dtype=torch.int32)
    out = windowed_gather(source, weights, base)
    torch.testing.assert_close(out, torch.tensor([[[[3.0, 4.0]]]]))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("window", [1, 2, 3, 4, 6])
def test_agrees_with_the_formula(window: int) -> None:
    source, weights, base = case(window)
    torch.testing.assert_close(
        windowed_gather(source, weights, base), plain(source, weights, base), rtol=0, atol=1e-13
    )


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("window", [2, 3])
def test_gradients(window: int) -> None:
    source, weights, base = case(window)
    source.requires_grad_()
    weights.requires_grad_()
    assert torch.autograd.gradcheck(lambda s, w: windowed_gather(s, w, base), (source, weights))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("channels", [1, 5, 16, 64, 100, 150])
def test_every_width_of_channels(channels: int) -> None:
    """Blocks of vectors, single vectors and the rest, forward and backward."""
    source = torch.randn(1, channels, 4, 5, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(1, 9, 3, 4, dtype=torch.float64, requires_grad=True)
    base = torch.randint(-4, 6, (1, 2, 3, 4), dtype=torch.int32)
    upstream = torch.randn(1, channels, 3, 4, dtype=torch.float64)
    ours = windowed_gather(source, weights, base)
    true = plain(source, weights, base)
    torch.testing.assert_close(ours, true, rtol=0, atol=1e-13)
    inputs = (source, weights)
    for left, right in zip(
        torch.autograd.grad(ours, inputs, upstream),
        torch.autograd.grad(true, inputs, upstream),
        strict=True,
    ):
        torch.testing.assert_close(left, right, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_lower_precision_rounds_only_its_results(dtype: torch.dtype, mixed: bool) -> None:
    """Sums are held in float32: only inputs and results are rounded."""
    source, weights, base = case(6, torch.float32)
    source = source.to(dtype).requires_grad_()
    weights = (weights if mixed else weights.to(dtype)).detach().requires_grad_()
    out = windowed_gather(source, weights, base)
    assert out.dtype == dtype
    upstream = torch.randn_like(out)
    grads = torch.autograd.grad(out, (source, weights), upstream)
    exact = [x.detach().double().requires_grad_() for x in (source, weights)]
    true = windowed_gather(*exact, base, backend="reference")
    true_grads = torch.autograd.grad(true, exact, upstream.double())
    step = torch.finfo(dtype).eps
    for ours, right in zip((out, *grads), (true, *true_grads), strict=True):
        scale = right.abs().max().item()
        error = (ours.double() - right).abs().max().item()
        assert error <= 2 * max(step, 1e-6) * scale
    assert [grad.dtype for grad in grads] == [dtype, weights.dtype]


@pytest.mark.usefixtures("backend")
def test_any_strides() -> None:
    source, weights, base = case()
    expected = windowed_gather(source, weights, base)
    strided = source.transpose(2, 3).contiguous().transpose(2, 3)
    last = weights.to(memory_format=torch.channels_last)
    torch.testing.assert_close(windowed_gather(strided, last, base), expected)
    wide = torch.cat([base, base], dim=3)[..., ::2]
    every_second = torch.cat([weights, weights], dim=3)[..., ::2]
    assert not wide.is_contiguous()
    torch.testing.assert_close(
        windowed_gather(source, every_second, wide), plain(source, every_second, wide)
    )
    same = [weights[:1, ..., :1].expand_as(weights), base[:1, :, :1].expand_as(base)]
    torch.testing.assert_close(windowed_gather(source, *same), plain(source, *same))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_one_source_serves_a_batch(layout: torch.memory_format) -> None:
    """An expanded source gets the sum of the gradients of all its targets."""
    source, weights, base = case()
    one = source[:1].to(memory_format=layout).requires_grad_()
    out = windowed_gather(one.expand(2, -1, -1, -1), weights, base)
    copied = source[:1].repeat(2, 1, 1, 1).requires_grad_()
    true = windowed_gather(copied, weights, base)
    torch.testing.assert_close(out, true)
    out.sum().backward()
    true.sum().backward()
    assert one.grad is not None and copied.grad is not None
    torch.testing.assert_close(one.grad, copied.grad.sum(0, keepdim=True))


@pytest.mark.usefixtures("backend")
def test_empty_batch() -> None:
    source = torch.zeros(0, 3, 4, 4, requires_grad=True)
    weights = torch.zeros(0, 4, 2, 2, requires_grad=True)
    out = windowed_gather(source, weights, torch.zeros(0, 2, 2, 2).int())
    assert out.shape == (0, 3, 2, 2)
    out.sum().backward()
    assert source.grad is not None and source.grad.shape == source.shape
    assert weights.grad is not None and weights.grad.shape == weights.shape


@pytest.mark.usefixtures("backend")
def test_one_pixel_maps() -> None:
    source, weights = torch.randn(1, 20, 1, 1), torch.randn(1, 25, 1, 1)
    out = windowed_gather(source, weights, torch.full((1, 2, 1, 1), -2).int())
    torch.testing.assert_close(out, source * weights.sum(1, keepdim=True))


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("value", [-(2**31), 2**31 - 1])
def test_any_base_addresses_inside(value: int) -> None:
    """The farthest integers take the border; their gradients land there."""
    source, weights, _ = case(4)
    source.requires_grad_()
    base = torch.full((2, 2, 3, 6), value).int()
    out = windowed_gather(source, weights, base)
    corner = 0 if value < 0 else -1
    border = source.detach()[:, :, corner, corner, None, None]
    torch.testing.assert_close(out, border * weights.sum(1, keepdim=True))
    out.sum().backward()
    assert source.grad is not None
    assert source.grad[:, :, corner, corner].abs().min() > 0
    assert int((source.grad != 0).sum()) == 2 * 3


def test_base_survives_any_flow() -> None:
    bad = torch.tensor([float("nan"), float("inf"), -float("inf"), 1e30]).view(1, 1, 1, 4)
    base = window_base(bad.expand(1, 2, 1, 4), (5, 7), window=3, before=1)
    assert base.dtype == torch.int32
    assert base[0, 0, 0].tolist() == [0, 10, -3, 10]
    assert base[0, 1, 0].tolist() == [0, 8, -3, 8]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s, w, b: (s, w[:, :8], b), "K\\*K"),
        (lambda s, w, b: (s, w[:, :0], b), "K\\*K"),
        (lambda s, w, b: (s[:1], w, b), "batch or output size"),
        (lambda s, w, b: (s, w, b.float()), "int32"),
        (lambda s, w, b: (s[0], w, b), "expects source"),
        (lambda s, w, b: (s, w.half(), b), "weights must be"),
        (lambda s, w, b: (s, w, b, "fast"), "backend must be"),
    ],
)
def test_wrong_arguments_are_said(change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        windowed_gather(*change(*case()))
