# What trains in minutes to an hour on two cores: narrow networks, orthogonal weights of gain 1 and
# a higher learning rate than the papers'. Attention at 1/8 (k = 3) and 1/4 (k = 5).
_base_ = "gfla.py"

_levels = (3, 2)
_widths = dict(base_channels=32, max_channels=128)
_attentions = [
    dict(type="LocalAttention", channels=128, kernel_size=3, hidden=64, pooled=False),
    dict(type="LocalAttention", channels=64, kernel_size=5, hidden=64, pooled=False),
]
_small_encoder = dict(type="PyramidEncoder", norm="none", **_widths)
_small_renderer = dict(
    type="TextureRenderer", attention_levels=_levels, attentions=_attentions, **_widths
)
_discriminator = dict(type="ResidualDiscriminator", base_channels=16, max_channels=64, levels=3)
_small_adversarial = dict(type="AdversarialLoss", mode="lsgan", weight=0.2)

# the flow's losses in both stages; MaskVisibilityLoss is not the papers' (docs/architecture.md)
_flow_losses = dict(
    correctness=dict(type="SamplingCorrectnessLoss", levels=_levels, weight=20.0),
    regularization=dict(type="AffineRegularizationLoss", kernel_sizes=(3, 5), weight=0.01),
    masks=dict(type="MaskVisibilityLoss", weight=1.0),
)
_small_adam = dict(type="Adam", lr=4e-4, betas=(0.5, 0.999), fused=True)
_small_flow_optim = dict(type="OptimWrapper", optimizer=_small_adam)
_small_full_optim = dict(
    constructor="PerNetworkOptimConstructor",
    generator=dict(
        type="OptimWrapper",
        optimizer=dict(_small_adam, lr=1e-3),
        paramwise_cfg=dict(custom_keys=dict(flow_estimator=dict(lr_mult=0.4))),
    ),
    discriminator=dict(type="OptimWrapper", optimizer=dict(_small_adam, lr=1e-4)),
)
_small_loader = dict(_base_._loader, batch_size=8, num_workers=1)
_small_test_loader = dict(_base_._test_loader, num_workers=0, persistent_workers=False)
_cosine = [dict(type="CosineAnnealingLR", by_epoch=False, eta_min_ratio=0.02)]
