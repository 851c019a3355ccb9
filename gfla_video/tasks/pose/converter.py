"""Released pose checkpoints: which networks a file holds and what else its user needs."""

from __future__ import annotations

from typing import Any

from gfla_video.models.released import Converted, State
from gfla_video.models.released_stills import convert_still_networks
from gfla_video.registry import CONVERTERS


@CONVERTERS.register_module(name="pose")
class PoseConverter:
    """Generator, stage-1 flow estimator, discriminator or a single attention block."""

    sigma = 6.0  # of the released joint maps

    def convert(self, state: State) -> dict[str, Converted]:
        """The networks of a released state dict (without ``module.``), by our child name.

        Raises:
            UserError: the names are those of no pose network.
        """
        return convert_still_networks(state, "pose", "input")

    def meta(self, networks: dict[str, Converted]) -> dict[str, Any]:
        """What a checkpoint's user needs beside the weights: structure, driver, picture size.

        The size is not in the tensors: one attention scale is taken as Market-1501 (128 x 64), two
        as DeepFashion (256 x 256).
        """
        meta: dict[str, Any] = {
            "structure": {"type": "PoseStructure", "sigma": self.sigma},
            "driver": {"type": "PoseDriver"},
        }
        if "generator" in networks:
            scales = len(networks["generator"].config["flow_estimator"]["flow_levels"])
            meta["size"] = [128, 64] if scales == 1 else [256, 256]
        return meta
