# A few hundred photographs at 128 x 96 on two cores: one's own pictures, or a part of DeepFashion.
# Copy this file and set the names below: a folder of images, a table of joints, weights.
_base_ = "../_base_/small_pose.py"

_data_root = "data/photos"
_image_dir = "images"
_frame = (256, 256)  # height and width of the pictures that the joints were marked in
_weights = "weights/squeezenet1_1.pth"  # torchvision's file
_lpips_heads = None  # heads of LPIPS 0.1 for SqueezeNet; without them the metric is left out

size = (128, 96)
structure = dict(type="PoseStructure", sigma=4.0)
driver = dict(type="PoseDriver", resize="stretch", annotation_size=_frame)

_features = dict(type="SqueezeNetFeatures", weights=_weights)

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_base_._flow_estimator,
            features=_features,
            losses=_base_._flow_losses,
        ),
        optim_wrapper=_base_._small_flow_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=1500),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=_base_._generator,
            discriminator=_base_._discriminator,
            adversarial=_base_._small_adversarial,
            features=_features,
            losses=dict(
                _base_._flow_losses,
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=0.2),
                style=dict(type="StyleLoss", weight=3.0),
            ),
        ),
        optim_wrapper=_base_._small_full_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=2000),
    ),
]

_data = dict(
    type="PosePairDataset",
    data_root=_data_root,
    image_dir=_image_dir,
    annotation_size=_frame,
    size=size,
    structure=structure,
    pairs="all",
)
_augmented = dict(affine=dict(angle=5, shift=8, scale=(0.9, 1.1)), flip_prob=0.5)
train_dataloader = dict(
    _base_._small_loader,
    dataset=dict(_data, split=dict(fraction=0.8, part="train"), **_augmented),
)
test_dataloader = dict(
    _base_._small_test_loader,
    dataset=dict(_data, split=dict(fraction=0.8, part="test"), foreground="joints"),
)
test_metrics = [
    dict(type="SSIM"),
    dict(type="ForegroundL1"),
    dict(type="PointColourError"),
]
if _lpips_heads:
    test_metrics.append(dict(type="LPIPSMetric", net="squeeze", trunk=_weights, heads=_lpips_heads))
