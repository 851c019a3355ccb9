# What the papers' configs share: losses, optimisers and schedule of both stages (paper section 4.1,
# weights of the released programs). Names with a leading underscore are this file's own.
default_scope = "gfla_video"

_features = dict(type="VGG19Features", weights="vgg19.tv_in1k")  # or a file: vgg19-dcbb9e9d.pth

# fused: one kernel updates all weights. Faster and leaner, off unless asked for:
# tools/train.py --amp; model.channels_last=True; model.checkpointing=True; compile=True.
_adam = dict(type="Adam", lr=1e-4, betas=(0.0, 0.999), fused=True)
_flow_optim = dict(type="OptimWrapper", optimizer=_adam)
_full_optim = dict(
    constructor="PerNetworkOptimConstructor",
    generator=dict(type="OptimWrapper", optimizer=_adam),
    discriminator=dict(type="OptimWrapper", optimizer=dict(_adam, lr=1e-5)),  # a tenth
)
_adversarial = dict(type="AdversarialLoss", mode="lsgan", weight=2.0)

# the released programs run until they are stopped: choose by what your validation shows
_flow_train = dict(max_iters=200_000)
_full_train = dict(max_iters=400_000)

_loader = dict(
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type="ResumableInfiniteSampler", shuffle=True),
    collate_fn=dict(type="default_collate"),
)
_test_loader = dict(
    batch_size=8,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
