# Talking heads at the small configs' size: one encoder and attention for both references.
_base_ = ["small.py", "face.py"]

_channels = 16
_levels = (3, 2, 1)  # at half the resolution as well: what stands still is kept sharp
_flow_estimator = dict(
    type="JointFlowEstimator",
    references=2,
    structure_channels=_channels,
    flow_levels=_levels,
    max_channels=128,
    gain=1.0,
)
# near to a plain warp at the start, and the source before what was generated
_attend = dict(type="LocalAttention", pooled=False, centre=4.0)
_attentions = [
    dict(_attend, channels=128, kernel_size=3, hidden=64),
    dict(_attend, channels=64, kernel_size=5, hidden=64),
    dict(_attend, channels=32, kernel_size=3, hidden=32),
]
_generator = dict(
    type="TransferGenerator",
    previous=1,
    source_encoder=_base_._small_encoder,
    flow_estimator=_flow_estimator,
    renderer=dict(
        _base_._small_renderer,
        structure_channels=_channels,
        attention_levels=_levels,
        attentions=_attentions,
        fusion=dict(type="LayeredFusion"),
    ),
    gain=1.0,
)
_flow_losses = dict(
    correctness=dict(type="SamplingCorrectnessLoss", levels=(3, 2), weight=10.0),
    regularization=dict(type="AffineRegularizationLoss", kernel_sizes=(3, 5, 3), weight=0.01),
    masks=dict(type="MaskVisibilityLoss", weight=1.0),
    points=dict(type="PointFlowLoss", weight=1.0, reach=1.5),  # not the papers'
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
