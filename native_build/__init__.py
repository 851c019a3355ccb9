"""Builds the native libraries of ``gfla_video.ops``; a failure is a sentence, not a broken install.

It stands beside setup.py and outside the package: setup.py needs it before anything is installed,
and an installed package never builds. As a command it says what was built:

    python -m native_build               one sentence, from the build record
    python -m native_build --require     exit status 1 where a compiler works and a library lacks

Environment: ``GFLA_BUILD`` = none, cpu, all (default; cuda means the same, because the CPU library
defines the op that the CUDA library serves), ``CC``, ``CXX``, ``CUDA_HOME``, ``MAX_JOBS`` and
``TORCH_CUDA_ARCH_LIST``.
"""
