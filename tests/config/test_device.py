"""The guess about the device, and the default that rests on it."""

import sys

import pytest

from cnntrain.config import device


def on_linux(monkeypatch: pytest.MonkeyPatch, *, files: bool, visible: str | None) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(device.os.path, "exists", lambda path: files and path == "/dev/nvidiactl")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)


@pytest.mark.parametrize(
    ("files", "visible", "found"), [(True, None, True), (True, "0", True), (True, "", False), (True, "-1", False), (False, None, False)]
)
def test_a_driver_that_is_not_hidden_is_an_accelerator(
    monkeypatch: pytest.MonkeyPatch, files: bool, visible: str | None, found: bool
) -> None:
    on_linux(monkeypatch, files=files, visible=visible)
    assert device.has_accelerator() is found


@pytest.mark.parametrize(("machine", "found"), [("arm64", True), ("x86_64", False)])
def test_apple_silicon_is_an_accelerator(monkeypatch: pytest.MonkeyPatch, machine: str, found: bool) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(device.platform, "machine", lambda: machine)
    assert device.has_accelerator() is found


@pytest.mark.parametrize(("chosen", "value"), [("cpu", 64), ("cuda", 128), ("mps", 128), ("auto", 128)])
def test_the_chosen_device_decides_before_the_guess(monkeypatch: pytest.MonkeyPatch, chosen: str, value: int) -> None:
    monkeypatch.setattr(device, "has_accelerator", lambda: True)
    assert device.by_device(64, 128, chosen) == value
