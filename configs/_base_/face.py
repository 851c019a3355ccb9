# Talking heads: structure, driver and what is measured.
task = "face"
structure = dict(type="FaceStructure")
driver = dict(type="FaceDriver")

test_metrics = [
    dict(type="SSIM"),
    dict(type="L1"),
    dict(type="RegionL1"),
    dict(type="TemporalWarpingError"),
]
