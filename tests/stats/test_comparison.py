import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t, ttest_1samp

from mlplab.errors import DataError, SettingError
from mlplab.lab import compare_configurations
from mlplab.stats.comparison import _critical_values
from mlplab.stats.variance_components import mean_difference


def study(configurations, seeds, rows, rng, behind=0.0, scatter=0.0, moved=0.0):
    ease = 1.5 * rng.normal(size=(1, 1, rows)) + 0.7 * rng.normal(size=(configurations, 1, rows))
    ease = ease + 0.7 * rng.normal(size=(configurations, seeds, rows))
    ease += moved + scatter * rng.normal(size=(configurations, seeds, 1))
    return ease + 2 - np.asarray(behind).reshape(-1, 1, 1) > 0


def names(count):
    return [f"c{k}" for k in range(count)]


def test_with_one_seed_two_are_compared_by_a_paired_t_test():
    rng = np.random.default_rng(0)
    for behind in np.linspace(0, 0.5, 30):
        correct = study(2, 1, 400, rng, [0, behind])
        found = compare_configurations(correct, names(2))
        p = ttest_1samp(correct[0, 0].astype(float) - correct[1, 0], 0).pvalue
        assert (len(found.tied) == 1) == (p < 0.05)


def test_without_row_effects_it_is_a_t_test_over_seeds():
    # every seed has its own share of right answers, the same rows being right in every configuration
    rng, rows = np.random.default_rng(0), 1000
    counts = rng.integers(900, 950, (2, 6))
    counts[1] -= 12
    correct = np.stack([[rng.permutation(np.arange(rows) < n) for n in of_seed] for of_seed in counts])
    found = compare_configurations(correct, names(2))
    d = (counts[0] - counts[1]) / rows
    assert found.behind[1] == pytest.approx(d.mean())
    # the error of the seeds is in the margin, beside that of the rows
    assert found.margins[1] > norm.isf(0.025) * d.std(ddof=1) / np.sqrt(6) * 0.9
    assert found.margins[1] < 1.6 * t.isf(0.025, 5) * d.std(ddof=1) / np.sqrt(6)


def test_the_intervals_of_the_means_have_their_nominal_coverage():
    rng, held, studies = np.random.default_rng(0), np.zeros(2), 400
    truth = (study(1, 200, 20_000, rng, scatter=0.1)).mean()
    for _ in range(studies):
        for k, seeds in enumerate((1, 5)):
            correct = study(1, seeds, 300, rng, scatter=0.0 if seeds == 1 else 0.1)
            (low, high) = compare_configurations(correct, ["only"]).intervals[0]
            held[k] += low <= truth <= high
    assert (held / studies > 0.92).all()


@pytest.fixture
def quick(monkeypatch):
    """Fewer draws, so that many studies can be made."""
    monkeypatch.setattr("mlplab.stats.comparison._DRAWS", 2000)


@pytest.mark.parametrize("scatter", [0.0, 0.4])
@pytest.mark.parametrize(("configurations", "seeds"), [(2, 1), (2, 2), (2, 4), (3, 2), (8, 2), (6, 3)])
def test_of_equals_none_is_given_up_more_often_than_promised(configurations, seeds, scatter, quick):
    # the hardest case: each of them is the best, as good as
    rng, studies, alone, given_up = np.random.default_rng(1), 400, 0, 0
    for _ in range(studies):
        correct = study(configurations, seeds, 200, rng, scatter=scatter if seeds > 1 else 0.0)
        tied = compare_configurations(correct, names(configurations)).tied
        alone += len(tied) == 1
        given_up += configurations - len(tied)
    allowed = 0.05 * (configurations - 1) / configurations
    assert alone / studies < 0.05 + 2 * np.sqrt(0.05 / studies)
    assert given_up / studies / configurations < allowed + 2 * np.sqrt(allowed / studies)


@pytest.mark.parametrize("seeds", [2, 3])
def test_larger_seed_scatter_does_not_raise_the_exclusion_rate(seeds, quick):
    rng, studies, given_up = np.random.default_rng(2), 400, 0
    for _ in range(studies):
        correct = study(8, seeds, 200, rng, scatter=np.where(np.arange(8) == 0, 0.8, 0.1).reshape(-1, 1, 1))
        given_up += "c0" not in compare_configurations(correct, names(8)).tied
    # as accuracies: the mean of one that scatters is a little lower, for rows are not lost and won evenly
    assert given_up / studies < 0.05 * 7 / 8 + 2 * np.sqrt(0.05 / studies)


@pytest.mark.parametrize(("configurations", "seeds"), [(4, 2), (8, 2), (4, 3)])
def test_extreme_seed_scatter_hardly_raises_the_exclusion_rate(configurations, seeds, quick):
    rng, studies, given_up = np.random.default_rng(2), 400, 0
    scatter = np.full((configurations, 1), 0.001)
    scatter[0] = 0.12
    for _ in range(studies):
        accuracies = 0.5 + scatter * rng.standard_normal((configurations, seeds))  # a half: all are as good
        correct = rng.random((configurations, seeds, 1500), np.float32) < accuracies[..., None]
        given_up += "c0" not in compare_configurations(correct, names(configurations)).tied
    allowed = 0.05 * (configurations - 1) / configurations
    assert given_up / studies < allowed + 2.5 * np.sqrt(allowed / studies)


