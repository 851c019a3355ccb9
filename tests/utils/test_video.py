"""Video in and out: exact rates, streaming, partial files."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from gfla_video.utils.errors import UserError
from gfla_video.utils.video import VideoWriter, check_video_target, probe, read_video
from tests.utils.videos import turned, variable


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
    path = variable(tmp_path / "v.mkv", frames(8), [0, 1, 2, 5, 6, 7, 8, 9])
    reader = read_video(path)
    got = [int(picture[0, 0, 0]) for picture in reader]
    assert reader.notes == [f"variable frame rate: {len(got) - 8} frames repeated, 0 left out"]
    if reader.fps == 25:  # the guess of FFmpeg; what follows holds for it alone
        assert len(got) == 10
        assert reader.repeated == 2
        assert abs(got[3] - got[2]) <= 3
        assert abs(got[4] - got[2]) <= 3
    assert abs(len(got) / reader.fps - Fraction(10, 25)) <= Fraction(1, 25)


@pytest.mark.parametrize("part", [0.35, 0.5, 0.8])
def test_a_truncated_video_gives_its_whole_frames(tmp_path: Path, part: float) -> None:
    random = np.random.default_rng(0)
    with VideoWriter(tmp_path / "whole.mp4", Fraction(25), (48, 64)) as writer:
        for _ in range(60):
            writer.write(random.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    content = (tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: int(part * len(content))])
    with av.open(str(tmp_path / "whole.mp4")) as container:
        ends = [p.pos + p.size for p in container.demux(video=0) if p.size]
    expected = sum(end <= path.stat().st_size for end in ends)
    reader = read_video(path)
    for _ in range(2):
        got = list(reader)
        assert len(got) == expected > 10
        (note,) = reader.notes
        assert note.startswith("cut.mp4 breaks off")
        assert f"{expected} of 60 whole frames are used" in note
    whole = list(read_video(tmp_path / "whole.mp4"))
    assert all((a == b).all() for a, b in zip(got[:-4], whole, strict=False))
    # the cut may fall between two frames, too, where no frame is broken
    path.write_bytes(content[: sorted(ends)[20]])
    cut = read_video(path)
    assert len(list(cut)) == 21
    assert "21 of 60 whole frames" in cut.notes[0]


def test_a_video_cut_before_its_table_is_one_sentence(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:  # the table comes last here
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for frame in frames(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(content[: content.index(b"moov")])
    with pytest.raises(UserError, match=r"b\.mp4: is not a video that FFmpeg can read") as told:
        probe(tmp_path / "b.mp4")
    assert str(told.value).count("b.mp4") == 1 and "Errno" not in str(told.value)
    assert "may be cut off" in str(told.value)


@pytest.mark.parametrize(("turn", "corner"), [(90, (0, 1)), (180, (1, 1)), (270, (1, 0))])
def test_a_rotation_tag_is_applied(tmp_path: Path, turn: int, corner: tuple[int, int]) -> None:
    """A telephone held sideways: the bright corner (upper left) goes where the tag says."""
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:24, :32] = 250
    with VideoWriter(tmp_path / "a.mp4", Fraction(25), (48, 64)) as writer:
        for _ in range(4):
            writer.write(picture)
    path = turned(tmp_path / "a.mp4", turn)
    reader = read_video(path)
    frames = list(reader)
    assert reader.size == frames[0].shape[:2] == ((48, 64) if turn == 180 else (64, 48))
    assert not reader.notes
    for frame in frames:
        height, width = frame.shape[:2]
        grey = frame.mean(axis=2).reshape(2, height // 2, 2, width // 2).mean(axis=(1, 3))
        assert np.unravel_index(grey.argmax(), (2, 2)) == corner
        assert grey.max() > 230 and np.sort(grey.ravel())[-2] < 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_places_tell_the_frames_without_decoding_them(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix == ".avi":  # has no times
        variable(path, frames(8), list(range(8)))
    else:
        variable(path, frames(8), [0, 1, 2, 5, 6, 7, 8, 10])  # a gap in what is decoded last, too
    reader = read_video(path)
    shown = [round((int(picture[0, 0, 0]) - 40) / 5) for picture in reader]
    notes, repeated = reader.notes, reader.repeated
    assert reader.places() == shown
    assert (reader.stored, reader.notes, reader.repeated) == (8, notes, repeated)
    assert repeated or suffix == ".avi"


def test_places_of_a_truncated_video(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 60)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: int(0.93 * len(content))])
    reader = read_video(tmp_path / "a.mp4")
    count, notes = len(list(reader)), reader.notes
    assert 10 < count < 60
    assert reader.places() == list(range(count))
    assert reader.notes == notes and "breaks off" in notes[0]
