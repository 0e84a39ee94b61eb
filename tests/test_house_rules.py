"""Rules of this code base that no linter checks."""

import ast
from pathlib import Path

LONGEST = 60  # characters of a test's name, counted from `test_`


def test_names_of_tests_are_short_and_unique_in_their_module():
    wrong = []
    for file in sorted(Path(__file__).parent.rglob("test_*.py")):
        seen = set()
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            if len(node.name) > LONGEST:
                wrong.append(f"{file}:{node.lineno}: {node.name} has {len(node.name)} characters")
            if node.name in seen:
                wrong.append(f"{file}:{node.lineno}: {node.name} is defined twice")
            seen.add(node.name)
    assert not wrong, "\n".join(wrong)
