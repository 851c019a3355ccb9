"""Where an evaluation writes to, proved before it begins: nothing that was computed gets lost."""

from __future__ import annotations

from pathlib import Path

from gfla_video.apis.report import check_report_folder
from gfla_video.utils.errors import UserError
from gfla_video.utils.files import ensure_writable_folder

_PICTURES = (".png", ".jpg", ".jpeg")


def check_outputs(
    *,
    out: str | Path | None = None,
    report: str | Path | None = None,
    preview: str | Path | None = None,
    images_out: str | Path | None = None,
) -> None:
    """Prove that every output can be written; those that are None are not asked for.

    Raises:
        UserError: a file's place is taken by a folder or cannot be written, the preview's suffix is
            no picture's, or something would lie in the report's folder, which is written whole.
    """
    for option, file in (("--out", out), ("--preview", preview)):
        if file is not None and Path(file).is_dir():
            raise UserError(f"{option} {file}: is a folder, give it the name of a file")
    if preview is not None and Path(preview).suffix.lower() not in _PICTURES:
        raise UserError(f"--preview {preview}: must end in {', '.join(_PICTURES)}")
    others = {"--out": out, "--preview": preview, "--images-out": images_out}
    if report is not None:
        for option, path in others.items():
            if path is not None and Path(path).resolve().is_relative_to(Path(report).resolve()):
                raise UserError(
                    f"{option} {path}: lies in the folder of --report, which holds nothing but "
                    "the report; write it elsewhere"
                )
        check_report_folder(report)
    for file in filter(None, (out, preview)):
        ensure_writable_folder(Path(file).parent)
    if images_out is not None:
        ensure_writable_folder(images_out)
