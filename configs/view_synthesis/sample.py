# The demo: generated cars and chairs at 64 x 64, both stages in minutes on two cores, no weights
# downloaded. Surface points of the training objects guide the flow (not the papers').
_base_ = "../_base_/small_view_synthesis.py"

size = (64, 64)

_features = dict(type="FilterBankFeatures")

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_base_._flow_estimator,
            features=_features,
            losses=dict(
                warp=dict(_base_._warp, weight=5.0),
                points=dict(_base_._points, weight=0.15),
            ),
        ),
        optim_wrapper=_base_._flow_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=3200),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=_base_._generator,
            features=_features,
            losses=dict(
                warp=dict(_base_._warp, weight=2.0),
                points=dict(_base_._points, weight=0.03),
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=1.0),
            ),
        ),
        optim_wrapper=_base_._generator_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=800),
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
