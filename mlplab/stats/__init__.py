"""Statistics on plain arrays: errors of means that are crossed by seeds and rows, and comparisons."""
