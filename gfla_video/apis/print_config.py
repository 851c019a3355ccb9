"""A config as it counts: bases merged, options and defaults in, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from gfla_video.apis.config import load_config
from gfla_video.engine.stages import expand_stages
from gfla_video.utils.errors import UserError


def config_text(
    config: Config | str | Path,
    cfg_options: Mapping[str, Any] | None = None,
    stage: int | None = None,
) -> str:
    """The config as Python that can be used as a config itself.

    Names with a leading underscore are left out: they are the files' own and nothing reads them.

    Args:
        config: a file, or a config that was read already.
        cfg_options: changes by dotted path.
        stage: this stage alone (1 is the first), merged over the common part; None: the whole.

    Raises:
        UserError: as :func:`load_config`, or no such stage.
    """
    whole = load_config(config, cfg_options)
    chosen = whole
    if stage is not None:
        stages = expand_stages(whole, "")
        if not 1 <= stage <= len(stages):
            raise UserError(f"--stage {stage}: the config has stages 1 to {len(stages)}")
        chosen = stages[stage - 1].config
        chosen.pop("work_dir", None)  # it would name a folder below nothing
    shown = {key: value for key, value in chosen.to_dict().items() if not key.startswith("_")}
    return Config(shown, format_python_code=False).pretty_text
