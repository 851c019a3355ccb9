# DeepFashion at 256 x 256, attention at 32 x 32 (k = 3) and 64 x 64 (k = 5): 14,047,395 parameters.
_base_ = ["../_base_/gfla.py", "../_base_/pose.py"]

size = (256, 256)
picture_fit = "stretch"  # of 256 x 176, as the released program's; "pad" with white margins

_levels = (3, 2)
_kernels = (3, 5)
_flow_estimator = dict(type="FlowEstimator", structure_channels=18, flow_levels=_levels)
_generator = dict(
    type="TransferGenerator",
    source_encoder=dict(type="PyramidEncoder", levels=3),
    flow_estimator=_flow_estimator,
    renderer=dict(
        type="TextureRenderer",
        structure_channels=18,
        attention_levels=_levels,
        attentions=[
            dict(type="LocalAttention", channels=256, kernel_size=3),
            dict(type="LocalAttention", channels=128, kernel_size=5),
        ],
    ),
)
_correctness = dict(type="SamplingCorrectnessLoss", levels=_levels)
_affine = dict(type="AffineRegularizationLoss", kernel_sizes=_kernels)

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_flow_estimator,
            features=_base_._features,
            losses=dict(
                correctness=dict(_correctness, weight=20.0),
                regularization=dict(_affine, weight=0.01),
            ),
        ),
        optim_wrapper=_base_._flow_optim,
        train_cfg=_base_._flow_train,
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=_generator,
            discriminator=dict(type="ResidualDiscriminator", levels=4),
            adversarial=_base_._adversarial,
            features=_base_._features,
            losses=dict(
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=0.5),
                style=dict(type="StyleLoss", weight=500.0),
                correctness=dict(_correctness, weight=5.0),
                regularization=dict(_affine, weight=0.0025),
            ),
        ),
        optim_wrapper=_base_._full_optim,
        train_cfg=_base_._full_train,
    ),
]

_data = dict(
    type="PosePairDataset",
    data_root="data/fashion",
    # the frame of the joints: (256, 176) for the released program's files, (256, 256) for others
    annotation_size=(256, 176),
    size=size,
    structure=_base_.structure,
)
train_dataloader = dict(_base_._loader, batch_size=8, dataset=dict(_data, image_dir="train"))
test_dataloader = dict(_base_._test_loader, dataset=dict(_data, image_dir="test"))
