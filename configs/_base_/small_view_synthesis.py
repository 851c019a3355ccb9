# View synthesis at the small configs' size: any angle (continuous codes), attention at 1/4 and 1/2.
_base_ = ["small.py", "view_synthesis.py"]

structure = dict(_delete_=True, type="CameraAngles", harmonics=3, elevation_scale=3.0)

_levels = (2, 1)
_coded = dict(structure_channels=8, structure_at="bottleneck")
_flow_estimator = dict(
    type="FlowEstimator",
    flow_levels=_levels,
    max_channels=128,
    levels=4,
    gain=1.0,
    code="both",
    **_coded,
)
_attention = dict(type="LocalAttention", hidden=64, pooled=False, centre=4.0)
_generator = dict(
    type="TransferGenerator",
    source_encoder=dict(_base_._small_encoder, levels=2),
    flow_estimator=_flow_estimator,
    renderer=dict(
        _base_._small_renderer,
        attention_levels=_levels,
        attentions=[
            dict(_attention, channels=64, kernel_size=5),
            dict(_attention, channels=32, kernel_size=5),
        ],
        fusion=dict(type="NormalizedFusion"),
        join="positions",
        **_coded,
    ),
    gain=1.0,
)
_flow_losses = dict(
    correctness=dict(type="SamplingCorrectnessLoss", levels=_levels, weight=20.0),
    regularization=dict(type="AffineRegularizationLoss", kernel_sizes=(5, 5), weight=0.01),
    masks=dict(type="MaskVisibilityLoss", weight=0.3),
)
