# The demo: generated heads at 96 x 96, both stages in minutes on two cores, no weights downloaded.
_base_ = "../_base_/small_face.py"

size = (96, 96)

_features = dict(type="FilterBankFeatures")

_data = dict(
    type="FaceClipDataset",
    data_root="work_dirs/demo/face/data",
    size=size,
    structure=_base_.structure,
)
_train = dict(_data, phase="train", reference="random")

stages = [
    dict(
        name="flow",
        model=dict(_base_._flow_model, features=_features),
        optim_wrapper=_base_._small_flow_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=500),
        train_dataloader=dict(batch_size=4, dataset=dict(frames=2, stride=(1, 6))),
    ),
    dict(
        name="full",
        model=dict(
            _base_._clip_model,
            features=_features,
            losses=dict(
                _base_._flow_losses,
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=2.0),
                style=dict(type="StyleLoss", weight=50.0),
                masks=dict(type="MaskVisibilityLoss", weight=0.3),
            ),
        ),
        optim_wrapper=_base_._clip_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=260),
    ),
]

train_dataloader = dict(_base_._small_loader, batch_size=2, dataset=dict(_train, frames=8))
test_dataloader = dict(
    _base_._small_test_loader,
    batch_size=1,
    dataset=dict(
        _data, phase="test", windows="first", reference="first", frames=24, with_truth=True
    ),
)
test_metrics = [*_base_.test_metrics, dict(type="PSNR"), dict(type="FlowEPE")]
