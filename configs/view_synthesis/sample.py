# The demo: generated cars and chairs at 64 x 64, both stages in minutes on two cores, no weights
# downloaded. The flow comes from fully connected layers, which learn outlines soonest; surface
# points of the training objects guide it (not the papers').
_base_ = "../_base_/small_view_synthesis.py"

size = (64, 64)

_widths = dict(base_channels=16, max_channels=64)
_attend = dict(_base_._attend, hidden=16)
_flow_estimator = dict(type="DenseFlowEstimator", structure_channels=8, size=size)
_generator = dict(
    type="TransferGenerator",
    source_encoder=dict(_base_._generator.source_encoder, **_widths),
    flow_estimator=_flow_estimator,
    renderer=dict(
        _base_._generator.renderer,
        attentions=[dict(_attend, channels=channels) for channels in (32, 16, 3)],
        **_widths,
    ),
    gain=1.0,
)

_points = dict(type="PointFlowLoss", reach=0.0)
_adam = dict(type="Adam", lr=1e-3, betas=(0.5, 0.999), fused=True)

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_flow_estimator,
            losses=dict(
                warp=dict(type="WarpReconstructionLoss", weight=5.0),
                points=dict(_points, weight=0.02),
            ),
        ),
        optim_wrapper=dict(_base_._flow_optim, optimizer=_adam),
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=3600),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            channels_last=True,
            generator=_generator,
            losses=dict(
                warp=dict(type="WarpReconstructionLoss", weight=2.0),
                points=dict(_points, weight=0.01),
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                similarity=dict(type="SSIMLoss", weight=2.0),
            ),
        ),
        optim_wrapper=dict(
            _base_._generator_optim,
            generator=dict(_base_._generator_optim.generator, optimizer=_adam),
        ),
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=900),
    ),
]

_data = dict(
    type="ViewDataset",
    data_root="work_dirs/demo/view_synthesis/data",
    size=size,
    structure=_base_.structure,
)
train_dataloader = dict(_base_._small_loader, dataset=dict(_data, phase="train", with_points=True))
test_dataloader = dict(
    _base_._small_test_loader,
    dataset=dict(_data, phase="test", pairs="pairs-test.csv", with_truth=True),
)
test_metrics = [*_base_.test_metrics, dict(type="ForegroundL1"), dict(type="FlowEPE")]
