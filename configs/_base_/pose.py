# Pose transfer: structure, driver and what is measured.
task = "pose"
structure = dict(type="PoseStructure", sigma=6.0)
driver = dict(type="PoseDriver")

test_metrics = [dict(type="SSIM"), dict(type="L1"), dict(type="PSNR")]
