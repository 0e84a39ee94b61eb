import pytest

from mlplab.utils.text import describe_seconds, percent


@pytest.mark.parametrize(("share", "text"), [(0.9725, "97.25 %"), (1, "100.00 %"), (0, "0.00 %"), (1 / 3, "33.33 %")])
def test_percent(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (45.2, "45 s"),
        (89, "89 s"),
        (90, "2 min"),
        (720, "12 min"),
        (5340, "89 min"),
        (5400, "1 h 30 min"),
        (11100, "3 h 05 min"),
    ],
)
def test_durations_are_given_in_readable_units(seconds, text):
    assert describe_seconds(seconds) == text
