# ruff: noqa: C408
# The toy task as clips: discs that move, each frame made from the source and the frame before.
_base_ = "../toy_task/config.py"
custom_imports = dict(imports=["disc_task", "disc_clip_task"])

task = "disc_clips"

_clips = dict(type="DiscClipDataset", frames=4)
train_dataloader = dict(dataset=_clips)
test_dataloader = dict(dataset=_clips)
test_metrics = [*_base_.test_metrics, dict(type="RegionL1"), dict(type="TemporalWarpingError")]

_flow_estimator = dict(
    type="JointFlowEstimator", references=2, structure_channels=1, gain=1.0, **_base_._small
)
_encoder = dict(type="PyramidEncoder", **_base_._small)
_discriminator = dict(levels=3, **_base_._small)

stages = [
    dict(
        name="flow",
        model=dict(
            type="ClipFlowModel",
            previous=1,
            flow_estimator=_flow_estimator,
            features=_base_._features,
            losses=_base_._flow_losses,
        ),
        optim_wrapper=_base_._optim,
        train_cfg=dict(max_iters=2),
    ),
    dict(
        name="full",
        model=dict(
            type="ClipModel",
            chunk=2,
            generator=dict(
                type="TransferGenerator",
                previous=1,
                source_encoder=dict(type="PerKind", source=_encoder, previous=_encoder),
                flow_estimator=_flow_estimator,
                renderer=dict(
                    type="TextureRenderer",
                    structure_channels=1,
                    attentions=_base_._attentions,
                    fusion=dict(type="NormalizedFusion"),
                    **_base_._small,
                ),
                gain=1.0,
            ),
            discriminator=dict(type="ResidualDiscriminator", **_discriminator),
            clip_discriminator=dict(
                type="FrameDifferenceDiscriminator", frames=2, **_discriminator
            ),
            adversarial=dict(type="AdversarialLoss"),
            features=_base_._features,
            losses=dict(
                _base_._flow_losses, reconstruction=dict(type="ReconstructionLoss", weight=5.0)
            ),
        ),
        optim_wrapper=dict(
            constructor="PerNetworkOptimConstructor",
            generator=_base_._optim,
            discriminator=_base_._optim,
            clip_discriminator=_base_._optim,
        ),
        train_cfg=dict(max_iters=2),
    ),
]
