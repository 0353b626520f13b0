"""From a folder of images to batches: scan, decode, cache, transforms, loaders."""
