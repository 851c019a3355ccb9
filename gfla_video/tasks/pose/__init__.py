"""Pose transfer: a person in a picture takes the pose of 18 joints."""
