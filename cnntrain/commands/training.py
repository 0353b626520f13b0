"""One run, from checked configuration to its last line: build, resume, train, keep, report."""

import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter

import torch

from cnntrain.commands.advice import as_told, command, imports_of, more_of, shown
from cnntrain.commands.bad_files import BadFiles, say_bad
from cnntrain.commands.building import Parts, build, total_steps
from cnntrain.commands.data_sets import digits_at_hand, image_size_of
from cnntrain.commands.file_check import FileCheck, check_words
from cnntrain.commands.keeping import CheckpointKeeper, HistoryKeeper, SummaryKeeper
from cnntrain.commands.kept import absolute_data
from cnntrain.commands.origin import run_record
from cnntrain.commands.pictures import Pictures
from cnntrain.commands.rejected import RejectedSteps
from cnntrain.commands.resuming import resume, say_lr, schedule_of
from cnntrain.commands.validation import Validation
from cnntrain.config.command import Job
from cnntrain.config.durations import parse_duration
from cnntrain.config.progressive import size_at
from cnntrain.config.schema import DataConfig, TrainConfig
from cnntrain.config.stored import as_yaml
from cnntrain.data.images import ImageSet
from cnntrain.data.loaders import Loader
from cnntrain.engine.events import EpochDone, Event, Listener
from cnntrain.engine.signals import Signals
from cnntrain.engine.state import Objective, Progress
from cnntrain.engine.trainer import Plan, Trainer
from cnntrain.errors import UserError
from cnntrain.measures import CLASSIFICATION, MULTILABEL
from cnntrain.model.factory import check_model
from cnntrain.report.console import ConsoleListener, close_logging, say, setup_logging
from cnntrain.report.figures import counted
from cnntrain.report.screen import stderr
from cnntrain.report.tables import net_table, results_table, show
from cnntrain.report.tensorboard import TensorBoardListener
from cnntrain.report.text import as_text
from cnntrain.runs.durable import write_atomically
from cnntrain.runs.folder import lock
from cnntrain.runs.history import History
from cnntrain.runs.summary import read_summary, write_run

MOST_NAMED = 5


def train(job: Job, config: TrainConfig) -> float:
    """Train one run in its folder; returns the objective of its best epoch.

    Raises:
        CnntrainError: what ended the run early, with the way to go on.
    """
    assert job.folder is not None
    run = shown(job.folder)
    progress = Progress()
    summary = SummaryKeeper(run, progress)
    with ExitStack() as stack:
        stack.enter_context(lock(run))
        setup_logging(run if config.resume is None else None)  # a resume that is refused leaves train.log alone
        stack.callback(close_logging)
        config, unpacked = stack.enter_context(digits_at_hand(config))
        if unpacked:
            say(unpacked)
        try:
            with Signals() as signals:
                return run_in(run, job, config, progress, summary, signals)
        except BaseException as error:
            told = as_told(error, config, run, job)
            if isinstance(told, UserError) and config.resume is None and job.number is None and not summary.started:
                close_logging()
                shutil.rmtree(run, ignore_errors=True)  # made by this process a moment ago; a mistake leaves nothing behind
            else:
                summary.ended_by(told)
            if told is error:
                raise
            raise told from error


def run_in(run: Path, job: Job, config: TrainConfig, progress: Progress, summary: SummaryKeeper, signals: Signals) -> float:
    parts = build(config)
    config = parts.config
    summary.objective = config.objective
    net = introduce(parts, briefly=bool(job.number))
    if config.resume is None:
        record(run, job, parts)  # before decoding, which may take a while: from now on the run can be resumed

    def prepare() -> None:
        began = perf_counter()
        parts.prepare(preparing(signals), say)
        summary.prepare_seconds = perf_counter() - began

    if config.data.name == "digits":
        prepare()
    else:
        where, silent = check_words(config.data), bool(job.number)
        FileCheck([parts.train, parts.val], where=where, strict=config.data.strict, silent=silent).around(prepare, signals)
    trained = resume(run, parts, progress) if config.resume is not None else None
    with ExitStack() as stack:
        stack.callback(parts.close)
        listeners: list[Listener] = []
        tell = Fan(listeners)
        validation = Validation(parts, signals, tell)
        trainer = make_trainer(parts, trained, progress, validation, tell, signals)
        over = trainer.ended()
        if over is not None:
            say(f"{run} is finished already: {over}; {more_of(config)}")
            return float(progress.best.get(config.objective, float("nan")))
        if config.resume is not None:
            setup_logging(run)
            if job.changed:
                say(f"changed: {', '.join(job.changed)}")
            record(run, job, parts)
        history = History(run / "metrics.jsonl")
        stack.callback(history.close)
        if config.resume is not None:
            history.cut_back(progress.step)
        BadFiles(history, summary, progress).listen(parts.train, parts.val)
        board = TensorBoardListener(run, purge_step=progress.step if trained else None)
        stack.callback(board.close)
        settings = {"kept": parts.kept().plain(), "config": asdict(config), "steps_per_epoch": len(parts.train)}
        listeners += [
            CheckpointKeeper(run, parts.step, progress, settings, average=parts.average),  # first: what is told must be saved
            HistoryKeeper(history),
            RejectedSteps(history, parts.data.train),
            summary,
            board,
            Pictures(board, parts, validation, net),
            stack.enter_context(ConsoleListener()),
            TellTimes(parts.train),
        ]
        trainer.fit()
    conclude(run, job)
    return float(progress.best.get(config.objective, float("nan")))


