# ruff: noqa: C408
# A task that the package does not know: everything it needs is named here.
custom_imports = dict(imports=["disc_task"])

task = "disc"
size = (64, 64)
structure = dict(type="DiscStructure", sigma=4.0)
driver = dict(type="DiscDriver")

_data = dict(type="DiscDataset", size=size, structure=structure)
_collate = dict(type="default_collate")
train_dataloader = dict(
    batch_size=2,
    num_workers=0,
    sampler=dict(type="ResumableInfiniteSampler", shuffle=True),
    collate_fn=_collate,
    dataset=_data,
)
test_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(_data, count=3, seed=1))
test_metrics = [dict(type="L1"), dict(type="SSIM")]

_small = dict(base_channels=8, max_channels=16)
_flow_estimator = dict(type="FlowEstimator", structure_channels=1, gain=1.0, **_small)
_attentions = [
    dict(type="LocalAttention", channels=16, kernel_size=3, hidden=16),
    dict(type="LocalAttention", channels=16, kernel_size=5, hidden=16),
]
_features = dict(type="FilterBankFeatures")
_flow_losses = dict(
    correctness=dict(type="SamplingCorrectnessLoss", weight=5.0),
    regularization=dict(type="AffineRegularizationLoss", weight=0.01),
)
_optim = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3))

stages = [
    dict(
        name="flow",
        model=dict(
            type="FlowModel",
            flow_estimator=_flow_estimator,
            features=_features,
            losses=_flow_losses,
        ),
        optim_wrapper=_optim,
        train_cfg=dict(max_iters=2),
    ),
    dict(
        name="full",
        model=dict(
            type="TransferModel",
            generator=dict(
                type="TransferGenerator",
                source_encoder=dict(type="PyramidEncoder", **_small),
                flow_estimator=_flow_estimator,
                renderer=dict(
                    type="TextureRenderer", structure_channels=1, attentions=_attentions, **_small
                ),
                gain=1.0,
            ),
            discriminator=dict(type="ResidualDiscriminator", levels=3, **_small),
            adversarial=dict(type="AdversarialLoss"),
            features=_features,
            losses=dict(_flow_losses, reconstruction=dict(type="ReconstructionLoss", weight=5.0)),
        ),
        optim_wrapper=dict(
            constructor="PerNetworkOptimConstructor", generator=_optim, discriminator=_optim
        ),
        train_cfg=dict(max_iters=2),
    ),
]
