# The paper's Baseline: an auto-encoder of the source with both structures concatenated, as deep as
# the renderer. No flow, so no stage 1 and no loss or metric of the flow.
_base_ = "../pose/sample.py"

_full = _base_.stages[1]
_model = dict(
    _full.model,
    generator=dict(type="AutoEncoder", norm="none", gain=1.0, **_base_._widths),
    losses={k: v for k, v in _full.model.losses.items() if k not in _base_._flow_losses},
)
stages = [dict(_full, model=_model)]
test_metrics = [m for m in _base_.test_metrics if m["type"] not in ("FlowEPE", "MaskAUC")]
