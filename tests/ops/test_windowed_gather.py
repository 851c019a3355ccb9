"""The windowed gather: worked by hand, against a plain loop, gradients, odd inputs."""

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


def test_worked_by_hand() -> None:
    """Picture [[1, 2], [3, 4]], window 2 from (0, 0) and from (1, 1), where it clamps to 4."""
    source = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 4, 1, 1).expand(1, 4, 1, 2)
    base = torch.tensor([[[[0, 1]], [[0, 1]]]], dtype=torch.int32)
    out = windowed_gather(source, weights, base)
    torch.testing.assert_close(out, torch.tensor([[[[3.0, 4.0]]]]))


@pytest.mark.parametrize("window", [1, 2, 3, 4, 6])
def test_agrees_with_the_formula(window: int) -> None:
    source, weights, base = case(window)
    torch.testing.assert_close(
        windowed_gather(source, weights, base), plain(source, weights, base), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("window", [2, 3])
def test_gradients(window: int) -> None:
    source, weights, base = case(window)
    source.requires_grad_()
    weights.requires_grad_()
    assert torch.autograd.gradcheck(lambda s, w: windowed_gather(s, w, base), (source, weights))


def test_any_strides() -> None:
    source, weights, base = case()
    expected = windowed_gather(source, weights, base)
    strided = source.transpose(2, 3).contiguous().transpose(2, 3)
    last = weights.to(memory_format=torch.channels_last)
    torch.testing.assert_close(windowed_gather(strided, last, base), expected)


def test_empty_batch() -> None:
    out = windowed_gather(
        torch.zeros(0, 3, 4, 4), torch.zeros(0, 4, 2, 2), torch.zeros(0, 2, 2, 2).int()
    )
    assert out.shape == (0, 3, 2, 2)


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
        (lambda s, w, b: (s[:1], w, b), "batch or output size"),
        (lambda s, w, b: (s, w, b.float()), "int32"),
        (lambda s, w, b: (s[0], w, b), "expects source"),
    ],
)
def test_wrong_arguments_are_said(change, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        windowed_gather(*change(*case()))