@pytest.mark.parametrize("confidence", [0.95, 0.99, 0.9999])
def test_critical_values_lie_between_independence_and_bonferroni(confidence):
    draws = np.random.default_rng(0).standard_normal((20_000, 8))
    draws[:, 0] = 0  # the others are independent, also as differences to it
    found = _critical_values(draws, confidence)[0]
    error = (1 - confidence) * 7 / 8
    exact, bonferroni = norm.isf(1 - (1 - error) ** (1 / 7)), norm.isf(error / 7)
    assert exact - 0.08 < found <= bonferroni
    if confidence > 0.999:  # nothing that draws could tell
        assert found == bonferroni


def test_configurations_whose_seeds_do_the_same_count_for_fewer(quick):
    rng, studies, given_up = np.random.default_rng(3), 400, 0
    for _ in range(studies):
        moved = 0.4 * rng.normal(size=(2, 2, 1)).repeat(4, axis=0)  # two groups of four
        correct = study(8, 2, 200, rng, moved=moved)
        given_up += 8 - len(compare_configurations(correct, names(8)).tied)
    assert given_up / studies / 8 < 0.05 * 7 / 8 + 2 * np.sqrt(0.05 / studies)


def test_many_seeds_separate_what_two_cannot():
    correct = study(4, 20, 1000, np.random.default_rng(0), [0.0, 0.0, 0.3, 0.3], scatter=0.1)
    assert set(compare_configurations(correct, names(4)).tied) == {"c0", "c1"}
    assert len(compare_configurations(correct[:2, :2], names(2)).tied) == 2


def test_twins_share_their_chance():
    one = study(1, 3, 400, np.random.default_rng(0))
    chances = compare_configurations(np.repeat(one, 10, axis=0), names(10)).probability_best
    np.testing.assert_allclose(chances, 0.1)
    many = compare_configurations(np.repeat(one, 100, axis=0), names(100))
    np.testing.assert_allclose(many.probability_best, 0.01)
    assert len(many.tied) == 100


def test_with_two_seeds_neither_of_two_equals_is_certainly_best(quick):
    rng, sure = np.random.default_rng(0), 0
    for _ in range(200):
        found = compare_configurations(study(2, 2, 300, rng, scatter=0.3), names(2))
        sure += found.probability_best.max() > 0.99
    assert sure / 200 < 0.05


def test_two_seeds_that_happen_to_agree_do_not_make_it_sure():
    rng, correct = np.random.default_rng(0), np.ones((2, 2, 1000), bool)
    for configuration, wrong in enumerate((40, 50)):
        for seed in range(2):
            correct[configuration, seed, rng.choice(1000, wrong, replace=False)] = False
    found = compare_configurations(correct, ["a", "b"])
    assert found.tied == ["a", "b"]
    assert 0.6 < found.probability_best[0] < 0.95


def test_the_order_of_the_configurations_means_nothing():
    for k in range(10):
        correct = study(12, 2, 300, np.random.default_rng(k), 0.05 * np.arange(12))
        one, other = (compare_configurations(correct[::step], names(12)[::step]) for step in (1, -1))
        assert set(one.tied) == set(other.tied)
        np.testing.assert_allclose(one.margins, other.margins[::-1], atol=1e-9)
        np.testing.assert_allclose(one.probability_best, other.probability_best[::-1], atol=1e-3)


def test_a_row_or_two_settle_nothing():
    rng = np.random.default_rng(0)
    for _ in range(100):
        assert len(compare_configurations(rng.random((3, 1, 2)) < 0.5, names(3)).tied) == 3
    assert mean_difference([[2.0]])[1] > 2
    assert mean_difference([[1.0, 1.0]])[1] > 1


def test_a_margin_is_met_to_the_last_digit():
    correct = np.zeros((2, 1, 10_000), bool)
    correct[0, 0, :8000], correct[1, 0, :7000] = True, True
    found = compare_configurations(correct, ["a", "b"], parameters=[2, 1], margin=0.1)
    assert (found.tied, found.smallest) == (["a"], "b")
    assert "10.00 ± " in str(found)


def test_it_is_printed_with_what_it_leaves_out():
    correct = study(3, 1, 2000, np.random.default_rng(0), [0.0, 0.0, 1.0])
    found = compare_configurations(correct, ["wide", "narrow", "poor"], parameters=[10, 5, 1])
    lines = str(found).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == sorted(
        found.names, key=lambda n: -found.means[found.names.index(n)]
    )
    first, *others = found.tied
    assert f"Tied with the best, {first}: {'; '.join(others)}." in lines
    assert any(line.startswith("The smallest that is tied or within the margin: narrow") for line in lines)
    assert found.caveat in lines[-1]
    assert "one seed" in found.caveat
    several = compare_configurations(study(3, 2, 500, np.random.default_rng(0), [2.0, 0.0, 2.0]), names(3))
    assert "The best is c1." in str(several)
    assert several.caveat == ""
    many = str(compare_configurations(study(60, 1, 50, np.random.default_rng(0)), names(60)))
    assert "and 10 more, no nearer to the best" in many


