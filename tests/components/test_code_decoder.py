"""A code becomes features of the renderer's coarsest level."""

from __future__ import annotations

import pytest
import torch

from gfla_video.components.code_decoder import CodeDecoder


@pytest.mark.parametrize("positions", [False, True])
def test_shapes_of_any_picture(positions: bool) -> None:
    decoder = CodeDecoder(4, hidden=6, out_channels=10, positions=positions)
    assert decoder(torch.randn(2, 4, 1, 1), 32, 24).shape == (2, 10, 32, 24)


def test_only_positions_tell_inner_positions_apart() -> None:
    """Without them what lies far from the borders is the same everywhere, to the code's grid."""
    code = torch.randn(1, 4, 1, 1)
    plain = CodeDecoder(4, hidden=6, out_channels=5)(code, 64, 64)[0, :, 24:40, 24:40]
    blocks = plain.unfold(1, 4, 4).unfold(2, 4, 4)  # [C, 4, 4, 4, 4]: one block per grid place
    torch.testing.assert_close(blocks, blocks[:, :1, :1].expand_as(blocks))
    placed = CodeDecoder(4, hidden=6, out_channels=5, positions=True)(code, 64, 64)
    blocks = placed[0, :, 24:40, 24:40].unfold(1, 4, 4).unfold(2, 4, 4)
    assert float((blocks - blocks[:, :1, :1]).detach().abs().max()) > 1e-2


def test_each_of_a_batch_has_its_own_code() -> None:
    decoder = CodeDecoder(4, hidden=6, out_channels=5, positions=True).double()
    codes = torch.randn(3, 4, 1, 1, dtype=torch.float64)
    together = decoder(codes, 16, 16)
    for index in range(3):
        alone = decoder(codes[index : index + 1], 16, 16)
        torch.testing.assert_close(together[index : index + 1], alone)
    assert float((together[0] - together[1]).detach().abs().max()) > 1e-3


@pytest.mark.parametrize("size", [(4, 4), (2, 32), (18, 16)])
def test_grids_that_no_norm_can_serve_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="take larger pictures or fewer levels"):
        CodeDecoder(4, hidden=6, out_channels=5)(torch.randn(1, 4, 1, 1), *size)
