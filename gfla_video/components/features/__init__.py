"""Feature extractors of the losses: frozen, outside of every checkpoint."""

from gfla_video.components.features.base import FeatureExtractor
from gfla_video.components.features.filter_bank import FilterBankFeatures
from gfla_video.components.features.squeezenet import SqueezeNetFeatures
from gfla_video.components.features.vgg import VGG19Features

__all__ = ["FeatureExtractor", "FilterBankFeatures", "SqueezeNetFeatures", "VGG19Features"]
