from typing import ClassVar

import numpy as np
import pytest

from mlplab.errors import SettingError
from mlplab.training.state import get_state, set_state


class Named:
    state_attributes = ("count", "array")

    def __init__(self, count):
        self.count, self.array, self.setting = count, np.full(3, float(count)), "kept"


class Mapped(Named):
    state_attributes: ClassVar = {"count": "_old", "inner": "_inner"}

    def __init__(self, count):
        super().__init__(count)
        self.inner = Named(count)


def test_keys_are_the_names_of_attributes():
    assert list(get_state(Named(2))) == ["count", "array"]


def test_a_mapping_gives_attributes_other_keys():
    state = get_state(Mapped(2))
    assert list(state) == ["_old", "_inner"]
    assert state["_old"] == state["_inner"]["count"] == 2


@pytest.mark.parametrize("kind", [Named, Mapped])
def test_a_state_that_is_put_back_is_the_same(kind):
    other, array = kind(5), (part := kind(2)).array
    set_state(other, get_state(part))
    assert other.count == 2
    assert other.setting == "kept"
    inner = getattr(other, "inner", other)
    np.testing.assert_array_equal(inner.array, array)
    assert inner.array is not getattr(part, "inner", part).array


def test_a_part_without_a_list_of_them_is_refused():
    with pytest.raises(SettingError, match="your own object cannot be resumed"):
        get_state(object())
