"""The protocols that come with the program. docs/evaluation.md says more about each source.

A change of any value is a new version: numbers of one version stay comparable for ever.
"""

from __future__ import annotations

from typing import Any

from gfla_video.evaluation.protocols.protocol import Protocol
from gfla_video.evaluation.protocols.steps import Crop, FileFormat, Pad, Resize

Metric = dict[str, Any]

# Weights files by the name that `--weights NAME=FILE` and `weights:NAME` call them.
KNOWN_WEIGHTS = {
    "inception": "torch-fidelity's weights-inception-2015-12-05-6726825d.pth",
    "lpips-alex": "torchvision's alexnet-owt-7be5be79.pth",
    "lpips-vgg": "torchvision's vgg16-397923af.pth",
    "lpips-squeeze": "torchvision's squeezenet1_1-b8a52dc0.pth",
    "pose-detector": "the ONNX file of an RTMPose body model",
}
_GFLA = "the released program of GFLA (RenYurui/Global-Flow-Local-Attention: README, metrics)"
_PATN = "the released program of PATN (tengteng95/Pose-Transfer: getMetrics_fashion, inception)"
_NTED = "the data preparation of NTED (RenYurui/Neural-Texture-Extraction-Distribution)"
_FASHION = "the pairs of the DeepFashion test list of PATN and GFLA, in its order"
_MARKET = "the pairs of the Market-1501 test list of PATN and GFLA, in its order"
_JPG = FileFormat("jpg", 75, "4:2:0")  # of Pillow and imageio where nothing else is asked for
_SSIM: Metric = {"type": "SSIM", "window": 11, "sigma": 1.5, "data_range": 1.0}
# Of PATN, which GFLA calls ssim_256: the range of what was generated.
_SSIM_256: Metric = {**_SSIM, "data_range": "prediction", "name": "ssim_256"}
# scikit-image's default of that time: a flat window and the sample covariance.
_SSIM_51: Metric = {
    "type": "SSIM",
    "window": 51,
    "sigma": None,
    "data_range": 1.0,
    "sample_covariance": True,
    "name": "ssim_51",
}
_DETECTOR = {"type": "RtmlibPoseDetector", "pose_weights": "weights:pose-detector"}
_PIXELS: tuple[Metric, ...] = ({"type": "PSNR"}, {"type": "L1"})


def _lpips(net: str, **options: Any) -> Metric:
    trunk = f"weights:lpips-{net}"
    return {"type": "LPIPSMetric", "net": net, "version": "0.1", "trunk": trunk, **options}


def _fid(**options: Any) -> Metric:
    network = {"extractor": "torch-fidelity", "weights": "weights:inception"}
    return {"type": "FID", **network, "real": "train", **options}


# What GFLA's program computes of its files; its batches of 64 leave the last, incomplete one out.
_RELEASED: tuple[Metric, ...] = (
    _SSIM_51,
    _SSIM_256,
    *_PIXELS,
    {"type": "MAE"},
    _lpips("alex", whole_batches=64),
    _fid(eps=1e-6, whole_batches=64),
)
# What later programs report at DeepFashion's own proportions.
_LATER: tuple[Metric, ...] = (_SSIM, *_PIXELS, _lpips("alex"), _fid())


def _fashion_crop(name: str, size: tuple[int, int], whole: tuple[int, int]) -> Protocol:
    """DeepFashion without the white margins: ``whole`` pictures are cropped, others stretched."""
    return Protocol(
        name=name,
        version=1,
        source=f"{_NTED}: pictures at {size[0]}x{size[1]} by Pillow's bicubic filter, PNG; metrics "
        "and FID against the training pictures as GFLA, SSIM's window and the crop chosen here",
        size=size,
        sizes=(size, whole),
        otherwise=Resize(size, "pillow", "bicubic"),
        generated=(Crop(size),),
        images=_FASHION,
        expected_count=8570,
        metrics=_LATER,
    )


BUILTIN: tuple[Protocol, ...] = (
    Protocol(
        name="gfla-2020",
        version=1,
        source=f"GFLA (CVPR 2020) section 4.1 and {_GFLA}: whole 256x256 pictures, cut off to 8 "
        "bits, JPEG by imageio's defaults; FID against the whole training set",
        size=(256, 256),
        sizes=((256, 256),),
        rounding="truncate",
        file=_JPG,
        images=_FASHION,
        expected_count=8570,
        metrics=_RELEASED,
    ),
    Protocol(
        name="patn-2019",
        version=1,
        source=f"PATN (CVPR 2019) section 4.1 and {_PATN}: 256x176 crops, padded back to 256x256 "
        "with white before all numbers; how other sizes are brought to the crop is chosen here",
        size=(256, 256),
        sizes=((256, 176), (256, 256)),
        otherwise=Resize((256, 176), "pillow", "bilinear"),
        generated=(Crop((256, 176)), Pad((256, 256), (255, 255, 255))),
        rounding="truncate",
        images=_FASHION,
        expected_count=8570,
        metrics=(
            {**_SSIM_256, "name": "ssim"},
            {"type": "InceptionScore", "weights": "weights:inception", "splits": 10},
            {"type": "PCKh", "alpha": 0.5, "detector": _DETECTOR},
        ),
    ),
    _fashion_crop("deepfashion-256x176", (256, 176), (256, 256)),
    _fashion_crop("deepfashion-512x352", (512, 352), (512, 512)),
    Protocol(
        name="market-128x64",
        version=1,
        source=f"{_GFLA}, with its body mask: 128x64 pictures, cut off to 8 bits, JPEG by "
        "imageio's defaults; FID against the whole training set",
        size=(128, 64),
        sizes=((128, 64),),
        rounding="truncate",
        file=_JPG,
        images=_MARKET,
        expected_count=12000,
        metrics=(
            *_RELEASED,
            {**_SSIM_256, "mask": "points", "name": "mask_ssim"},
            _lpips("alex", mask="points", name="mask_lpips_alex", whole_batches=64),
        ),
    ),
    Protocol(
        name="face-256",
        version=1,
        source="chosen here; size and filter as the released GFLA program reads its videos",
        size=(256, 256),
        sizes=((256, 256),),
        otherwise=Resize((256, 256), "pillow", "bicubic"),
        images="every frame of every test clip",
        metrics=(
            _SSIM,
            *_PIXELS,
            _lpips("alex"),
            _fid(real="targets"),
            {"type": "TemporalWarpingError"},
            {"type": "FrameDifferenceError"},
        ),
    ),
    Protocol(
        name="shapenet-256",
        version=1,
        source="L1 and SSIM as Sun et al., Multi-view to Novel View (ECCV 2018), report them for "
        "cars and chairs; the rest chosen here",
        size=(256, 256),
        sizes=((256, 256),),
        otherwise=Resize((256, 256), "pillow", "bilinear"),
        images="every target view of every test source",
        metrics=(_SSIM, *_PIXELS, _lpips("alex")),
    ),
    Protocol(
        name="sample",
        version=1,
        source="chosen here for small data: pictures at whatever size they have, LPIPS by the "
        "smallest network",
        metrics=(_SSIM, *_PIXELS, _lpips("squeeze")),
    ),
)
