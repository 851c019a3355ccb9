# Appearance flow (Zhou et al., ECCV 2016) as published, on the cars of shapenet_car.py; 256 x 256
# instead of 224 x 224, so that tables show the same samples. One stage, no discriminator.
_base_ = ["../_base_/gfla.py", "../_base_/view_synthesis.py"]

size = (256, 256)

_background = None  # (255, 255, 255) for pictures on plain white: the mask head and its loss
_losses = dict(reconstruction=dict(type="ReconstructionLoss", weight=1.0))
if _background:
    _losses["foreground"] = dict(type="ForegroundMaskLoss", weight=0.1, background=_background)

stages = [
    dict(
        name="warp",
        model=dict(
            type="TransferModel",
            generator=dict(
                type="AppearanceFlow",
                structure_channels=21,
                size=size,
                background=_background,
            ),
            losses=_losses,
        ),
        optim_wrapper=dict(
            constructor="PerNetworkOptimConstructor",
            generator=dict(
                type="OptimWrapper",
                optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999), fused=True),
            ),
        ),
        train_cfg=_base_._full_train,
    ),
]

_data = dict(
    type="ViewDataset",
    data_root="data/shapenet",
    layout="hdf5",
    category="car",
    size=size,
    structure=_base_.structure,
    azimuths="0:360:20",  # of the 36 in the released file
)
train_dataloader = dict(_base_._loader, batch_size=8, dataset=dict(_data, ids="id_car_train.txt"))
test_dataloader = dict(
    _base_._test_loader, dataset=dict(_data, ids="id_car_test.txt", pairs="released")
)
