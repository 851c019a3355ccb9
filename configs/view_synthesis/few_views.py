# Objects of one's own at 128 x 128, an hour on two cores: photographs of turntables, or meshes that
# data_prep/shapenet.py rendered. Copy this file beside itself and set the names below.
_base_ = "../_base_/small_view_synthesis.py"

_data_root = "data/views"
_phases = ("train", "test")  # folders of objects; twice the same for held-out angles (below)
_train_azimuths = None  # all that there are, or "0:360:10"
_test_azimuths = None  # of the targets, such as "5:360:10"
_with_points = True  # rendered with --points; False for photographs
_with_truth = False  # rendered with --truth (and one source)
_sources = 1  # views of the object that the network is given
_weights = "weights/squeezenet1_1.pth"  # torchvision's; without it: FilterBankFeatures, softer
_lpips_heads = None  # heads of LPIPS 0.1 for SqueezeNet; without them the metric is left out

size = (128, 128)
driver = dict(type="CameraDriver", resize="stretch")  # as the data set does

_features = dict(type="SqueezeNetFeatures", weights=_weights)
_warp = dict(_base_._warp, octaves=3)
_flow_losses = dict(warp=dict(_warp, weight=5.0))
_full_losses = dict(warp=dict(_warp, weight=1.0))
if _with_points:
    _flow_losses["points"] = dict(type="PointFlowLoss", weight=0.15)
    _full_losses["points"] = dict(type="PointFlowLoss", weight=0.03)

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_base_._flow_estimator,
            features=_features,
            losses=_flow_losses,
        ),
        optim_wrapper=_base_._flow_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=3000),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=_base_._generator,
            features=_features,
            losses=dict(
                _full_losses,
                reconstruction=dict(type="ReconstructionLoss", weight=5.0),
                perceptual=dict(type="PerceptualLoss", weight=0.2),
            ),
        ),
        optim_wrapper=_base_._generator_optim,
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=2500),
    ),
]

_data = dict(
    type="ViewDataset",
    data_root=_data_root,
    size=size,
    structure=_base_.structure,
    sources=_sources,
)
_train = dict(_data, phase=_phases[0], azimuths=_train_azimuths, with_points=_with_points)
_test = dict(_data, phase=_phases[1], azimuths=_test_azimuths, source_azimuths=_train_azimuths)
train_dataloader = dict(_base_._small_loader, dataset=_train)
test_dataloader = dict(
    _base_._small_test_loader,
    dataset=dict(_test, pairs="all", max_pairs=400, with_truth=_with_truth),
)
if _with_truth:
    test_dataloader["dataset"].update(pairs="pairs-test.csv", max_pairs=None)
test_metrics = [*_base_.test_metrics]
if _with_truth:
    test_metrics += [dict(type="ForegroundL1"), dict(type="FlowEPE")]
if _lpips_heads:
    test_metrics.append(dict(type="LPIPSMetric", net="squeeze", trunk=_weights, heads=_lpips_heads))
