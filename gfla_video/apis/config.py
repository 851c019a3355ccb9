"""Reading a config: file, command-line changes, defaults, check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.config.utils import ConfigParsingError
from mmengine.utils import import_modules_from_strings

from gfla_video.engine.stages import expand_stages, with_defaults
from gfla_video.utils.config_check import check_stages
from gfla_video.utils.errors import UserError


def load_config(
    config: Config | str | Path, cfg_options: Mapping[str, Any] | None = None
) -> Config:
    """Read a config, change it, import its ``custom_imports`` and check every key of it.

    Args:
        config: a file, or a config that was read already.
        cfg_options: changes by dotted path, such as ``{"stages.0.train_cfg.max_iters": 10}``.

    Returns:
        The whole config (``stages`` not expanded) over the engine's defaults.

    Raises:
        UserError: no such file, a file that is no config, an unknown key (by its path).
    """
    merged = with_defaults(config if isinstance(config, Config) else _read(Path(config)))
    if cfg_options:
        try:
            merged.merge_from_dict(dict(cfg_options))
        except (TypeError, KeyError, IndexError) as error:
            raise UserError(f"--cfg-options: do not fit the config ({error})") from error
    imports = merged.get("custom_imports")
    if imports:
        try:
            import_modules_from_strings(**imports)
        except (ImportError, TypeError) as error:
            raise UserError(f"custom_imports: cannot be imported ({error})") from error
    check_stages(merged, [stage.config.to_dict() for stage in expand_stages(merged, "")])
    return merged


def _read(path: Path) -> Config:
    if not path.is_file():
        raise UserError(f"{path}: there is no such config, check the path")
    try:
        return Config.fromfile(path, format_python_code=False)
    except (ConfigParsingError, SyntaxError, NameError, KeyError, TypeError, OSError) as error:
        raise UserError(f"{path}: is not a readable config ({error})") from error
    except ImportError as error:
        raise UserError(f"{path}: custom_imports cannot be imported ({error})") from error
