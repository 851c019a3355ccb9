# Appearance flow (Zhou et al. 2016) on the demo's data, as long as sample.py trains: the
# published kinds of layers, narrower and shallower for 64 x 64, and the published loss (L1) alone.
_base_ = "sample.py"

stages = [
    dict(
        name="warp",
        model=dict(
            type="TransferModel",
            generator=dict(
                type="AppearanceFlow",
                structure_channels=8,
                size=(64, 64),
                encoder_channels=(16, 32, 64, 128),
                decoder_channels=(128, 64, 32),
                width=512,
                grid_channels=32,
                dropout=0.0,
                code="both",
            ),
            losses=dict(reconstruction=dict(type="ReconstructionLoss", weight=5.0)),
        ),
        optim_wrapper=dict(
            constructor="PerNetworkOptimConstructor",
            generator=dict(
                type="OptimWrapper",
                optimizer=dict(type="Adam", lr=1e-3, betas=(0.5, 0.999), fused=True),
            ),
        ),
        param_scheduler=_base_._cosine,
        train_cfg=dict(max_iters=5400),
    ),
]
