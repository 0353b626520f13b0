"""The report of an evaluation: one HTML file that needs no network, no server and nothing beside it."""
