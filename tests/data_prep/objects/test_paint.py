"""Patterns and numbers on the sample objects."""

import numpy as np
import pytest

from data_prep.objects.paint import PATTERNS, Fabric, Wood, bright, fabric, number_at, scheme

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


def test_numbers_are_written_upright_and_from_left_to_right() -> None:
    a, b = np.meshgrid((np.arange(12) - 5) / 6, (3 - np.arange(7)) / 5)
    shown = number_at(a.ravel(), b.ravel(), (1, 7)).reshape(7, 12)
    rows = ["".join("#" if v else "." for v in row).strip(".") for row in shown]
    assert rows == ["#...#####", "##.......#", "#......#", "#.....#", "#....#", "#....#", "###...#"]
    assert not number_at(np.array([2.0, 0.0]), np.array([0.0, 0.9]), (8, 8)).any()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_have_two_colours_and_repeat(pattern: str) -> None:
    cloth = Fabric(pattern, (RED, GREEN, BLUE), 0.25)
    a, b = (
        v.ravel() for v in np.meshgrid(np.linspace(-0.5, 0.49, 80), np.linspace(-0.5, 0.49, 80))
    )
    green = (cloth.paint(a, b) == GREEN).all(axis=1)
    assert 0.1 < green.mean() < 0.7 or (pattern == "plain" and not green.any())
    if pattern != "quarters":
        moved = (cloth.paint(a + 0.25, b - 0.5) == GREEN).all(axis=1)
        assert (moved == green).mean() > 0.97


def test_an_emblem_stands_where_it_should_alone() -> None:
    cloth = Fabric("plain", (RED, GREEN, BLUE), 0.2, "disc", (0.3, -0.1), 0.05)
    a, b = np.array([0.3, 0.34, 0.36, -0.3]), np.array([-0.1, -0.1, -0.1, -0.1])
    assert (cloth.paint(a, b) == BLUE).all(axis=1).tolist() == [True, True, False, False]


def test_random_colours_are_bright_and_apart() -> None:
    rng = np.random.default_rng(3)
    assert min(max(c) - min(c) for c in (bright(rng) for _ in range(50))) > 0.4
    for _ in range(50):
        base, _, accent = (np.array(c) for c in scheme(rng))
        assert np.abs(base - accent).max() > 0.15
        assert abs(fabric(rng, 0.3).at[0]) > 0.05  # never in the middle: left and right differ


def test_wood_keeps_its_tone() -> None:
    points = np.random.default_rng(0).uniform(-0.3, 0.3, (500, 3))
    colours = Wood((0.6, 0.4, 0.2))(points)
    assert np.allclose(colours.mean(0), (0.6, 0.4, 0.2), atol=0.02)
    assert 0.02 < colours[:, 0].std() < 0.1
