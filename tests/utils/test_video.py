"""Video in and out: exact rates, streaming, partial files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter, check_video_target, probe, read_video


def frames(count: int, size: tuple[int, int] = (48, 64)) -> list[np.ndarray]:
    """Smooth pictures whose grey rises by frame, so that order and colour can be checked."""
    return [np.full((*size, 3), (40 + 5 * i, 200, 60), np.uint8) for i in range(count)]


def write(path: Path, count: int = 12, fps: Fraction = Fraction(25), size=(48, 64)) -> None:
    with VideoWriter(path, fps, size) as writer:
        for frame in frames(count, size):
            writer.write(frame)


@pytest.mark.parametrize(
    "fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(2160, 77)]
)
def test_codec_rate_and_count_are_exact(tmp_path: Path, fps: Fraction) -> None:
    write(tmp_path / "a.mp4", 31, fps)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == fps
        times = [f.pts * f.time_base for f in container.decode(stream)]
    assert times == [i / fps for i in range(31)]
    assert list(tmp_path.iterdir()) == [tmp_path / "a.mp4"]


def test_pictures_come_back_in_order(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 12)
    reader = read_video(tmp_path / "a.mp4")
    assert (reader.fps, reader.size, reader.info.frames) == (25, (48, 64), 12)
    for _ in range(2):  # a second pass starts again
        got = list(reader)
        assert len(got) == 12
        assert (reader.repeated, reader.dropped) == (0, 0)
        for expected, picture in zip(frames(12), got, strict=True):
            assert np.abs(picture.astype(int) - expected).max() <= 4


def test_odd_sizes_are_padded_and_said(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", Fraction(10), (47, 63)) as writer:
        writer.write(frames(1, (47, 63))[0])
        assert "63x47 to 64x48" in writer.note
    assert probe(tmp_path / "a.mp4").size == (48, 64)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_interruption_keeps_old_result_and_playable_partial(tmp_path: Path, error) -> None:
    write(tmp_path / "a.mp4", 3)
    before = (tmp_path / "a.mp4").read_bytes()

    def stop_after_seven() -> None:
        with VideoWriter(tmp_path / "a.mp4", Fraction(25), (48, 64)) as writer:
            for frame in frames(7):
                writer.write(frame)
            raise error

    with pytest.raises(error):
        stop_after_seven()
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert len(list(read_video(tmp_path / "a.partial.mp4"))) == 7


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), VideoWriter(tmp_path / "a.mp4", Fraction(25), (48, 64)):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_wrong_frame_is_refused(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "a.mp4", Fraction(25), (48, 64))
    with pytest.raises(ValueError, match="must be uint8"), writer:
        writer.write(np.zeros((48, 60, 3), np.uint8))


def test_target_is_checked_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        check_video_target(tmp_path / "file" / "a.mp4")
    with pytest.raises(UserError, match=r"ends in \.mp4"):
        check_video_target(tmp_path / "a.avi")
    (tmp_path / "b.mp4").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        check_video_target(tmp_path / "b.mp4")


def test_bad_videos_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match="no such video"):
        probe(tmp_path / "none.mp4")
    with pytest.raises(UserError, match="not a video"):
        probe(tmp_path / "text.mp4")


def test_variable_rate_is_put_on_the_grid(tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for index, frame in zip([0, 1, 2, 5, 6, 7, 8, 9], frames(8), strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    reader = read_video(path)
    got = [int(picture[0, 0, 0]) for picture in reader]
    if reader.fps == 25:  # the guess of FFmpeg; what follows holds for it alone
        assert len(got) == 10
        assert reader.repeated == 2
        assert abs(got[3] - got[2]) <= 3
        assert abs(got[4] - got[2]) <= 3
    assert abs(len(got) / reader.fps - Fraction(10, 25)) <= Fraction(1, 25)
