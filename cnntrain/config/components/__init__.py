"""What each shipped component takes: names, types, ranges and meanings, without importing torch."""