def record(run: Path, job: Job, parts: Parts) -> None:
    """config.yaml, with folders that hold from anywhere, and run.json."""
    stored = replace(parts.config, data=DataConfig(**absolute_data(parts.config)))
    write_atomically(run / "config.yaml", as_yaml(stored).encode())
    write_run(run, run_record(job, run, parts.data, device=str(parts.arithmetic)))


class Fan:
    """Tells an event to every listener, in order."""

    def __init__(self, listeners: list[Listener]):
        self.listeners = listeners

    def __call__(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)


class TellTimes:
    """A listener: after the first epoch, where its time went, if images were waited for."""

    def __init__(self, loader: Loader):
        self.loader, self.told = loader, False

    def __call__(self, event: Event) -> None:
        if isinstance(event, EpochDone) and not self.told:
            self.told = True
            text = self.loader.explanation()
            if text is not None:
                say(text)


def make_trainer(
    parts: Parts, trained: dict[str, object] | None, progress: Progress, validation: Validation, tell: Listener, signals: Signals
) -> Trainer:
    config = parts.config
    trainer, steps_per_epoch = config.trainer, len(parts.train)
    assert config.epochs is not None
    schedule = schedule_of(asdict(config), steps_per_epoch=steps_per_epoch)
    if trained is not None:
        say_lr(trained, schedule_of(trained, steps_per_epoch=steps_per_epoch), schedule, progress, parts)
    plan = Plan(
        num_epochs=config.epochs,
        total_steps=total_steps(config.epochs, trainer.max_steps, steps_per_epoch),
        time_budget_seconds=None if trainer.time_budget is None else parse_duration(trainer.time_budget),
        early_stopping_patience=trainer.early_stopping_patience,
        log_every_steps=trainer.log_every_steps,
        max_rejected_steps=trainer.max_rejected_steps,
    )
    validation.epoch = progress.epoch
    return Trainer(
        parts.step,
        schedule,
        parts.train,
        validation,
        plan=plan,
        objective=Objective(config.objective),
        progress=progress,
        tell=tell,
        stop=signals.check,
        num_val_batches=len(parts.val),
    )


def introduce(parts: Parts, *, briefly: bool = False) -> str:
    """Say what is about to run: data, device, network; returns the network's table as text.

    Args:
        briefly: for the later runs of a sweep, which have told the same before.
    """
    config, data = parts.config, parts.data
    for note in (*data.notes, *parts.train.notes(), *parts.val.notes()):
        say(note)
    height, width = image_size_of(config.data)
    colour = "gray" if data.channels == 1 else "colour"
    say(
        f"data: {len(data.train):,} training and {len(data.val):,} validation images, {asked_for(data.train)}, "
        f"{colour}, {height}x{width} pixels"
    )
    assert config.epochs is not None
    steps = f"{counted(config.epochs, 'epoch')} of {counted(len(parts.train), 'step')} of {counted(config.batch_size, 'image')}"
    left_out = len(data.train) - parts.train.num_images_per_epoch
    dropped = f" ({counted(left_out, 'image')} left out of each, in turn)" if left_out else ""
    say(f"{steps}{dropped}")
    say(f"on {parts.arithmetic}")
    growth = config.trainer.progressive_size
    if growth is not None:
        first = "x".join(map(str, size_at(0, (height, width), **growth)))
        say(f"training images grow from {first} to {height}x{width} pixels, reached after {growth['until']:.0%} of the training")
    layers = check_model(config.model, in_channels=data.channels, num_classes=parts.task.num_outputs, image_size=(height, width))
    table = net_table(layers, config.model.name)
    if not briefly:
        show(table, screen=stderr())
    return as_text(table)


def asked_for(images: ImageSet) -> str:
    """What the network is asked: 10 classes; 3 labels, any number of them an image; 2 numbers an image: age, height."""
    number = len(images.classes)
    if images.task == CLASSIFICATION:
        return f"{number} classes"
    if images.task == MULTILABEL:
        return f"{counted(number, 'label')}, any number of them an image"
    named = ", ".join(images.classes[:MOST_NAMED]) + (", ..." if number > MOST_NAMED else "")
    return f"{counted(number, 'number')} an image ({named})"


def preparing(signals: Signals) -> Callable[[int, int], None]:
    """Says how far decoding is, at most every ten seconds, and lets a signal end it."""
    from time import monotonic

    told = monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal told
        signals.check()
        if monotonic() - told > 10:
            told = monotonic()
            say(f"decoding: {done:,} of {total:,} images")

    return progress


def conclude(run: Path, job: Job) -> None:
    """The results, and a last line with the folder and what to type next."""
    summary = read_summary(run)
    assert summary is not None
    if job.number is None:
        show(results_table(summary))
    evaluate = command("cnntrain eval", f"checkpoint={run}", *imports_of(job))
    show(f"{run}  |  {evaluate}  |  {command('tensorboard', '--logdir', str(run))}")


def dry_run(config: TrainConfig) -> None:
    """Everything up to one training batch and one validation batch; writes nothing."""
    with ExitStack() as stack:
        config, _ = stack.enter_context(digits_at_hand(config))
        parts = build(replace(config, data=replace(config.data, cache="none")))
        stack.callback(parts.close)
        introduce(parts)
        for loader in (parts.train, parts.val):
            say_bad(loader.quarantine, replaced=loader is parts.train)
        parts.prepare()
        trained = first_of(parts.train.batches(0))
        result = parts.step(trained[0], trained[1], step=0, lr=float(config.optimizer["lr"]), want_norm=True)
        first_of(parts.val.batches(0))
        loss, norm = float(result.loss), float(result.grad_norm) if result.grad_norm is not None else 0.0
        show(f"dry run of one batch: loss {loss:.4f}, gradient norm {norm:.4g}; nothing was written")


def first_of(batches: Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return next(iter(batches))
