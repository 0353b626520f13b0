"""Stem, stages, head: geometry, blocks and the factory that assembles them."""
