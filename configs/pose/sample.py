# The demo: generated people at 96 x 64, both stages in minutes on two cores, no weights downloaded.
_base_ = "../_base_/pose.py"

size = (96, 64)
structure = dict(sigma=2.5)

_levels = (3, 2)
_kernels = (3, 5)
_widths = dict(base_channels=32, max_channels=128)
_flow_estimator = dict(type="FlowEstimator", flow_levels=_levels, max_channels=128, gain=1.0)
_generator = dict(
    type="TransferGenerator",
    source_encoder=dict(type="PyramidEncoder", **_widths),
    flow_estimator=_flow_estimator,
    renderer=dict(
        type="TextureRenderer",
        attention_levels=_levels,
        attentions=[
            dict(type="LocalAttention", channels=128, kernel_size=3, hidden=64),
            dict(type="LocalAttention", channels=64, kernel_size=5, hidden=64),
        ],
        **_widths,
    ),
    gain=1.0,
)
_features = dict(type="FilterBankFeatures")
_correctness = dict(type="SamplingCorrectnessLoss", levels=_levels)
_affine = dict(type="AffineRegularizationLoss", kernel_sizes=_kernels)
_adam = dict(type="Adam", lr=1e-3, betas=(0.5, 0.999))

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_flow_estimator,
            features=_features,
            losses=dict(
                correctness=dict(_correctness, weight=20.0),
                regularization=dict(_affine, weight=0.01),
            ),
        ),
        optim_wrapper=dict(type="OptimWrapper", optimizer=_adam),
        train_cfg=dict(max_iters=1500),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=_generator,
            discriminator=dict(type="ResidualDiscriminator", levels=3),
            adversarial=dict(type="AdversarialLoss", mode="lsgan", weight=0.2),
            features=_features,
            losses=dict(
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=2.0),
                style=dict(type="StyleLoss", weight=50.0),
                correctness=dict(_correctness, weight=5.0),
                regularization=dict(_affine, weight=0.0025),
            ),
        ),
        optim_wrapper=dict(
            constructor="PerNetworkOptimConstructor",
            generator=dict(type="OptimWrapper", optimizer=_adam),
            discriminator=dict(type="OptimWrapper", optimizer=dict(_adam, lr=1e-4)),
        ),
        train_cfg=dict(max_iters=1500),
    ),
]

_data = dict(
    type="PosePairDataset", data_root="work_dirs/demo/data", annotation_size=size, size=size
)
train_dataloader = dict(
    _base_._loader,
    batch_size=8,
    num_workers=1,
    dataset=dict(_data, image_dir="train", structure=dict(_base_.structure, **structure)),
)
test_dataloader = dict(
    _base_._test_loader,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        _data, image_dir="test", with_truth=True, structure=dict(_base_.structure, **structure)
    ),
)
