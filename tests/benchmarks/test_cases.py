"""How much arithmetic a case costs, and that its epochs hold whole batches."""

from benchmarks.cases import FLAGSHIP, ROWS, SMALL, STEP_CASES, forward_flop, training_flop


def test_a_step_costs_two_products_in_the_first_layer_else_three():
    # 784-1024-1024-10, 100 rows: forward, weights' gradient and delta of the upper two, no delta for the input
    first, second, third = 784 * 1024, 1024 * 1024, 1024 * 10
    assert FLAGSHIP.flop == 100 * (4 * first + 6 * second + 6 * third) == 956_416_000


def test_a_linear_model_has_no_delta_at_all():
    assert training_flop((5, 3), rows=7) == 2 * forward_flop((5, 3), rows=7) == 2 * 210


def test_passing_rows_through():
    assert forward_flop(SMALL, 1) == 203_264


def test_every_batch_is_whole():
    for case in STEP_CASES:
        assert ROWS[case.data] % case.batch_size == 0
        assert case.steps * case.batch_size == case.epochs * ROWS[case.data]
