# Two iterations of each stage on the CPU: every part is used, nothing is learnt. Its data:
#   python data_prep/make_samples.py --task face --out work_dirs/smoke/face --size 64x64 \
#       --train-heads 3 --test-heads 2 --frames 8
_base_ = "../face/sample.py"

size = (64, 64)

_small = dict(base_channels=8, max_channels=16)
_attentions = [
    dict(type="LocalAttention", channels=16, kernel_size=3, hidden=16),
    dict(type="LocalAttention", channels=16, kernel_size=5, hidden=16),
    dict(type="LocalAttention", channels=8, kernel_size=3, hidden=8),
]
_data = dict(data_root="work_dirs/smoke/face", size=size, frames=4)
_loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(dataset=_data, **_loader)
test_dataloader = dict(dataset=_data, **_loader)

stages = [
    dict(
        name="flow",
        model=dict(
            _base_._flow_model,
            flow_estimator=dict(_base_._flow_estimator, **_small),
            features=dict(type="FilterBankFeatures"),
        ),
        optim_wrapper=_base_._small_flow_optim,
        train_cfg=dict(max_iters=2),
    ),
    dict(
        name="full",
        model=dict(
            _base_._clip_model,
            generator=dict(
                type="TransferGenerator",
                previous=1,
                gain=1.0,
                source_encoder=dict(type="PyramidEncoder", **_small),
                flow_estimator=dict(_base_._flow_estimator, **_small),
                renderer=dict(
                    type="TextureRenderer",
                    structure_channels=16,
                    attention_levels=_base_._levels,
                    attentions=_attentions,
                    fusion=dict(type="NormalizedFusion"),
                    **_small,
                ),
            ),
            discriminator=dict(type="ResidualDiscriminator", levels=3, **_small),
            clip_discriminator=dict(type="FrameDifferenceDiscriminator", levels=3, **_small),
            features=dict(type="FilterBankFeatures"),
            losses=dict(reconstruction=dict(type="ReconstructionLoss", weight=5.0)),
        ),
        optim_wrapper=_base_._clip_optim,
        train_cfg=dict(max_iters=2),
    ),
]
