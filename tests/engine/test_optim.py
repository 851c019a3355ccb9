"""One optimiser per network, and nothing trains or idles by accident."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from gfla_video.engine.optim import PerNetworkOptimConstructor, lay_out_states
from gfla_video.utils.errors import UserError

ADAM = {"optimizer": {"type": "Adam", "lr": 0.1, "betas": (0.0, 0.999)}}


class TwoNetworks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = nn.Linear(2, 3)
        self.discriminator = nn.Linear(3, 1)
        self.features = nn.Linear(3, 3).requires_grad_(False)


def test_each_network_gets_its_own_trainable_parameters() -> None:
    model = TwoNetworks()
    model.generator.bias.requires_grad_(False)
    sgd = {"optimizer": {"type": "SGD", "lr": 0.2}, "accumulative_counts": 2}
    built = PerNetworkOptimConstructor({"generator": ADAM, "discriminator": sgd})(model)
    (group,) = built["generator"].param_groups
    assert [id(p) for p in group["params"]] == [id(model.generator.weight)]
    assert type(built["discriminator"].optimizer).__name__ == "SGD"
    assert built["discriminator"].param_groups[0]["lr"] == 0.2
    assert len(built["discriminator"].param_groups[0]["params"]) == 2


def test_accumulation_goes_on_where_a_run_stopped() -> None:
    model = TwoNetworks()
    twice = {**ADAM, "accumulative_counts": 2}
    built = PerNetworkOptimConstructor({"generator": twice, "discriminator": ADAM})(model)
    built.initialize_count_status(model, 3, 10)
    assert built["generator"]._inner_count == 3
    assert not built["generator"].should_update()  # the fourth of two and two is next


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"generator": ADAM, "discriminator": ADAM, "critic": ADAM},
            "optim_wrapper.critic.*no child",
        ),
        ({"generator": ADAM, "discriminator": ADAM, "features": ADAM}, "no trainable parameter"),
        ({"generator": ADAM}, "discriminator of TwoNetworks would never be trained"),
        (
            {"generator": ADAM, "discriminator": {}},
            "optim_wrapper.discriminator: has no 'optimizer'",
        ),
    ],
)
def test_what_does_not_fit_is_said(config: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        PerNetworkOptimConstructor(config)(TwoNetworks())


def test_optimisers_of_another_model_are_refused() -> None:
    built = PerNetworkOptimConstructor({"generator": ADAM, "discriminator": ADAM})(TwoNetworks())
    state = built.state_dict()
    del state["discriminator"]
    with pytest.raises(UserError, match="holds optimisers of generator"):
        built.load_state_dict(state)


@pytest.mark.parametrize("fused", [False, True])
def test_a_run_goes_on_in_another_memory_layout(fused: bool) -> None:
    """Restored moments lie as the weights do: a fused step reads both as plain memory."""
    settings = {"optimizer": {**ADAM["optimizer"], "betas": (0.5, 0.9), "fused": fused}}
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    goes_on = copy.deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    before, after = (PerNetworkOptimConstructor({"0": settings})(m) for m in (model, goes_on))
    pictures = torch.randn(2, 2, 3, 5, 5)
    before["0"].update_params(model(pictures[0]).square().mean())
    goes_on.load_state_dict(model.state_dict())
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    lay_out_states(after)
    for network, wrapper in ((model, before), (goes_on, after)):
        wrapper["0"].update_params(network(pictures[1]).square().mean())
    torch.testing.assert_close(goes_on[0].weight, model[0].weight)
