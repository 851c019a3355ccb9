# The paper's Bi-Sample: the demo's model, but features move by bilinear sampling at the flow
# instead of by content-aware attention. Its stage 1 is the demo's.
_base_ = "../pose/sample.py"

_attentions = [
    dict(type="BilinearSampling", channels=128),
    dict(type="BilinearSampling", channels=64),
]
_full = _base_.stages[1]
_renderer = dict(_full.model.generator.renderer, attentions=_attentions)
_model = dict(_full.model, generator=dict(_full.model.generator, renderer=_renderer))
stages = [_base_.stages[0], dict(_full, model=_model)]
