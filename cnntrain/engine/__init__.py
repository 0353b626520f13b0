"""Training and evaluation: the loop, the step, optimizers, schedules, precision."""
