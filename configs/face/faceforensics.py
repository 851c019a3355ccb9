# FaceForensics at 256 x 256 as released: references are the first and the last generated frame, one
# joint flow estimator, 30-frame clips in chunks of 6, discriminators of a frame and of differences.
_base_ = ["../_base_/gfla.py", "../_base_/face.py"]

size = (256, 256)
# as data_prep/faceforensics.py crops and smooths
driver = dict(type="FaceDriver", crop="always", smooth=1.0)

_levels = (3, 2)
_kernels = (3, 5)
_per_kind = dict(
    type="PerKind",
    source=dict(type="PyramidEncoder", levels=3),
    previous=dict(type="PyramidEncoder", levels=3),
)
_coarse = dict(type="LocalAttention", channels=256, kernel_size=3)
_fine = dict(type="LocalAttention", channels=128, kernel_size=5)
_generator = dict(
    type="TransferGenerator",
    previous=1,
    source_encoder=_per_kind,
    flow_estimator=dict(
        type="JointFlowEstimator", references=2, structure_channels=16, flow_levels=_levels
    ),
    renderer=dict(
        type="TextureRenderer",
        structure_channels=16,
        attention_levels=_levels,
        attentions=[
            dict(type="PerKind", source=_coarse, previous=_coarse),
            dict(type="PerKind", source=_fine, previous=_fine),
        ],
        fusion=dict(type="SumFusion"),
    ),
)

model = dict(
    type="ClipModel",
    chunk=6,
    generator=_generator,
    discriminator=dict(type="ResidualDiscriminator", levels=4),
    clip_discriminator=dict(type="FrameDifferenceDiscriminator", frames=3, levels=4),
    adversarial=_base_._adversarial,
    features=_base_._features,
    losses=dict(
        reconstruction=dict(type="ReconstructionLoss", weight=5.0),
        perceptual=dict(type="PerceptualLoss", weight=0.5),
        style=dict(type="StyleLoss", weight=500.0),
        correctness=dict(type="SamplingCorrectnessLoss", levels=_levels, weight=5.0),
        regularization=dict(type="AffineRegularizationLoss", kernel_sizes=_kernels, weight=0.0025),
    ),
)
_tenth = dict(type="OptimWrapper", optimizer=dict(_base_._adam, lr=1e-5))
optim_wrapper = dict(_base_._full_optim, clip_discriminator=_tenth)
stages = [dict(name="full", train_cfg=_base_._full_train)]  # no flow stage, as released

_data = dict(
    type="FaceClipDataset",
    data_root="data/faceforensics",
    size=size,
    structure=_base_.structure,
    frames=30,
)
train_dataloader = dict(_base_._loader, batch_size=2, dataset=dict(_data, phase="train"))
test_dataloader = dict(
    _base_._test_loader,
    batch_size=1,
    dataset=dict(_data, phase="test", windows="first", reference="first"),
)
