# The paper's Global-Attn: every target position attends to all of the source. No stage 1 and no
# loss of the flow either; F gives the masks alone, its flow heads are not used.
_base_ = "no_attention.py"

_attentions = [
    dict(type="GlobalAttention", channels=128, hidden=64),
    dict(type="GlobalAttention", channels=64, hidden=64),
]
_full = _base_.stages[0]
_renderer = dict(_base_._generator.renderer, attentions=_attentions)
_model = dict(_full.model, generator=dict(_base_._generator, renderer=_renderer))
stages = [dict(_full, model=_model)]
