"""Training on clips: stage 1 on single frames of them, stage 2 rolled out (facts 1.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from gfla_video.components.losses import AdversarialLoss
from gfla_video.components.losses.inputs import TransferLoss
from gfla_video.models.base import Inputs, points_of, split_samples
from gfla_video.models.clips import (
    folded,
    for_each_frame,
    frames_of,
    point_targets,
    teacher_forced,
)
from gfla_video.models.flow_model import FlowModel
from gfla_video.models.rollout import ClipOutput, ClipRollout, chunks_of
from gfla_video.models.transfer_model import ORDERS, TransferModel, frozen
from gfla_video.registry import MODELS
from gfla_video.utils.errors import UserError

PREVIOUS = ("generated", "truth")


@MODELS.register_module()
class ClipFlowModel(FlowModel):
    """Stage 1 on clips: every frame by itself, its true predecessors as previous frames.

    Args:
        previous: how many previous frames the estimator takes beside the source.
        **kwargs: of :class:`FlowModel`.
    """

    def __init__(
        self,
        flow_estimator: nn.Module,
        losses: Mapping[str, TransferLoss],
        previous: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(flow_estimator, losses, **kwargs)
        self.previous = previous

    def forward(
        self,
        inputs: Inputs,
        targets: dict[str, Tensor] | None = None,
        meta: Any = None,
        mode: str = "tensor",
    ) -> Any:
        """As :meth:`FlowModel.forward` on the B * T frames of a clip.

        Args:
            inputs: ``sources``, ``source_structures`` (one each), ``target_structures``
                ``[B, T, C, H, W]``.
            targets: ``image [B, T, 3, H, W]``; needed in every mode, for the previous frames.
            meta: names of the samples, not used.
            mode: ``loss``, ``predict`` or ``tensor``.
        """
        if targets is None:
            raise ValueError("a flow estimator of clips needs the true frames (targets) as well")
        single = teacher_forced(inputs, targets["image"], self.previous)
        true = {"image": frames_of(targets["image"]), **point_targets(targets, self.previous)}
        return super().forward(single, true, meta, mode)


@MODELS.register_module()
class ClipModel(TransferModel):
    """Stage 2 on clips: one iteration rolls a clip out, with one update per chunk of frames.

    The frames of a chunk depend on each other with gradients; at its end the generated frames are
    carried on without (released: clips of 30 frames in chunks of 6). Losses are summed over the
    frames of a chunk. The discriminator judges one random frame of the chunk, the clip
    discriminator one random window; for its own update each draws anew.

    Args:
        generator: network of the one call, ``previous`` frames of it rolled out.
        discriminator: picture to patch logits.
        adversarial: the adversarial loss of all.
        losses: the generator's other losses by name.
        clip_discriminator: window ``[B, K, 3, H, W]`` to patch logits, its ``frames`` is K; None
            for none.
        chunk: frames per update.
        loss_previous: what the flow from previous frames is judged by, the ``generated`` frames
            that the generator was given (released for faces) or the ``truth`` (for dance).
        **kwargs: of :class:`TransferModel`.

    Raises:
        ValueError: a chunk shorter than the clip discriminator's window.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        adversarial: AdversarialLoss,
        losses: Mapping[str, TransferLoss],
        clip_discriminator: nn.Module | None = None,
        chunk: int = 6,
        loss_previous: str = "generated",
        **kwargs: Any,
    ) -> None:
        super().__init__(generator, losses, discriminator, adversarial, **kwargs)
        if loss_previous not in PREVIOUS:
            raise ValueError(f"loss_previous must be {' or '.join(PREVIOUS)}: {loss_previous!r}")
        self.window = 1 if clip_discriminator is None else int(clip_discriminator.frames)  # type: ignore[arg-type]
        if chunk < self.window:
            raise ValueError(
                f"chunk must be {self.window} or more, the clip discriminator's frames; got {chunk}"
            )
        self.previous = int(generator.previous)  # type: ignore[arg-type]
        self.chunk = chunk
        self.loss_previous = loss_previous
        if clip_discriminator is not None:
            self.clip_discriminator = clip_discriminator
            self.apply_switches()

    @property
    def judges_clips(self) -> bool:
        """Whether there is a clip discriminator."""
        return hasattr(self, "clip_discriminator")

    def forward(
        self,
        inputs: Inputs,
        targets: dict[str, Tensor] | None = None,
        meta: Any = None,
        mode: str = "tensor",
    ) -> Any:
        """``tensor``: the rolled-out clip; ``predict``: one dict per clip; ``loss``: the losses.

        Args:
            inputs: ``sources``, ``source_structures`` (one each), ``target_structures``
                ``[B, T, C, H, W]``.
            targets: ``image [B, T, 3, H, W]``, for ``loss``.
            meta: names of the samples, not used.
            mode: one of the three.
        """
        output = self._rollout(inputs)(inputs["target_structures"])
        if mode == "tensor":
            return output
        if mode == "predict":
            return split_samples(len(output.images), output.flows, output.masks, output.images)
        if mode != "loss" or targets is None:
            raise ValueError(f"mode must be loss (with targets), predict or tensor, got {mode!r}")
        return self.clip_losses(output, inputs, targets)

    def train_step(
        self, data: dict[str, Any], optim_wrapper: OptimWrapperDict
    ) -> dict[str, Tensor]:
        """Roll the clip out; after each chunk update every network once, by ``update_order``.

        Gives each loss as its mean over the chunks.
        """
        _refuse_accumulation(optim_wrapper)
        data = self.data_preprocessor(data, True)
        inputs, targets = data["inputs"], data["targets"]
        structures = inputs["target_structures"]
        frames = structures.shape[1]
        if frames % self.chunk:
            raise UserError(
                f"model.chunk: {self.chunk} frames per update do not divide the clips of {frames} "
                "frames; change it or the data set's frames"
            )
        rollout = self._rollout(inputs)
        logs: dict[str, Tensor] = {}
        chunks = chunks_of(frames, self.chunk)
        for part in chunks:
            with optim_wrapper["generator"].optim_context(self.generator):
                output = rollout(structures[:, part])
            found = self._update(output, inputs, targets, part, optim_wrapper)
            for name, value in found.items():
                logs[name] = logs.get(name, 0) + value.detach() / len(chunks)
            rollout.detach()
        return logs

    def clip_losses(
        self,
        output: ClipOutput,
        inputs: Inputs,
        targets: Mapping[str, Tensor],
        first: int = 0,
    ) -> dict[str, Tensor]:
        """All losses of the generator on a chunk, summed over its frames.

        Args:
            output: the chunk.
            inputs: of the whole clip.
            targets: of the whole clip, ``image [B, T, 3, H, W]``.
            first: the clip's frame that the chunk begins with.
        """
        frames = output.images.shape[1]
        part = slice(first, first + frames)
        images = targets["image"]
        single = teacher_forced(inputs, images, self.previous, part)
        if self.loss_previous == "generated":
            single["sources"][1:] = [frames_of(clip) for clip in output.previous]
        once = self.features_of_source(inputs["sources"][0])
        losses = self.compute_losses(
            frames_of(images[:, part]),
            single,
            folded(output.flows),
            folded(output.masks),
            self.levels,
            frames_of(output.images),
            [
                {layer: for_each_frame(maps, frames) for layer, maps in once.items()},
                *(self.features_of_source(source) for source in single["sources"][1:]),
            ],
            points_of(point_targets(targets, self.previous, part)),
        )
        summed = {name: frames * loss for name, loss in losses.items()}
        with frozen(self.discriminator):
            frame = output.images[:, _drawn(frames, 1).start]
            summed["loss_adversarial"] = self.adversarial.generator(self.discriminator(frame))
        if self.judges_clips:
            with frozen(self.clip_discriminator):
                window = output.images[:, _drawn(frames, self.window)]
                logits = self.clip_discriminator(window)
                summed["loss_clip_adversarial"] = self.adversarial.generator(logits)
        return summed

    def _update(
        self,
        output: ClipOutput,
        inputs: Inputs,
        targets: Mapping[str, Tensor],
        part: slice,
        optim_wrapper: OptimWrapperDict,
    ) -> dict[str, Tensor]:
        """Each network's update on one chunk; gives the losses for the log."""
        fake, real = output.images.detach(), targets["image"][:, part]
        logs: dict[str, Tensor] = {}
        order = [*ORDERS[self.update_order]]
        if self.judges_clips:
            order.insert(order.index("discriminator") + 1, "clip_discriminator")
        for name in order:
            with optim_wrapper[name].optim_context(getattr(self, name)):
                if name == "generator":
                    losses = self.clip_losses(output, inputs, targets, part.start)
                else:
                    losses = {f"loss_{name}": self._judged(name, fake, real)}
            total, found = self.parse_losses(losses)
            optim_wrapper[name].update_params(total)
            found[f"loss_{name}"] = found.pop("loss")  # each update names its own total
            logs.update(found)
        return logs

    def _judged(self, name: str, fake: Tensor, real: Tensor) -> Tensor:
        """The loss of a discriminator on the same random frame, or frames, of both clips."""
        network, frames = getattr(self, name), real.shape[1]
        if name == "discriminator":
            shown: int | slice = _drawn(frames, 1).start
        else:
            shown = _drawn(frames, self.window)
        return self.adversarial.discriminator(network(real[:, shown]), network(fake[:, shown]))

    def _rollout(self, inputs: Inputs) -> ClipRollout:
        return ClipRollout(
            self.generator, inputs["sources"][0], inputs["source_structures"][0], self.previous
        )


def _refuse_accumulation(optim_wrapper: OptimWrapperDict) -> None:
    """MMEngine counts iterations, a clip has several updates in one: its factors would be wrong."""
    for name, wrapper in optim_wrapper.items():
        if wrapper._accumulative_counts > 1:
            raise UserError(
                f"optim_wrapper.{name}.accumulative_counts: clips are updated chunk by chunk and "
                "take no accumulation, leave it out and raise batch_size or model.chunk instead"
            )


def _drawn(frames: int, window: int) -> slice:
    """A random window of the frames of a clip, the same for the whole batch."""
    start = int(torch.randint(frames - window + 1, ()))
    return slice(start, start + window)
