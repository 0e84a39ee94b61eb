"""Where arrays live, and the operations on them that differ from engine to engine."""
