"""Build entry: all metadata stands in setup.cfg, the native libraries' build in native_build/."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent))

from native_build.command import BuildNative, extensions

setup(ext_modules=extensions(), cmdclass={"build_ext": BuildNative})
