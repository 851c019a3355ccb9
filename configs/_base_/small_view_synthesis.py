# View synthesis at the small configs' size: any angle (continuous codes), attention at 1/4, 1/2 and
# on the source's own pixels, flows that begin at zero and masks that begin by copying. The losses
# of the flow are not the papers' (docs/architecture.md).
_base_ = ["small.py", "view_synthesis.py"]

structure = dict(_delete_=True, type="CameraAngles", harmonics=3, elevation_scale=3.0)

_levels = (2, 1)
_coded = dict(structure_channels=8, structure_at="bottleneck", join="positions")
_flow_estimator = dict(
    type="FlowEstimator",
    flow_levels=_levels,
    levels=3,
    max_channels=128,
    gain=1.0,
    code="both",
    norm="none",
    skips=False,
    head_gain=0.02,
    first_mask=0.9,
    **_coded,
)
_attend = dict(type="LocalAttention", kernel_size=3, pooled=False, centre=4.0)
_generator = dict(
    type="TransferGenerator",
    source_encoder=dict(_base_._small_encoder, levels=2),
    flow_estimator=_flow_estimator,
    renderer=dict(
        _base_._small_renderer,
        levels=3,
        attention_levels=(*_levels, 0),
        attentions=[
            dict(_attend, channels=64, hidden=32),
            dict(_attend, channels=32, hidden=32),
            dict(_attend, channels=3, hidden=16),
        ],
        fusion=dict(type="NormalizedFusion"),
        **_coded,
    ),
    gain=1.0,
)
_warp = dict(type="WarpReconstructionLoss", octaves=2)
_points = dict(type="PointFlowLoss")

_small_adam = dict(type="Adam", lr=6e-4, betas=(0.9, 0.999), fused=True)
_flow_optim = dict(type="OptimWrapper", optimizer=_small_adam, clip_grad=dict(max_norm=20.0))
_generator_optim = dict(
    constructor="PerNetworkOptimConstructor",
    generator=dict(
        type="OptimWrapper",
        optimizer=dict(_small_adam, lr=1e-3),
        paramwise_cfg=dict(custom_keys=dict(flow_estimator=dict(lr_mult=0.4))),
    ),
)
