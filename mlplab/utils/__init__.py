"""Atomic files, hashes, random generators, texts."""
