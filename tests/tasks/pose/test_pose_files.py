"""Every file format that poses come in."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from gfla_video.tasks.pose.joints import visible
from gfla_video.tasks.pose.pose_files import frame_named, read_poses
from gfla_video.utils.errors import UserError


def body(shift: float = 0.0, joints: int = 18, missing: tuple[int, ...] = ()) -> np.ndarray:
    """Joint i at (10 + i + shift, 40 + 2 i), score 0.9."""
    points = np.array([[10.0 + i + shift, 40.0 + 2 * i, 0.9] for i in range(joints)])
    points[list(missing)] = 0
    return points


def openpose(*people: np.ndarray) -> dict:
    return {"people": [{"pose_keypoints_2d": person.ravel().tolist()} for person in people]}


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def csv_row(name: str, ys: list[int], xs: list[int]) -> str:
    return f"{name}: {ys}: {xs}"


HEADER = "name:keypoints_y:keypoints_x"


def test_openpose_folder_of_body_18(tmp_path: Path) -> None:
    for index in (2, 0, 1):
        write_json(tmp_path / f"f_{index:03d}_keypoints.json", openpose(body(index, missing=(4,))))
    sequence = read_poses(tmp_path)
    assert sequence.joints.shape == (3, 18, 3)
    assert sequence.joints[:, 0, 0].tolist() == [10, 11, 12]  # by name
    assert sequence.joints[0, 4].tolist() == [-1, -1, 0]
    assert visible(sequence.joints).sum() == 3 * 17
    assert sequence.fps is None


def test_body_25_drops_the_middle_of_the_hips_and_the_feet(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", openpose(body(joints=25)))
    joints = read_poses(tmp_path).joints[0]
    order = [0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]
    assert joints[:, 0].tolist() == [10.0 + i for i in order]


def test_frames_without_people_and_a_second_person(tmp_path: Path) -> None:
    small = body(60) * (0.2, 0.2, 1.0)
    write_json(tmp_path / "0.json", openpose(small, body(0)))
    write_json(tmp_path / "1.json", openpose())
    write_json(tmp_path / "2.json", openpose(body(3), small))
    sequence = read_poses(tmp_path)
    assert sequence.joints[:, 0, 0].tolist() == [10, -1, 13]  # the large one, then the near one
    assert any("several people in 2 frames" in note for note in sequence.notes)


def test_low_scores_are_missing(tmp_path: Path) -> None:
    low = body()
    low[7, 2] = 0.2
    path = write_json(tmp_path / "a.json", openpose(low))
    assert read_poses(path).joints[0, 7, 2] == 1
    assert read_poses(path, min_score=0.5).joints[0, 7].tolist() == [-1, -1, 0]


def test_single_json_openpose_frame_and_list(tmp_path: Path) -> None:
    assert read_poses(write_json(tmp_path / "a.json", openpose(body()))).joints.shape[0] == 1
    path = write_json(tmp_path / "b.json", [openpose(body()), openpose(), openpose(body(5))])
    assert read_poses(path).joints[:, 0, 0].tolist() == [10, -1, 15]


def test_coco_annotations(tmp_path: Path) -> None:
    coco = body(joints=17)
    coco[:, 2] = 2
    coco[9] = 0  # left wrist
    content = {
        "images": [
            {"id": 7, "file_name": "a.jpg", "height": 120, "width": 90},
            {"id": 3, "file_name": "b.jpg", "height": 120, "width": 90},
        ],
        "annotations": [{"image_id": 7, "keypoints": coco.ravel().tolist()}],
    }
    sequence = read_poses(write_json(tmp_path / "a.json", content))
    assert sequence.size == (120, 90)
    assert sequence.names == ("a.jpg", "b.jpg")
    assert sequence.joints[0, 2, :2].tolist() == coco[6, :2].tolist()  # right shoulder
    assert sequence.joints[0, 1, 0] == (coco[5, 0] + coco[6, 0]) / 2  # neck
    assert sequence.joints[0, 7].tolist() == [-1, -1, 0]
    assert not visible(sequence.joints[1]).any()
    content["images"][1]["height"] = 100
    with pytest.raises(UserError, match="different sizes"):
        read_poses(write_json(tmp_path / "a.json", content))


def test_coco_results_and_mmpose(tmp_path: Path) -> None:
    flat = body(joints=17)
    results = [{"image_id": i, "keypoints": flat.ravel().tolist(), "score": 1} for i in "ab"]
    sequence = read_poses(write_json(tmp_path / "a.json", results))
    assert sequence.joints.shape == (2, 18, 3)
    instance = {"keypoints": flat[:, :2].tolist(), "keypoint_scores": flat[:, 2].tolist()}
    mmpose = {"instance_info": [{"frame_id": 1, "instances": [instance]}, {"instances": []}]}
    other = read_poses(write_json(tmp_path / "b.json", mmpose))
    assert (other.joints[0] == sequence.joints[0]).all()
    assert len(other.joints) == 2


def test_csv_rows_in_file_order_or_by_name(tmp_path: Path) -> None:
    rows = [
        csv_row("b.jpg", list(range(40, 58)), list(range(20, 38))),
        csv_row("a.jpg", [-1, *range(41, 58)], [-1, *range(1, 18)]),
    ]
    path = tmp_path / "x.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    sequence = read_poses(path)
    assert sequence.names == ("b.jpg", "a.jpg")
    assert sequence.joints[0, 0].tolist() == [20, 40, 1]
    assert sequence.joints[1, 0].tolist() == [-1, -1, 0]
    assert read_poses(path, order="name").names == ("a.jpg", "b.jpg")
    assert frame_named(sequence, "b.jpg", "x")[3, 0] == 23
    assert frame_named(sequence, "a.png", "x")[3, 0] == 3  # by its stem
    with pytest.raises(UserError, match=r"named c\.jpg"):
        frame_named(sequence, "c.jpg", "--source-structure")


@pytest.mark.parametrize("columns", [2, 3])
def test_npz(tmp_path: Path, columns: int) -> None:
    keypoints = np.stack([body(i)[:, :columns] for i in range(4)])
    keypoints[2, 5] = (-1, -1, 0)[:columns]
    np.savez(tmp_path / "a.npz", keypoints=keypoints, fps="30000/1001", size=(128, 64))
    sequence = read_poses(tmp_path / "a.npz")
    assert sequence.fps == Fraction(30000, 1001)
    assert sequence.size == (128, 64)
    assert visible(sequence.joints).sum() == 4 * 18 - 1
    assert sequence.joints[3, 0].tolist() == [13, 40, 1]


def test_npz_with_one_body_and_a_float_rate(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", keypoints=body(), fps=29.97)
    sequence = read_poses(tmp_path / "a.npz")
    assert sequence.joints.shape == (1, 18, 3)
    assert sequence.fps == Fraction(30000, 1001)


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """What a user may pass by mistake, with a part of the answer."""

    def text(name: str, content: str) -> Path:
        (folder / name).write_text(content)
        return folder / name

    def array(name: str, **arrays: np.ndarray) -> Path:
        np.savez(folder / name, **arrays)
        return folder / name

    (folder / "empty").mkdir()
    nobody = write_json(folder / "nobody.json", [openpose(), openpose()])
    ints = list(range(18))
    return {
        "absent": (folder / "no.json", "no such file or folder"),
        "kind": (text("a.txt", "x"), "is not a pose file"),
        "folder": (folder / "empty", "holds no poses"),
        "nobody": (nobody, "holds no poses"),
        "no json": (text("b.json", "{"), "cannot be read as JSON"),
        "other json": (text("c.json", '{"a": 1}'), "holds no poses that are known"),
        "empty list": (text("d.json", "[]"), "holds no poses that are known"),
        "17": (write_json(folder / "e.json", openpose(body(joints=17))), "17 joints"),
        "coco 18": (
            write_json(
                folder / "f.json",
                {"annotations": [{"image_id": 1, "keypoints": body().ravel().tolist()}]},
            ),
            "18 joints",
        ),
        "null": (write_json(folder / "g.json", {"people": [{}]}), "keypoints must be"),
        "column": (text("a.csv", "name:keypoints_y\n"), "column keypoints_x is missing"),
        "row of 17": (
            text("b.csv", f"{HEADER}\n{csv_row('a', ints[1:], ints)}\n"),
            "line 2: has 17 y and 18 x",
        ),
        "no list": (text("c.csv", f"{HEADER}\na: [1, 2: [x]\n"), "no list of numbers"),
        "fields": (text("d.csv", f"{HEADER}\na: {ints}\n"), "line 2: has 2 fields"),
        "all missing": (
            text("e.csv", f"{HEADER}\n{csv_row('a', [-1] * 18, [-1] * 18)}\n"),
            "holds no poses",
        ),
        "empty csv": (text("f.csv", f"{HEADER}\n"), "holds no poses"),
        "no npz": (text("a.npz", "x"), "cannot be read as .npz"),
        "no keypoints": (array("b.npz", poses=body()), "it holds poses"),
        "17 in npz": (array("c.npz", keypoints=body(joints=17)), "must be"),
        "bad fps": (array("d.npz", keypoints=body(), fps=np.array("fast")), "frame rate"),
    }


@pytest.mark.parametrize("which", range(20))
def test_bad_files_are_one_sentence(tmp_path: Path, which: int) -> None:
    path, what = list(bad_files(tmp_path).values())[which]
    with pytest.raises(UserError) as caught:
        read_poses(path)
    message = str(caught.value)
    assert what in message
    assert str(path) in message
    assert "\n" not in message


def test_real_annotation_files(shared_dir: Path) -> None:
    for name, rows in (("market", 282), ("deepfashion", 291)):
        (path,) = (shared_dir / "data" / name).glob("*-annotation.csv")
        sequence = read_poses(path)
        assert sequence.joints.shape == (rows, 18, 3)
        assert 0.7 < visible(sequence.joints).mean() < 0.9
