"""Learning rates: values worked out by hand."""

from math import cos, pi

import pytest

from cnntrain.engine.schedule import build_schedule


def lrs(total_steps: int, steps: list[int], *, steps_per_epoch: int = 10, **schedule: object) -> list[float]:
    lr_at = build_schedule(schedule, peak=0.4, total_steps=total_steps, steps_per_epoch=steps_per_epoch)
    return [lr_at(step) for step in steps]


def test_constant_is_the_peak_everywhere() -> None:
    assert lrs(100, [0, 50, 99], type="constant") == [0.4, 0.4, 0.4]


def test_warmup_rises_in_a_straight_line_from_its_start() -> None:
    # 2 epochs of 10 steps: half way at step 10
    assert lrs(100, [0, 10, 20], type="constant", warmup_epochs=2, warmup_start=0.5) == pytest.approx([0.2, 0.3, 0.4])


def test_step_multiplies_by_gamma_after_each_milestone() -> None:
    found = lrs(100, [49, 50, 74, 75, 99], type="step", milestones=[0.5, 0.75], gamma=0.1)
    assert found == pytest.approx([0.4, 0.04, 0.04, 0.004, 0.004])


def test_cosine_is_half_a_period_from_peak_to_final() -> None:
    found = lrs(100, [0, 25, 50, 100], type="cosine", final=0.1)
    share = 0.1 + 0.9 * 0.5 * (1 + cos(pi / 4))
    assert found == pytest.approx([0.4, 0.4 * share, 0.4 * 0.55, 0.04])


def test_linear_ends_at_final() -> None:
    assert lrs(100, [0, 50, 100], type="linear") == pytest.approx([0.4, 0.2, 0.0])


def test_one_cycle_peaks_where_it_is_told() -> None:
    found = lrs(100, [0, 10, 20, 60, 100], type="one_cycle", peak_at=0.2, start=0.5, final=0.0, shape="linear")
    assert found == pytest.approx([0.2, 0.3, 0.4, 0.2, 0.0])


def test_a_shape_runs_over_the_steps_after_the_warmup() -> None:
    # warmup takes 20 of 120 steps; the line then falls over 100
    assert lrs(120, [20, 70, 120], type="linear", warmup_epochs=2) == pytest.approx([0.4, 0.2, 0.0])
