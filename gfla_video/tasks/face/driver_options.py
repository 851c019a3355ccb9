"""The command-line options of the face task."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gfla_video.detectors.face_crop import DEFAULT_MARGIN
from gfla_video.utils.driver_options import read_driver_options

DEFAULT_DETECTOR = "FaceAlignmentDetector"
BACKGROUNDS = ("driving", "source", "none")
DRIVERS_OWN = (
    "crop",
    "crop_margin",
    "background_edges",
    "smooth",
)  # the driver of a config says these, too
_CHOICES = {
    "motion": ("relative", "absolute"),
    "anchor": ("neutral", "first"),
    "crop": ("auto", "always", "none"),
    "on_missing": ("hold", "interpolate", "fail"),
    "paste_back": ("none", "source", "driving"),
    "background_edges": BACKGROUNDS,
}


@dataclass(frozen=True)
class FaceOptions:
    """The options of ``FaceDriver.add_arguments``, by their names there."""

    source_landmarks: str | None = None
    driving_landmarks: str | None = None
    driving_size: Sequence[int] | None = None
    fps: object = None
    motion: str = "relative"
    anchor: str = "neutral"
    crop: str = "auto"
    crop_margin: float = DEFAULT_MARGIN
    on_missing: str = "hold"
    smooth: float = 0.0
    paste_back: str = "none"
    background_edges: str | None = None
    detector: str = DEFAULT_DETECTOR
    detector_weights: Sequence[str] | None = None
    detector_device: str = "cpu"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> FaceOptions:
        """Check names and choices.

        Raises:
            UserError: an unknown option or value, with the nearest name.
        """
        choices = dict(_CHOICES)
        if options.get("background_edges") is None:
            del choices["background_edges"]
        return read_driver_options(cls, options, choices, "FaceDriver")


def add_face_arguments(parser: ArgumentParser) -> None:
    """Add the options of face animation to a parser."""
    default = FaceOptions()
    add = parser.add_argument_group("face", "whose face moves, and how").add_argument

    def choose(name: str, said: str) -> None:
        value = None if name in DRIVERS_OWN else getattr(default, name)
        add(f"--{name.replace('_', '-')}", choices=_CHOICES[name], default=value, help=said)

    add("--source-landmarks", help="the source's 68 points, .npz or .txt (default: detected)")
    add("--driving-landmarks", help="the clip's points, .npz or folder of .txt (default: detected)")
    size = {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH")}
    add("--driving-size", **size, help="frame of the driving points, where no file says it")
    add(
        "--fps",
        help="frame rate where the clip has none, such as 30000/1001; replaces a video's own, too, "
        "which plays it at another speed and leaves its sound out",
    )
    choose(
        "motion",
        "relative: the driver's motion on the source's own face; absolute: the driver's points as "
        "they are, for clips of the same person",
    )
    choose(
        "anchor",
        "frame that stands for the source's expression: the most neutral one, or the first",
    )
    choose(
        "crop",
        "source and driver to a square around the face: where it fills less (auto, unless the "
        "config says otherwise), always (as prepared data are), or never",
    )
    margin = f"around the face, in parts of it (default: {default.crop_margin}, or the config's)"
    add("--crop-margin", type=float, metavar="PART", help=margin)
    choose("on_missing", "frames without a face: the face before, a straight line between, or stop")
    jitter = "take jitter out of the driving points; 1 to 2 for a nervous detector (default: "
    jitter += f"{default.smooth:g}, or the config's)"
    add("--smooth", type=float, metavar="FRAMES", help=jitter)
    choose("paste_back", "put the face back into the whole source, or into the driving frames")
    choose(
        "background_edges",
        "whose background is told to the network (default: the source's "
        "for relative motion, else the driver's)",
    )
    add("--detector", default=default.detector, help="registered face detector")
    add("--detector-weights", nargs="+", metavar="FILE", help="its model files")
    add("--detector-device", default=default.detector_device, help="where it runs")
