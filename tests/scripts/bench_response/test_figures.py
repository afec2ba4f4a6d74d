import pytest

from scripts.bench_response.figures import Round, ratio_of_medians, response, variation, write

STEADY = [Round((0.4, 0.5)), Round((0.4, 0.5)), Round((0.4, 0.5))]
SLOWER = [Round((0.8, 1.0)), Round((0.8, 1.0)), Round((0.8, 1.0))]


def test_the_ratio_of_steady_contestants_has_no_spread():
    assert ratio_of_medians(STEADY, SLOWER) == pytest.approx((0.5, 0.5, 0.5))


def test_the_interval_holds_the_ratio_where_rounds_differ():
    ours = [Round((0.4,)), Round((0.5,)), Round((0.6,)), Round((0.45,))]
    theirs = [Round((1.0,)), Round((1.2,)), Round((0.9,)), Round((1.1,))]
    ratio, low, high = ratio_of_medians(ours, theirs)
    assert low < ratio < high


def test_a_request_without_an_answer_counts_as_asked_and_not_as_time():
    body, verdicts = response({"parley": [Round((0.4, None), over_the_user=1)]}, [])
    assert "| parley | 400 | 400 | 400 | 400 | 1 / 2 | 1 |" in body
    assert [verdict.holds for verdict in verdicts] == [False, True]


def test_bounds_are_told_with_the_ratio_and_whether_they_hold():
    _body, verdicts = response({"parley": STEADY, "neuro": SLOWER, "speechbot": SLOWER}, [])
    told = {str(verdict)[:4] + str(verdict).split(":")[0][4:] for verdict in verdicts[:2]}
    assert told == {"pass  Parley / neuro", "FAIL  Parley / speechbot"}


def test_rounds_that_differ_by_more_than_a_tenth_are_called_noisy():
    noisy = [Round((0.4,)), Round((0.8,)), Round((0.4,))]
    assert variation(noisy) > 0.1
    assert not response({"parley": noisy}, [])[1][-1].holds


def test_a_section_takes_the_place_of_the_one_with_its_title(tmp_path):
    document = tmp_path / "bench.md"
    write(document, "One", "## One\n\nold\n")
    write(document, "Two", "## Two\n\nkept\n")
    write(document, "One", "## One\n\nnew\n")
    text = document.read_text()
    assert "old" not in text
    assert text.index("## One\n\nnew\n") < text.index("## Two\n\nkept\n")
