"""Released ShapeNet checkpoints: which networks a file holds and what else its user needs."""

from __future__ import annotations

from typing import Any

from gfla_video.models.released import Converted, State
from gfla_video.models.released_stills import convert_still_networks
from gfla_video.registry import CONVERTERS

_COARSEST = 32  # rows and columns of the renderer's coarsest level, as released


@CONVERTERS.register_module(name="view_synthesis")
class ViewSynthesisConverter:
    """Generator, stage-1 flow estimator, discriminator or a single attention block."""

    def convert(self, state: State) -> dict[str, Converted]:
        """The networks of a released state dict (without ``module.``), by our child name.

        Raises:
            UserError: the names are those of no view synthesis network.
        """
        return convert_still_networks(state, "view_synthesis", "bottleneck")

    def meta(self, networks: dict[str, Converted]) -> dict[str, Any]:
        """What a checkpoint's user needs beside the weights: structure, driver, picture size."""
        meta: dict[str, Any] = {
            "structure": {"type": "CameraBins"},
            "driver": {"type": "CameraDriver"},
        }
        if "generator" in networks:
            levels = networks["generator"].config["renderer"]["levels"]
            meta["size"] = [_COARSEST * 2**levels] * 2
        return meta
