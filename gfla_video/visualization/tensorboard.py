"""TensorBoard as a Visualizer of MMEngine: scalars, pictures and moving pictures."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import master_only
from mmengine.visualization import Visualizer
from mmengine.visualization.vis_backend import TensorboardVisBackend, force_init_env
from PIL import Image

from gfla_video.registry import VISUALIZERS
from gfla_video.utils.errors import UserError
from gfla_video.visualization.panels import Picture


class TensorboardPanels(TensorboardVisBackend):  # type: ignore[misc]
    """MMEngine's backend, which can also show moving pictures.

    TensorBoard plays a GIF among its images. (The ``add_video`` of torch's writer makes one, too,
    but needs a further package.)
    """

    @force_init_env  # type: ignore[untyped-decorator]
    def add_video(self, name: str, frames: Sequence[Picture], fps: float, step: int = 0) -> None:
        """Record frames uint8 ``[H, W, 3]`` that play in an endless loop."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        height, width = frames[0].shape[:2]
        image = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=_gif(frames, fps)
        )
        summary = Summary(value=[Summary.Value(tag=name, image=image)])
        self._tensorboard.file_writer.add_summary(summary, step)


@VISUALIZERS.register_module()
class TensorboardVisualizer(Visualizer):  # type: ignore[misc]
    """What training logs, also in TensorBoard; ``visualizer.type=TensorboardVisualizer`` asks.

    Args:
        name: MMEngine's, of the run.
        vis_backends: other backends than the JSON log and TensorBoard.
        save_dir: the run's folder; everything goes into its ``vis_data``.
        **kwargs: as :class:`mmengine.visualization.Visualizer`.

    Raises:
        UserError: TensorBoard is not installed.
    """

    def __init__(
        self,
        name: str = "visualizer",
        vis_backends: list[Any] | None = None,
        save_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise UserError(
                "visualizer: TensorboardVisualizer needs the package tensorboard, install it with "
                "pip install 'gfla_video[tensorboard]'"
            )
        if vis_backends is None and save_dir is not None:
            board = TensorboardPanels(save_dir=str(Path(save_dir) / "vis_data"))
            vis_backends = [{"type": "LocalVisBackend"}, board]
        super().__init__(name, vis_backends=vis_backends, save_dir=save_dir, **kwargs)

    @master_only  # type: ignore[untyped-decorator]
    def add_video(self, name: str, frames: Sequence[Picture], fps: float, step: int = 0) -> None:
        """Record frames uint8 ``[H, W, 3]`` in every backend that can show them."""
        for backend in self._vis_backends.values():
            if isinstance(backend, TensorboardPanels):
                backend.add_video(name, frames, fps, step)


def _gif(frames: Sequence[Picture], fps: float) -> bytes:
    first, *others = (Image.fromarray(frame) for frame in frames)
    stream = io.BytesIO()
    first.save(
        stream, "GIF", save_all=True, append_images=others, duration=round(1000 / fps), loop=0
    )
    return stream.getvalue()
