# View synthesis: structure, driver and what is measured.
task = "view_synthesis"
structure = dict(type="CameraBins", azimuths=18, elevations=(0, 10, 20))  # as released
driver = dict(type="CameraDriver")

test_metrics = [dict(type="SSIM"), dict(type="L1"), dict(type="PSNR")]
