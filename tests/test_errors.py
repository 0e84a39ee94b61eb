import pytest

from mlplab import errors
from mlplab.errors import MlplabError, nearest, one_of

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MlplabError)]


@pytest.mark.parametrize("kind", KINDS)
def test_one_except_clause_catches_every_error(kind):
    assert issubclass(kind, MlplabError)
    assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.DataError, ValueError),
        (errors.SettingError, ValueError),
        (errors.ModelFileError, ValueError),
        (errors.DivergenceError, ValueError),
        (errors.MissingExtraError, ImportError),
    ],
)
def test_errors_are_also_what_python_programs_expect(kind, builtin):
    assert issubclass(kind, builtin)


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")]
)
def test_one_of_lists_names_as_a_person_would(names, text):
    assert one_of(names) == text


def test_nearest_offers_a_close_name_and_no_far_one():
    assert nearest("rleu", ["tanh", "relu"]) == " (did you mean 'relu'?)"
    assert nearest("quantum", ["tanh", "relu"]) == ""
    assert nearest(3.5, ["tanh", "relu"]) == ""