def test_a_clear_winner_stands_alone():
    correct = study(4, 3, 2000, np.random.default_rng(0), [1.0, 0.0, 1.0, 1.2])
    found = compare_configurations(correct, names(4), parameters=[10, 40, 20, 5])
    assert found.tied == ["c1"]
    assert found.smallest == "c1"
    assert found.seeds_needed == 0
    assert found.probability_best[1] > 0.99
    assert found.probability_best.sum() == pytest.approx(1)
    np.testing.assert_allclose(found.means, correct.mean(axis=(1, 2)))
    assert found.margins[1] == 0
    assert (found.behind[[0, 2, 3]] > found.margins[[0, 2, 3]]).all()


def test_the_smallest_within_a_margin_may_be_beaten():
    correct = study(3, 3, 4000, np.random.default_rng(0), [0.0, 0.25, 1.5])
    parameters = [100, 50, 10]
    exact = compare_configurations(correct, names(3), parameters=parameters)
    loose = compare_configurations(correct, names(3), parameters=parameters, margin=0.05)
    assert exact.tied == loose.tied == ["c0"]
    assert exact.smallest == "c0"
    assert loose.smallest == "c1"


def test_as_many_seeds_as_it_asks_for_settle_it_as_a_rule():
    rng, settled = np.random.default_rng(3), []
    for _ in range(25):
        correct = study(2, 80, 4000, rng, [0.0, 0.15], scatter=0.08)
        found = compare_configurations(correct[:, :4], names(2))
        if found.seeds_needed and found.seeds_needed <= 76 and found.tied[0] == "c0":
            more = compare_configurations(correct[:, : 4 + found.seeds_needed], names(2))
            settled.append(len(more.tied) == 1)
    assert len(settled) >= 5
    assert np.mean(settled) >= 0.6  # the difference that is seen is, as a rule, larger than the true one
    assert compare_configurations(study(2, 1, 500, rng), names(2)).seeds_needed is None  # one seed cannot tell


def test_many_configurations_are_compared_too():
    behind = np.repeat([0.0, 1.5], [70, 130])
    found = compare_configurations(study(200, 1, 500, np.random.default_rng(0), behind), names(200))
    assert 60 < len(found.tied) <= 75
    assert all(int(name[1:]) < 70 for name in found.tied)
    assert found.probability_best.sum() == pytest.approx(1)


@given(st.data())
def test_for_any_input_the_best_mean_is_tied_and_all_is_finite(data):
    shape = [data.draw(st.integers(low, high)) for low, high in ((1, 5), (1, 4), (2, 12))]
    bits = data.draw(st.lists(st.booleans(), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    correct = np.array(bits).reshape(shape)
    found = compare_configurations(correct, names(shape[0]), parameters=range(shape[0]))
    assert found.means[names(shape[0]).index(found.tied[0])] == found.means.max()
    assert np.isfinite(found.intervals).all()
    assert (found.intervals[:, 0] <= found.means + 1e-12).all()
    assert (found.intervals[:, 1] >= found.means - 1e-12).all()
    assert found.probability_best.sum() == pytest.approx(1)
    assert found.smallest in found.names
    assert not np.isnan(found.margins).any()
    # the order of the configurations means nothing
    back = compare_configurations(correct[::-1], names(shape[0])[::-1])
    assert set(back.tied) == set(found.tied)


GOOD = np.ones((2, 3, 4), bool)


@pytest.mark.parametrize(
    ("correct", "given", "kind", "said"),
    [
        (GOOD[0], names(2), DataError, "(configurations, seeds, rows)"),
        (GOOD, names(3), DataError, "3 names"),
        (GOOD[..., :1], names(2), DataError, "at least 2 rows"),
        (GOOD, ["a", "a"], DataError, "different"),
        (GOOD * 0.5, names(2), DataError, "True and False"),
        (GOOD[:0], [], DataError, "at least one"),
        ([[[1, 0]], [[1]]], names(2), DataError, "must be an array"),
        (GOOD, [1, 2], DataError, "different strings"),
    ],
)
def test_what_is_no_comparison_is_refused(correct, given, kind, said, refuses):
    with refuses(kind, said):
        compare_configurations(correct, given)


def test_odd_options_are_refused(refuses):
    with refuses(SettingError, "confidence"):
        compare_configurations(GOOD, names(2), confidence=95)
    with refuses(SettingError, "margin"):
        compare_configurations(GOOD, names(2), margin=-1)
    with refuses(DataError, "parameters"):
        compare_configurations(GOOD, names(2), parameters=[1, float("nan")])
    with refuses(DataError, "parameters"):
        compare_configurations(GOOD, names(2), parameters=[1])
