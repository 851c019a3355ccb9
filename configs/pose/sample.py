# The demo: generated people at 96 x 64, both stages in minutes on two cores, no weights downloaded.
_base_ = "../_base_/small_pose.py"

size = (96, 64)
structure = dict(type="PoseStructure", sigma=4.0)

_features = dict(type="FilterBankFeatures")

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
        train_cfg=dict(max_iters=550),
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
                perceptual=dict(type="PerceptualLoss", weight=2.0),
                style=dict(type="StyleLoss", weight=50.0),
            ),
        ),
        optim_wrapper=_base_._small_full_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=1000),
    ),
]

_data = dict(
    type="PosePairDataset",
    data_root="work_dirs/demo/pose/data",
    annotation_size=size,
    size=size,
    structure=structure,
)
train_dataloader = dict(_base_._small_loader, dataset=dict(_data, image_dir="train"))
test_dataloader = dict(
    _base_._small_test_loader, dataset=dict(_data, image_dir="test", with_truth=True)
)
test_metrics = [
    dict(type="SSIM"),
    dict(type="L1"),
    dict(type="PSNR"),
    dict(type="ForegroundL1"),
    dict(type="FlowEPE"),
    dict(type="MaskAUC"),
]
