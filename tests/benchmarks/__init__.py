"""Benchmarks of the verdicts, run by hand: ``python -m tests.benchmarks.<name>`` from the root of the repository."""
