# Pose transfer at the small configs' size. LandmarkFlowLoss is not the papers'.
_base_ = ["small.py", "pose.py"]

structure = dict(type="PoseStructure", sigma=4.0)

_flow_estimator = dict(type="FlowEstimator", flow_levels=_base_._levels, max_channels=128, gain=1.0)
_generator = dict(
    type="TransferGenerator",
    source_encoder=_base_._small_encoder,
    flow_estimator=_flow_estimator,
    renderer=_base_._small_renderer,
    gain=1.0,
)
_flow_losses = dict(_base_._flow_losses, landmarks=dict(type="LandmarkFlowLoss", weight=1.0))
