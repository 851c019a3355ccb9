# Pose transfer: structure, driver and the losses with attention at two scales.
_base_ = "gfla.py"

task = "pose"
structure = dict(type="PoseStructure", sigma=6.0)
driver = dict(type="PoseDriver")

test_metrics = [dict(type="SSIM"), dict(type="L1"), dict(type="PSNR")]
