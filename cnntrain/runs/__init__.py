"""What a run leaves on disk: folder, history, checkpoints."""
