# Talking heads at the small configs' size: one encoder and attention for both references.
_base_ = "small.py"

task = "face"
structure = dict(type="FaceStructure")
driver = dict(type="FaceDriver")

_channels = 16
# PointFlowLoss is not the papers' (docs/architecture.md)
_flow_losses = dict(_base_._flow_losses, points=dict(type="PointFlowLoss", weight=2.0, reach=1.5))
_flow_estimator = dict(
    type="JointFlowEstimator",
    references=2,
    structure_channels=_channels,
    flow_levels=_base_._levels,
    max_channels=128,
    gain=1.0,
)
_generator = dict(
    type="TransferGenerator",
    previous=1,
    source_encoder=_base_._small_encoder,
    flow_estimator=_flow_estimator,
    renderer=dict(
        _base_._small_renderer,
        structure_channels=_channels,
        fusion=dict(type="NormalizedFusion"),
    ),
    gain=1.0,
)
_clip_discriminator = dict(
    type="FrameDifferenceDiscriminator", frames=3, base_channels=16, max_channels=64, levels=3
)
_flow_model = dict(
    type="ClipFlowModel",
    previous=1,
    flow_estimator=_flow_estimator,
    losses=_flow_losses,
)
_clip_model = dict(
    type="ClipModel",
    chunk=4,
    loss_previous="truth",  # what is generated at first has no features to compare
    generator=_generator,
    discriminator=_base_._discriminator,
    clip_discriminator=_clip_discriminator,
    adversarial=_base_._small_adversarial,
)
_clip_optim = dict(
    _base_._small_full_optim, clip_discriminator=_base_._small_full_optim["discriminator"]
)
_face_metrics = [
    dict(type="SSIM"),
    dict(type="L1"),
    dict(type="RegionL1"),
    dict(type="TemporalWarpingError"),
]
