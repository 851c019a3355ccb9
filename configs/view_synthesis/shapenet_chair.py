# ShapeNet chairs: as cars, of another file.
_base_ = "shapenet_car.py"

train_dataloader = dict(dataset=dict(category="chair", ids="id_chair_train.txt"))
test_dataloader = dict(dataset=dict(category="chair", ids="id_chair_test.txt"))
