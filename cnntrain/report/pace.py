"""How long a run will still take, from the steps and validation batches that it did."""


class Pace:
    """Time left of the whole run. Times are seconds of any clock; steps and batches are numbers.

    Args:
        now: the clock at the start.
        step: steps done before (of a resumed run).
        total_steps: of the whole run.
        steps_per_epoch: training steps in one epoch.
        num_val_batches: validation batches after each epoch.
    """

    GUESSED_SHARE = 1 / 3  # of a step's time, for a validation batch before the first: forward without backward

    def __init__(self, now: float, *, step: int, total_steps: int, steps_per_epoch: int, num_val_batches: int):
        self.last = now
        self.step, self.total_steps = step, total_steps
        self.steps_per_epoch, self.num_val_batches = max(1, steps_per_epoch), num_val_batches
        self.first_step_seconds: float | None = None
        self.steps = self.val_batches = self.val_batches_of_epoch = 0
        self.train_seconds = self.val_seconds = 0.0

    def stepped(self, now: float, step: int) -> None:
        """A training step is done."""
        spent, self.last = now - self.last, now
        self.step = step
        self.val_batches_of_epoch = 0
        if self.first_step_seconds is None:
            self.first_step_seconds = spent  # slow: kernels are chosen, caches filled; counted only while it is alone
            return
        self.steps += 1
        self.train_seconds += spent

    def validated(self, now: float) -> None:
        """A validation batch is done."""
        self.val_seconds += now - self.last
        self.last = now
        self.val_batches += 1
        self.val_batches_of_epoch += 1

    def paused(self, now: float) -> None:
        """What happened since the last call (a checkpoint, a picture) is no step's time."""
        self.last = now

    def left(self) -> float | None:
        """Seconds to the end of the run; None before the first step."""
        if self.first_step_seconds is None:
            return None
        per_step = self.train_seconds / self.steps if self.steps else self.first_step_seconds
        per_batch = self.val_seconds / self.val_batches if self.val_batches else per_step * self.GUESSED_SHARE
        epochs_to_validate = -(-self.total_steps // self.steps_per_epoch) - self.step // self.steps_per_epoch
        if self.val_batches_of_epoch:  # the epoch whose steps are all done is being validated now
            epochs_to_validate += 1
        batches = epochs_to_validate * self.num_val_batches - self.val_batches_of_epoch
        return (self.total_steps - self.step) * per_step + max(0, batches) * per_batch
