"""Released pose checkpoints: which networks a file holds and what else its user needs."""

from __future__ import annotations

from typing import Any

from gfla_video.models.released import (
    Converted,
    State,
    assemble,
    convert_attention,
    convert_discriminator,
    convert_encoder,
    convert_flow_estimator,
    convert_renderer,
    under,
)
from gfla_video.registry import CONVERTERS
from gfla_video.utils.errors import UserError


@CONVERTERS.register_module(name="pose")
class PoseConverter:
    """Generator, stage-1 flow estimator, discriminator or a single attention block."""

    sigma = 6.0  # of the released joint maps

    def convert(self, state: State) -> dict[str, Converted]:
        """The networks of a released state dict (without ``module.``), by our child name.

        Raises:
            UserError: the names are those of no pose network.
        """
        parts = {name.split(".")[0] for name in state}
        if {"source_previous", "source_reference"} & parts:
            raise UserError(
                "this is a video checkpoint (it has source_previous and source_reference), "
                "not one of the pose task: convert it with its own task"
            )
        if parts == {"source", "target", "flow_net"}:
            return {"generator": self._generator(state)}
        if parts == {"flow_net"}:
            return {"flow_estimator": convert_flow_estimator(under(state, "flow_net"))}
        if parts == {"fully_connect_layer"}:
            return {"attention": convert_attention(state)}
        if "block0" in parts and "conv" in parts:
            return {"discriminator": convert_discriminator(state)}
        raise UserError(
            f"no pose network has the parts {', '.join(sorted(parts)[:6])}; a generator has "
            "source, target and flow_net"
        )

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

    def _generator(self, state: State) -> Converted:
        flow = convert_flow_estimator(under(state, "flow_net"))
        renderer = convert_renderer(under(state, "target"))
        deepest = max(renderer.config["attention_levels"])
        encoder = convert_encoder(under(state, "source"), used_levels=deepest)
        parts = {"source_encoder": encoder, "flow_estimator": flow, "renderer": renderer}
        return assemble("TransferGenerator", parts)
