"""Released face checkpoints: which networks a file holds and what else its user needs."""

from __future__ import annotations

from typing import Any

from gfla_video.models.released import Converted, State, convert_attention, convert_discriminator
from gfla_video.models.released_clips import convert_clip_discriminator, convert_clip_generator
from gfla_video.registry import CONVERTERS
from gfla_video.utils.errors import UserError

_GENERATOR = {"source_previous", "source_reference", "target", "flow_net"}
_COLOURS = 3


@CONVERTERS.register_module(name="face")
class FaceConverter:
    """Generator, image discriminator, clip discriminator (differences or 3-D), attention block."""

    def convert(self, state: State) -> dict[str, Converted]:
        """The networks of a released state dict (without ``module.``), by our child name.

        Raises:
            UserError: the names are those of no face network.
        """
        parts = {name.split(".")[0] for name in state}
        if parts == _GENERATOR:
            return {"generator": convert_clip_generator(state)}
        if parts == {"source", "target", "flow_net"}:
            raise UserError(
                "this is a checkpoint of still images (it has one source encoder), not one of the "
                "face task: convert it with its own task"
            )
        if parts == {"fully_connect_layer"}:
            return {"attention": convert_attention(state)}
        first = state.get("block0.model.1.weight_orig")
        if first is not None and "conv" in parts:
            if first.ndim == 4 and first.shape[1] == _COLOURS:
                return {"discriminator": convert_discriminator(state)}
            return {"clip_discriminator": convert_clip_discriminator(state)}
        raise UserError(
            f"no face network has the parts {', '.join(sorted(parts)[:6])}; a generator has "
            f"{', '.join(sorted(_GENERATOR))}"
        )

    def meta(self, networks: dict[str, Converted]) -> dict[str, Any]:
        """What a checkpoint's user needs beside the weights: structure, driver, picture size."""
        meta: dict[str, Any] = {
            "structure": {"type": "FaceStructure"},
            "driver": {"type": "FaceDriver"},
        }
        if "generator" in networks:
            meta["size"] = [256, 256]
        return meta
