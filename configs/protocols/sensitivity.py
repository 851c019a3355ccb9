# How far files, borders and resizing move the numbers of the same pictures, 96 x 64 as the pose
# demo's (docs/evaluation.md): tools/test.py CONFIG CHECKPOINT --protocol <this file> --weights ...
_metrics = [
    dict(type="SSIM", window=11, sigma=1.5, data_range=1.0),
    dict(type="L1"),
    dict(type="LPIPSMetric", net="squeeze", version="0.1", trunk="weights:lpips-squeeze"),
]
_jpg = dict(format="jpg", quality=75, subsampling="4:2:0")
_pad = dict(step="pad", size=(96, 96))
_half = dict(step="resize", size=(48, 32))
_crop = dict(step="resize", size=(256, 176))

_variants = {
    "plain": dict(),
    "cut-off": dict(rounding="truncate"),
    "jpg-95": dict(file=dict(_jpg, quality=95)),
    "jpg-75": dict(file=_jpg),
    "white-border": dict(generated=[_pad]),
    "black-border": dict(generated=[dict(_pad, colour=(0, 0, 0))]),
    "half-pillow-bilinear": dict(generated=[dict(_half, library="pillow", filter="bilinear")]),
    "half-pillow-bicubic": dict(generated=[dict(_half, library="pillow", filter="bicubic")]),
    "half-pillow-lanczos": dict(generated=[dict(_half, library="pillow", filter="lanczos")]),
    "half-opencv-area": dict(generated=[dict(_half, library="opencv", filter="area")]),
    "half-opencv-bilinear": dict(generated=[dict(_half, library="opencv", filter="bilinear")]),
    "half-opencv-bicubic": dict(generated=[dict(_half, library="opencv", filter="bicubic")]),
    # what somebody else shrank is compared with what was shrunk here
    "half-mixed": dict(
        generated=[dict(_half, library="pillow", filter="bicubic")],
        reference=[dict(_half, library="opencv", filter="bicubic")],
    ),
    "large-pillow-bicubic": dict(generated=[dict(_crop, library="pillow", filter="bicubic")]),
    "large-opencv-bilinear": dict(generated=[dict(_crop, library="opencv", filter="bilinear")]),
}
protocol = [
    dict(name=name, version=1, source="docs/evaluation.md", metrics=_metrics, **values)
    for name, values in _variants.items()
]
