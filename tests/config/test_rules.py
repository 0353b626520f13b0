"""Rules between settings: each with its sentence, and silent where all is well."""

from dataclasses import replace
from typing import Any

import pytest

from cnntrain.config.rules import eval_rules, stats_rules, task_rules, train_rules
from cnntrain.config.schema import (
    DataConfig,
    DataStatsConfig,
    EvalConfig,
    EvalDataConfig,
    StatsDataConfig,
    TrainConfig,
    TrainerConfig,
    TransformsConfig,
)


def config(**changes: Any) -> TrainConfig:
    good = TrainConfig(epochs=10, optimizer={"type": "sgd", "lr": 0.1}, schedule={"type": "constant"})
    return replace(good, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "../x"}, "name=../x must be a plain folder name of letters, digits, _ . and -, such as name=first_try"),
        (
            {"data": DataConfig(name="digits", root="photos")},
            "data.root is set, but data=digits is the set shipped with cnntrain; add data=folder",
        ),
        (
            {"data": DataConfig(name="digits", root="data/digits", val_dir="v")},
            "data.val_dir is set, but data=digits is the set shipped with cnntrain; add data=folder",
        ),
        (
            {"data": DataConfig(name="mnist")},
            "data.name=mnist is not one of digits, folder, manifest, torchvision, webdataset; a data set of your own is a folder",
        ),
        (
            {"data": DataConfig(train_split="a", val_split="a")},
            "data.train_split and data.val_split are both a; validation needs a folder of its own",
        ),
        (
            {"data": DataConfig(train_split="a", val_split="a", train_dir="d")},
            "data.train_split and data.val_split are both a; validation needs a folder of its own",
        ),
        ({"data": DataConfig(fold=1)}, "data.fold=1 has no effect without data.folds, such as data.folds=5"),
        (
            {"data": DataConfig(folds=3)},
            "data.folds=3 needs data.fold=0 to 2, not null; -m data.fold=0,1,2 trains one after the other",
        ),
        (
            {"data": DataConfig(folds=3, fold=3)},
            "data.folds=3 needs data.fold=0 to 2, not 3; -m data.fold=0,1,2 trains one after the other",
        ),
        (
            {"data": DataConfig(folds=3, fold=2, val_dir="v")},
            "data.val_dir has no effect beside data.folds: a fold of train validates; leave one of them out",
        ),
        ({"data": DataConfig(name="manifest")}, "data=manifest needs its file; add data.file=labels.csv"),
        (
            {"data": DataConfig(name="manifest", file="x.csv", val_dir="v")},
            "data.val_dir has no effect beside data.file: its column split says the split; leave it out",
        ),
        ({"data": DataConfig(file="x.csv")}, "data.file is set, but data=folder reads folders; add data=manifest"),
        (
            {"data": DataConfig(task="regression")},
            "data.task=regression needs labels of its own in a manifest; folders are classes",
        ),
        (
            {"batch_size": 10, "trainer": TrainerConfig(accumulation_steps=3)},
            "batch_size=10 cannot be divided by trainer.accumulation_steps=3",
        ),
        (
            {"data": DataConfig(image_size=4), "trainer": TrainerConfig(progressive_size={"start": 0.5, "until": 0.5})},
            "trainer.progressive_size.start=0.5 has no effect: images of 4x4 pixels start at full size; give a smaller start, or "
            "trainer.progressive_size=null",
        ),
        (
            {"batch_size": 1, "transforms": TransformsConfig(mix=[{"type": "mixup"}])},
            "transforms.mix has no effect with batch_size=1: an image is mixed with another of its batch; give batch_size=2 or more",
        ),
        (
            {"optimizer": {"type": "sgd", "lr": 1, "nesterov": True, "momentum": 0}},
            "optimizer.nesterov=true needs optimizer.momentum > 0; set optimizer.nesterov=false",
        ),
        (
            {"optimizer": {"type": "adamw", "lr": 1, "betas": [0.9]}},
            "optimizer.betas=[0.9] must be two numbers below 1, such as [0.9,0.999]",
        ),
        ({"schedule": {"type": "cosine", "warmup_epochs": 10}}, "schedule.warmup_epochs=10 must be less than epochs=10"),
        ({"schedule": {"type": "step", "milestones": [0.7, 0.5]}}, "schedule.milestones=[0.7,0.5] must rise, such as [0.5,0.75]"),
        (
            {"trainer": TrainerConfig(early_stopping_patience=10)},
            "trainer.early_stopping_patience=10 has no effect in epochs=10; make it smaller, or null",
        ),
        (
            {"trainer": TrainerConfig(time_budget="soon")},
            "trainer.time_budget=soon is no duration; write it such as 90s, 20m, 1.5h or 1h30m",
        ),
        (
            {"trainer": TrainerConfig(device="cpu", precision="fp16")},
            "trainer.precision=fp16 needs a GPU; take trainer.precision=bf16, fp32 or auto",
        ),
        (
            {"data": DataConfig(dataset="MNIST")},
            "data.dataset=MNIST has no effect in data=folder; add data=torchvision",
        ),
        (
            {"data": DataConfig(name="torchvision")},
            "data=torchvision needs the name of a set; add data.dataset=NAME, one of MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100",
        ),
        (
            {"data": DataConfig(name="torchvision", dataset="MNIST", val_dir="v")},
            "data.val_dir has no effect beside data.dataset: its files say which images train; leave it out",
        ),
        (
            {"data": DataConfig(sampler="balanced"), "trainer": TrainerConfig(class_weights="balanced")},
            "data.sampler=balanced and trainer.class_weights=balanced together overshoot: rare classes would count twice; take one",
        ),
    ],
)
def test_each_rule_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert train_rules(config(**changes)) == [sentence]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"epochs": None, "schedule": {"type": "cosine", "warmup_epochs": 50}, "trainer": TrainerConfig(early_stopping_patience=50)},
        {"data": DataConfig(name="digits", root="data/digits")},
        {"data": DataConfig(name="manifest", file="x.csv", task="regression", folds=2, fold=1)},
        {"data": DataConfig(name="digits", root="/home/me/data/digits")},
        {"optimizer": {"type": "sgd", "lr": 1, "nesterov": True}},
        {"schedule": {"type": "constant", "warmup_epochs": 0}, "epochs": 1},
        {"name": "a-b_c.3"},
        {"data": DataConfig(image_size=8), "trainer": TrainerConfig(progressive_size={"start": 0.99, "until": 0.5})},
    ],
)
def test_what_works_is_not_complained_about(changes: dict[str, Any]) -> None:
    assert train_rules(config(**changes)) == []


