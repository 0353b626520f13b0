"""One run, from checked configuration to its last line: build, resume, train, keep, report."""

import shutil
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import torch

from cnntrain.commands.advice import as_told, command, imports_of, more_of, shown
from cnntrain.commands.bad_files import BadFiles, say_bad
from cnntrain.commands.board import board_of
from cnntrain.commands.building import Parts, build, total_steps
from cnntrain.commands.data_changes import write_listing
from cnntrain.commands.data_sets import digits_at_hand
from cnntrain.commands.exactness import fingerprint
from cnntrain.commands.file_check import FileCheck, check_words
from cnntrain.commands.introducing import introduce
from cnntrain.commands.keeping import Cadence, CheckpointKeeper, HistoryKeeper, SummaryKeeper
from cnntrain.commands.kept import absolute_data
from cnntrain.commands.origin import run_record
from cnntrain.commands.patience import Patience, PatientKeeper
from cnntrain.commands.pictures import Pictures
from cnntrain.commands.position import state_of
from cnntrain.commands.rejected import RejectedSteps
from cnntrain.commands.resuming import Resumed, adopt, resume, say_lr, schedule_of
from cnntrain.commands.validation import Validation
from cnntrain.config.command import Job
from cnntrain.config.durations import parse_duration
from cnntrain.config.schema import DataConfig, TrainConfig
from cnntrain.config.stored import as_yaml
from cnntrain.data.loaders import Loader
from cnntrain.engine.events import EpochDone, Event, Listener
from cnntrain.engine.signals import Signals
from cnntrain.engine.state import Objective, Progress
from cnntrain.engine.trainer import Plan, Trainer
from cnntrain.errors import CheckpointError, UserError
from cnntrain.report.console import ConsoleListener, close_logging, say, setup_logging
from cnntrain.report.tables import results_table, show
from cnntrain.runs.durable import write_atomically
from cnntrain.runs.folder import lock
from cnntrain.runs.history import History, read
from cnntrain.runs.summary import read_summary, write_run


def train(job: Job, config: TrainConfig, signals: Signals) -> float:
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
        fresh = config.resume is None or config.branch
        setup_logging(run if fresh else None)  # a resume that is refused leaves train.log alone
        stack.callback(close_logging)
        config, unpacked = stack.enter_context(digits_at_hand(config))
        if unpacked:
            say(unpacked)
        try:
            return run_in(run, job, config, progress, summary, signals)
        except BaseException as error:
            told = as_told(error, config, run, job)
            if isinstance(told, UserError) and fresh and job.number is None and not summary.started:
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
    parts.train.poll = parts.val.poll = signals.check
    signals.check()

    def prepare() -> None:
        began = perf_counter()
        parts.prepare(preparing(signals), say)
        summary.prepare_seconds = perf_counter() - began

    if config.data.name == "digits":
        prepare()
    else:
        where, silent = check_words(config.data), bool(job.number)
        FileCheck([parts.train, parts.val], where=where, strict=config.data.strict, silent=silent).around(prepare, signals)
    resumed = resume(Path(config.resume).expanduser(), job, parts, progress) if config.resume is not None else None
    with ExitStack() as stack:
        stack.callback(parts.close)
        listeners: list[Listener] = []
        validation = Validation(parts, signals, tell := Fan(listeners))
        trainer = make_trainer(parts, resumed, progress, validation, tell, signals)
        over = trainer.ended()
        if over is not None:
            tell_finished(run, config, over)
            return float(progress.best.get(config.objective, float("nan")))
        if config.resume is not None:
            setup_logging(run)
            if job.changed:
                say(f"changed: {', '.join(job.changed)}")
            record(run, job, parts)
            if config.branch and resumed is not None:
                adopt(Path(config.resume).expanduser(), run, resumed)
        patience = Patience()
        history = stack.enter_context(closing(History(run / "metrics.jsonl", refused=partial(patience.tell, "metrics.jsonl"))))
        if config.resume is not None:
            history.cut_back(progress.step, progress.epoch)
        BadFiles(history, summary, progress).listen(parts.train, parts.val)
        board = board_of(run, config, progress, read(history.path))
        stack.callback(board.close)
        listeners += [
            HistoryKeeper(history),  # first: a resumed run cuts back what was told, but tells nothing that was missed
            RejectedSteps(history, parts.data.train),
            checkpoints(run, trainer, parts, history, patience),
            PatientKeeper(summary, patience, "summary.json", partial(summary.write, "running")),
            board,
            Pictures(board, parts, validation, net),
            stack.enter_context(ConsoleListener()),
            TellTimes(parts.train),
        ]
        trainer.fit()
    conclude(run, job)
    return float(progress.best.get(config.objective, float("nan")))


def checkpoints(run: Path, trainer: Trainer, parts: Parts, history: History, patience: Patience) -> PatientKeeper:
    settings, epochs = parts.config.trainer, parts.config.trainer.keep_every_epochs
    plain = {"kept": parts.kept().plain(), "config": asdict(parts.config), "made_with": fingerprint(parts)}
    keeper = CheckpointKeeper(
        run,
        parts,
        trainer.progress,
        partial(state_of, trainer, parts),
        config={**plain, "steps_per_epoch": len(parts.train)},
        cadence=Cadence(settings.checkpoint_every),
        newest=settings.keep_newest,
        every=None if epochs is None else epochs * len(parts.train),
        before=history.sync,
    )
    return PatientKeeper(keeper, patience, "checkpoints", keeper.save)


def record(run: Path, job: Job, parts: Parts) -> None:
    """config.yaml, with folders that hold from anywhere, and run.json."""
    stored = replace(parts.config, data=DataConfig(**absolute_data(parts.config)))
    write_atomically(run / "config.yaml", as_yaml(stored).encode())
    write_run(run, run_record(job, run, parts.data, device=str(parts.arithmetic)))
    write_listing(run, parts.data)


def tell_finished(run: Path, config: TrainConfig, over: str) -> None:
    """
    Raises:
        CheckpointError: a branch of a finished run has nothing to do, and leaves no folder.
    """
    said = f"is finished already: {over}; {more_of(config)}"
    if config.branch:
        raise CheckpointError(f"resume={config.resume} {said}")
    say(f"{run} {said}")


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
    parts: Parts, resumed: Resumed | None, progress: Progress, validation: Validation, tell: Listener, signals: Signals
) -> Trainer:
    config = parts.config
    trainer, steps_per_epoch = config.trainer, len(parts.train)
    assert config.epochs is not None
    schedule = schedule_of(asdict(config), steps_per_epoch=steps_per_epoch)
    if resumed is not None:
        say_lr(resumed.trained, schedule_of(resumed.trained, steps_per_epoch=steps_per_epoch), schedule, progress, parts)
    plan = Plan(
        num_epochs=config.epochs,
        total_steps=total_steps(config.epochs, trainer.max_steps, steps_per_epoch),
        time_budget_seconds=None if trainer.time_budget is None else parse_duration(trainer.time_budget),
        early_stopping_patience=trainer.early_stopping_patience,
        log_every_steps=trainer.log_every_steps,
        max_rejected_steps=trainer.max_rejected_steps,
    )
    validation.epoch = progress.epoch
    made = Trainer(
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
    if resumed is not None and progress.batch:
        made.load_meters(resumed.state["meters"])
    return made


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
