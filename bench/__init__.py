"""Benchmarks: figures for the notes and the documentation, never a test's verdict."""