def test_eval_takes_one_folder() -> None:
    assert eval_rules(EvalConfig("x", data=EvalDataConfig(root="a", val_dir="b"))) == [
        "data.root has no effect beside data.val_dir; give one of them"
    ]
    assert eval_rules(EvalConfig("x", data=EvalDataConfig(file="a", val_dir="b"))) == [
        "data.val_dir has no effect beside data.file; give one of them"
    ]
    assert eval_rules(EvalConfig("x", data=EvalDataConfig(file="a", root="b"))) == []


@pytest.mark.parametrize(
    ("task", "changes", "sentence"),
    [
        (
            "regression",
            {"objective": "val/top1"},
            "objective=val/top1 is not measured where an image has numbers; there are: auto, val/mae, val/loss, val/rmse, val/r2",
        ),
        (
            "classification",
            {"objective": "val/map"},
            "objective=val/map is not measured where an image has one class; there are: auto, val/top1, val/loss",
        ),
        (
            "multilabel",
            {"trainer": TrainerConfig(label_smoothing=0.1)},
            "trainer.label_smoothing=0.1 has no effect where an image has several labels; set it to 0",
        ),
        (
            "regression",
            {"trainer": TrainerConfig(class_weights="balanced")},
            "trainer.class_weights=balanced has no effect where an image has numbers; set it to none",
        ),
        (
            "classification",
            {"trainer": TrainerConfig(regression_loss="l1")},
            "trainer.regression_loss=l1 has no effect where an image has one class; set it to null",
        ),
        (
            "multilabel",
            {"data": DataConfig(sampler="balanced")},
            "data.sampler=balanced needs one class an image, but an image has several labels; "
            "take data.sampler=shuffle trainer.class_weights=balanced",
        ),
        (
            "regression",
            {"transforms": TransformsConfig(mix=[{"type": "mixup"}, {"type": "cutmix"}])},
            "transforms.mix[1].type=cutmix needs classes, but the targets are numbers; take mixup",
        ),
        (
            "regression",
            {"data": DataConfig(sampler="balanced")},
            "data.sampler=balanced needs one class an image, but an image has numbers; set it to shuffle",
        ),
    ],
)
def test_a_setting_that_does_not_go_with_the_task_is_told(task: str, changes: dict[str, Any], sentence: str) -> None:
    assert task_rules(config(**changes), task) == [sentence]


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_the_defaults_go_with_every_task(task: str) -> None:
    assert task_rules(config(), task) == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (StatsDataConfig("d", train_split="a", val_split="a"), "data.train_split and data.val_split are both a"),
        (StatsDataConfig("d", fold=1), "data.fold=1 has no effect without data.folds"),
        (StatsDataConfig("d", task="regression"), "data.task=regression needs labels of its own in a manifest; folders are classes"),
        (StatsDataConfig("d", file="x.csv", val_dir="v"), "data.val_dir has no effect beside data.file"),
    ],
)
def test_data_stats_has_the_rules_of_the_data(data: StatsDataConfig, sentence: str) -> None:
    (fault,) = stats_rules(DataStatsConfig(data=data))
    assert fault.startswith(sentence)
    assert stats_rules(DataStatsConfig(data=StatsDataConfig("d"))) == []


def test_a_set_and_a_manifest_at_once_are_refused_for_stats() -> None:
    both = StatsDataConfig(root="d", file="m.csv", dataset="MNIST")
    assert stats_rules(DataStatsConfig(data=both)) == ["data.dataset has no effect beside data.file; give one of them"]
