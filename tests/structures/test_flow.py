"""Two ways to change a flow's resolution, by hand."""

from __future__ import annotations

import torch

from gfla_video.structures import resize_values_kept, to_full_resolution


def test_full_resolution_counts_in_its_own_pixels() -> None:
    flow = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 2)
    full = to_full_resolution(flow, (8, 16))  # twice as high, eight times as wide
    assert full.shape == (1, 2, 8, 16)
    assert torch.equal(full[0, :, 3, 5], torch.tensor([8.0, -4.0]))
    assert torch.equal(full, full[:, :, :1, :1].expand_as(full))


def test_full_resolution_is_bilinear_with_aligned_centres() -> None:
    flow = torch.zeros(1, 2, 1, 2)
    flow[0, 0, 0] = torch.tensor([0.0, 4.0])
    full = to_full_resolution(flow, (1, 4))
    # centres of the fine pixels at -0.25, 0.25, 0.75, 1.25 of the coarse ones; times 2
    assert full[0, 0, 0].tolist() == [0.0, 2.0, 6.0, 8.0]
    assert torch.equal(to_full_resolution(flow, (1, 2)), flow)


def test_values_kept_is_nearest() -> None:
    flow = torch.zeros(1, 2, 1, 2)
    flow[0, 0, 0] = torch.tensor([0.0, 4.0])
    flow[0, 1, 0] = torch.tensor([-1.0, 3.0])
    kept = resize_values_kept(flow, (2, 4))
    assert kept[0, 0].tolist() == [[0.0, 0.0, 4.0, 4.0]] * 2
    assert kept[0, 1].tolist() == [[-1.0, -1.0, 3.0, 3.0]] * 2


def test_a_resized_flow_still_points_at_the_same_place() -> None:
    """A flow that mirrors left and right does so at every resolution."""

    def mirror(width: int) -> torch.Tensor:
        across = (width - 1) - 2.0 * torch.arange(width, dtype=torch.float64)
        return torch.stack([across.expand(8, width), torch.zeros(8, width).double()])[None]

    full = to_full_resolution(mirror(8), (8, 32))
    torch.testing.assert_close(full[..., 2:-2], mirror(32)[..., 2:-2])
