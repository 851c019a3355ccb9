# Two iterations of each stage on the CPU: every part is used, nothing is learnt. Its data:
#   python data_prep/make_samples.py --task view_synthesis --out work_dirs/smoke/view_synthesis \
#       --train-objects 3 --test-objects 2 --azimuths 6 --elevations 0 --samples 1
_base_ = "../view_synthesis/sample.py"

size = (64, 64)

_small = dict(base_channels=8, max_channels=16)
_coded = dict(structure_channels=8, structure_at="bottleneck")
_levels = (2, 1)
_attentions = [
    dict(type="LocalAttention", channels=16, kernel_size=3, hidden=16),
    dict(type="LocalAttention", channels=8, kernel_size=5, hidden=16),
]
_data = dict(data_root="work_dirs/smoke/view_synthesis", size=size)
train_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=_data)
test_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, dataset=_data)

_flow_estimator = dict(type="FlowEstimator", flow_levels=_levels, gain=1.0, **_small, **_coded)
_losses = dict(
    correctness=dict(type="SamplingCorrectnessLoss", levels=_levels, weight=5.0),
    regularization=dict(type="AffineRegularizationLoss", kernel_sizes=(3, 5), weight=0.01),
)
_adam = dict(type="Adam", lr=1e-3, betas=(0.5, 0.999), fused=True)

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_flow_estimator,
            features=dict(type="FilterBankFeatures"),
            losses=_losses,
        ),
        optim_wrapper=dict(type="OptimWrapper", optimizer=_adam),
        train_cfg=dict(max_iters=2),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=dict(
                type="TransferGenerator",
                source_encoder=dict(type="PyramidEncoder", levels=2, **_small),
                flow_estimator=_flow_estimator,
                renderer=dict(
                    type="TextureRenderer",
                    attentions=_attentions,
                    attention_levels=_levels,
                    **_small,
                    **_coded,
                ),
                gain=1.0,
            ),
            discriminator=dict(type="ResidualDiscriminator", levels=3, **_small),
            adversarial=dict(type="AdversarialLoss"),
            features=dict(type="FilterBankFeatures"),
            losses=dict(_losses, reconstruction=dict(type="ReconstructionLoss", weight=5.0)),
        ),
        optim_wrapper=dict(
            constructor="PerNetworkOptimConstructor",
            generator=dict(type="OptimWrapper", optimizer=_adam),
            discriminator=dict(type="OptimWrapper", optimizer=_adam),
        ),
        train_cfg=dict(max_iters=2),
    ),
]
