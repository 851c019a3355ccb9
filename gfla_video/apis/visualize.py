"""Pictures of how a trained network makes its results, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import Tensor, nn
from torch.utils.data import Dataset, default_collate

from gfla_video.apis.config import load_config
from gfla_video.apis.device import choose_device
from gfla_video.apis.evaluation.data import build_test_dataset
from gfla_video.apis.load import check_task, read_checkpoint
from gfla_video.apis.predictors import Prediction, Predictor, load_predictor
from gfla_video.apis.preview import batch_panels, build_drawer
from gfla_video.engine.stages import expand_stages
from gfla_video.evaluation.clips import clip_lengths, is_clip_batch
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder
from gfla_video.utils.frame_rate import DEFAULT_FPS, parse_fps
from gfla_video.utils.progress import progress
from gfla_video.visualization import (
    AttentionCall,
    AttentionRecorder,
    Picture,
    contact_sheet,
    enlarged,
    flow_limit,
    frame_prediction,
    frame_sample,
    heat_picture,
    mark_positions,
    moving_panels,
    panel_title,
    readable_scale,
    sample_panels,
    spread,
    tensor_to_uint8,
    tile,
    tile_panels,
    write_picture,
)
from gfla_video.visualization.videos import write_video

Position = tuple[float, float]
Sample = dict[str, Any]
_COLUMNS = 5  # panels in a row of one sample's grid
_SAMPLES = 4  # where none are asked for
_FRAMES = 4  # of a clip, as pictures


@dataclass(frozen=True)
class _Shown:
    """One picture, or one frame of a clip, with all that is drawn of it.

    Attributes:
        name: of its files.
        sample: of one picture.
        prediction: of the same.
        references: what the network looked at, pictures ``[3, H, W]``: sources, then the frames
            generated before.
        calls: of its attention blocks.
        limit: pixels that the flow colours end at.
    """

    name: str
    sample: Sample
    prediction: Prediction
    references: list[Tensor]
    calls: list[AttentionCall]
    limit: float

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        source = self.references[0]
        return source.shape[-2], source.shape[-1]

    def panels(self, drawer: Any) -> dict[str, Picture]:
        """All panels, the flow's legend among them."""
        return sample_panels(self.sample, self.prediction, drawer, self.limit, full=True)


