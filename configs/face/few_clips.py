# A few dozen talking heads at 128 x 128 on two cores: one's own clips, prepared by
# data_prep/faceforensics.py (names <person>__<clip>). Copy this file and set the names below.
_base_ = "../_base_/small_face.py"

_data_root = "data/clips"
_phase = "all"  # folder below it; persons are divided into training and test by name
_weights = "weights/squeezenet1_1.pth"  # torchvision's file
_lpips_heads = None  # heads of LPIPS 0.1 for SqueezeNet; without them the metric is left out

size = (128, 128)
# as data_prep/faceforensics.py crops and smooths
driver = dict(type="FaceDriver", crop="always", smooth=1.0)

_features = dict(type="SqueezeNetFeatures", weights=_weights)

_data = dict(
    type="FaceClipDataset",
    data_root=_data_root,
    phase=_phase,
    size=size,
    structure=_base_.structure,
)
_train = dict(
    _data,
    split=dict(fraction=0.75, part="train"),
    frames=16,
    stride=(1, 3),
    reference="random",
    colour=dict(brightness=0.15, contrast=0.15, saturation=0.2, hue=0.02),
    affine=dict(angle=10, shift=8, scale=(0.9, 1.15)),
    flip_prob=0.5,
)
train_dataloader = dict(_base_._small_loader, batch_size=2, dataset=_train)
test_dataloader = dict(
    _base_._small_test_loader,
    batch_size=1,
    dataset=dict(
        _data,
        split=dict(fraction=0.75, part="test"),
        windows="first",
        reference="first",
        frames=200,
    ),
)
test_metrics = [*_base_.test_metrics]
if _lpips_heads:
    test_metrics.append(dict(type="LPIPSMetric", net="squeeze", trunk=_weights, heads=_lpips_heads))

stages = [
    dict(
        name="flow",
        model=dict(_base_._flow_model, features=_features),
        optim_wrapper=_base_._small_flow_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=800),
        train_dataloader=dict(batch_size=4, dataset=dict(frames=2, stride=(1, 8))),
    ),
    dict(
        name="full",
        model=dict(
            _base_._clip_model,
            features=_features,
            losses=dict(
                _base_._flow_losses,
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=0.2),
                style=dict(type="StyleLoss", weight=3.0),
            ),
        ),
        optim_wrapper=_base_._clip_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=1200),
    ),
]