def visualize(
    config: Config | str | Path,
    checkpoint: str | Path,
    out: str | Path,
    *,
    samples: Sequence[str] = (),
    positions: Sequence[Position] = (),
    frames: Sequence[int] = (),
    fps: Fraction | float | str | None = None,
    device: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Draw what a network does with held-out samples.

    ``grid.png`` has a row per sample (or frame): sources, structure, result, truth, flow colours
    with their legend, warped source, mask. Each has the same panels by itself in
    ``<name>_panels.png`` and, where the network has attention blocks, ``<name>_attention.png``:
    where in each source the chosen target positions take from, per level (paper Figure 6). A clip
    also gives ``<name>.mp4``, all its frames as panels.

    Args:
        config: config file, or a config that was read already; its ``test_dataloader`` counts.
        checkpoint: made by training or by the converter; also one of the flow stage.
        out: folder for the files, each written whole or not at all.
        samples: numbers from 0 on, or names; empty: four, evenly spaced.
        positions: (x, y) in pixels of the target picture; empty: three on its middle line.
        frames: of a clip, the frames drawn as pictures, from 0 on; empty: four, evenly spaced.
        fps: frame rate of a clip's mp4; 25 when None.
        device: the accelerator where there is one, else the CPU, when None.
        cfg_options: changes to the config by dotted path.

    Returns:
        The files that were written.

    Raises:
        UserError: bad config, checkpoint or data, a sample, frame or position that is not there,
            frames or fps of single pictures, positions for a network without attention, or a folder
            that cannot be written.
    """
    folder = ensure_writable_folder(out)
    cfg = expand_stages(load_config(config, cfg_options), "")[-1].config
    content = read_checkpoint(checkpoint)
    check_task(content["meta"], cfg, checkpoint)
    dataset = build_test_dataset(cfg)
    chosen = _chosen(dataset, samples)
    rate = _check_asked(dataset[chosen[0]], frames, fps)
    network, _, predict = load_predictor(content, checkpoint, choose_device(device))
    drawer = build_drawer(cfg.get("structure"))
    rows: list[dict[str, Picture]] = []
    written: list[Path] = []
    for index in progress(chosen, "drawing"):
        sample = dataset[index]
        shown, made = _run(network, predict, sample, frames)
        _check_positions(positions, shown)
        for one in shown:
            rows.append(one.panels(drawer))
            written += _write_one(folder, one, rows[-1], positions or _middle(one.size))
        if is_clip_batch(sample):
            written.append(_write_clip(folder, sample, made, drawer, rate))
    return [_write_grid(folder / "grid.png", rows), *written]


def parse_position(text: str) -> Position:
    """``"12,40"`` to (x, y) in pixels.

    Raises:
        UserError: it is no pair of numbers.
    """
    parts = text.split(",")
    try:
        x, y = (float(part) for part in parts)
    except ValueError as error:
        raise UserError(f"--positions {text}: give x,y in pixels, such as 32,48") from error
    return x, y


def _chosen(dataset: Dataset[Any], samples: Sequence[str]) -> list[int]:
    """Numbers of the samples that are asked for by number or by name, in that order."""
    count = len(dataset)  # type: ignore[arg-type]
    if not samples:
        return spread(count, _SAMPLES)
    found: dict[str, int] = {}
    for asked in samples:
        if asked.isdecimal() and int(asked) < count:
            found[asked] = int(asked)
    wanted = set(samples) - found.keys()
    for index in progress(range(count), "looking for names") if wanted else ():
        name = dataset[index]["meta"]["name"]
        if name in wanted:
            found.setdefault(name, index)
            if wanted <= found.keys():
                break
    missing = [asked for asked in samples if asked not in found]
    if missing:
        raise UserError(
            f"--samples {missing[0]}: is neither a number below {count} nor the name of a sample"
        )
    return [found[asked] for asked in dict.fromkeys(samples)]


def _run(
    network: nn.Module, predict: Predictor, sample: Sample, frames: Sequence[int]
) -> tuple[list[_Shown], Prediction]:
    """What is to be drawn of a sample, and the whole prediction."""
    batch, name = default_collate([sample]), sample["meta"]["name"]
    sources = sample["inputs"]["sources"]
    size = (sources[0].shape[-2], sources[0].shape[-1])
    clip = is_clip_batch(batch)
    chosen = _chosen_frames(clip_lengths(batch)[0], frames, name) if clip else [0]
    with AttentionRecorder(network, chosen) as recorder:
        (made,) = predict(batch)
    limit = flow_limit(made, size)
    if not clip:
        return [_Shown(name, sample, made, sources, recorder.calls(), limit)], made
    shown = [
        _Shown(
            f"{name}_{frame:05d}",
            frame_sample(sample, frame),
            frame_prediction(made, frame),
            _references(sources, made, frame, network),
            recorder.calls(frame),
            limit,
        )
        for frame in chosen
    ]
    return shown, made


def _check_asked(sample: Sample, frames: Sequence[int], fps: object) -> Fraction:
    """Refuse what could only be ignored; give the frame rate."""
    for option, asked in (("--frames", bool(frames)), ("--fps", fps is not None)):
        if asked and not is_clip_batch(sample):
            name = sample["meta"]["name"]
            raise UserError(f"{option}: is for clips, and {name} is a single picture")
    return DEFAULT_FPS if fps is None else parse_fps(fps)


def _check_positions(positions: Sequence[Position], shown: Sequence[_Shown]) -> None:
    if positions and not any(one.calls for one in shown):
        raise UserError(
            "--positions: this network has no attention blocks, so there is nothing to show there"
        )


def _chosen_frames(length: int, frames: Sequence[int], name: str) -> list[int]:
    for frame in frames:
        if not 0 <= frame < length:
            raise UserError(f"--frames {frame}: {name} has the frames 0 to {length - 1}")
    return list(frames) or spread(length, _FRAMES)


def _references(
    sources: list[Tensor], made: Prediction, frame: int, network: nn.Module
) -> list[Tensor]:
    """The sources and what was generated before a frame; the source where nothing was yet."""
    if "image" not in made:
        return sources
    back = range(1, 1 + int(getattr(network, "previous", 0)))
    earlier = [made["image"][frame - n] if frame >= n else sources[0] for n in back]
    return [*sources, *earlier]


def _middle(size: tuple[int, int]) -> list[Position]:
    """Three positions on the middle line, where people, faces and objects are."""
    return [(size[1] / 2, size[0] * part / 4) for part in (1, 2, 3)]


def _write_one(
    folder: Path, shown: _Shown, panels: Mapping[str, Picture], positions: Sequence[Position]
) -> Iterator[Path]:
    """A picture's panels and, where its network has attention blocks, their heat."""
    yield write_picture(folder / f"{shown.name}_panels.png", tile_panels(panels, _COLUMNS))
    if shown.calls:
        yield _write_attention(folder / f"{shown.name}_attention.png", shown, positions)


def _write_grid(path: Path, rows: Sequence[Mapping[str, Picture]]) -> Path:
    """All samples' panels, a row each; what not every one of them has is left out."""
    common = [title for title in rows[0] if all(title in row for row in rows)]
    scale = readable_scale(rows[0][common[0]])
    return contact_sheet([{title: row[title] for title in common} for row in rows], path, scale)


def _write_clip(
    folder: Path, sample: Sample, made: Prediction, drawer: Any, fps: Fraction | int
) -> Path:
    """All frames of a clip as tiled panels, with one legend."""
    frames = moving_panels(batch_panels(default_collate([sample]), 0, made, drawer))
    path = folder / f"{sample['meta']['name']}.mp4"
    return write_video(path, (tile_panels(panels, _COLUMNS) for panels in frames), fps)


def _write_attention(path: Path, shown: _Shown, positions: Sequence[Position]) -> Path:
    """A row per position: the position in the target, then its heat in each source and level."""
    height, width = shown.size
    for x, y in positions:
        if not (0 <= x < width and 0 <= y < height):
            raise UserError(
                f"--positions {x:g},{y:g}: lies outside of the picture, "
                f"which is {width}x{height} (width x height)"
            )
    target = tensor_to_uint8(shown.prediction["image"])
    scale = readable_scale(target)
    pictures, captions = [], []
    for number, position in enumerate(positions, 1):
        pictures.append(_marked(target, position, number, scale))
        captions.append(f"result, {number}: {position[0]:g}, {position[1]:g}")
        for call in shown.calls:
            picture, caption = _heat(shown, call, position)
            if call.follows_flow:
                picture = _marked(picture, call.end_of(position, shown.size), number, scale)
            else:
                picture = enlarged(picture, scale)
            pictures.append(picture)
            captions.append(caption)
    return write_picture(path, tile(pictures, captions, 1 + len(shown.calls)))


def _heat(shown: _Shown, call: AttentionCall, position: Position) -> tuple[Picture, str]:
    """A source under the heat of one attention block, and what it is called."""
    sources = len(shown.sample["inputs"]["sources"])
    source = tensor_to_uint8(shown.references[call.reference])
    what = "source" if call.reference < sources else "frame"
    title = f"{panel_title(what, call.reference, sources)}, 1/{2**call.level}"
    shares = call.shares(call.place_of(position, shown.size))
    if shares is None:
        return source, f"{title}: nothing"
    mask = _mask_at(shown, call.reference, position)
    return heat_picture(source, shares), f"{title}, mask {mask:.2f}"


def _mask_at(shown: _Shown, reference: int, position: Position) -> float:
    """The finest mask there: how much of the position comes from the source at all."""
    mask = shown.prediction["masks"][reference][-1][0]
    row = int(position[1] * mask.shape[0] / shown.size[0])
    return float(mask[row, int(position[0] * mask.shape[1] / shown.size[1])])


def _marked(picture: Picture, position: Position, number: int, scale: int) -> Picture:
    x, y = position
    return mark_positions(enlarged(picture, scale), [(x * scale, y * scale)], number)
