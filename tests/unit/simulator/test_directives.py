import pytest

from lockgate.simulator.directives import (
    NO_ORDERS,
    DirectiveError,
    documented_keys,
    parse_pairs,
    read_orders,
    read_when,
    split_directives,
)


@pytest.mark.parametrize(
    "source, pairs",
    [
        ("status=529", {"status": "529"}),
        (" status = 529 , delay=0.5 ", {"status": "529", "delay": "0.5"}),
        ("html", {"html": "1"}),
        ("html, empty=1,", {"html": "1", "empty": "1"}),
        ('text="a, b ]] \\"c\\" \\n", tool=x', {"text": 'a, b ]] "c" \n', "tool": "x"}),
        ("text=a b c", {"text": "a b c"}),
        ("", {}),
    ],
)
def test_pairs_are_read(source, pairs):
    assert parse_pairs(source) == pairs


@pytest.mark.parametrize("source", ["=1", 'a=1 b="', "?", 'text="\\x"'])
def test_what_cannot_be_read_is_an_error(source):
    with pytest.raises(DirectiveError):
        read_orders(parse_pairs(source))


def test_directives_are_taken_out_of_the_text():
    text, groups = split_directives('Hello [[sim: status=500]] you [[sim: text="]]"]]')
    assert text == "Hello  you"
    assert groups == [{"status": "500"}, {"text": "]]"}]


def test_a_text_without_directives_stays_as_it_is():
    assert split_directives(" [[simple]] ") == (" [[simple]] ", [])


def test_orders_are_sorted_into_faults_and_answers():
    orders = read_orders({"status": "529", "delay": "0.25", "reset": "0", "parallel": "2", "redacted": "true"})
    assert orders.fault.status == 529
    assert orders.fault.delay_s == 0.25
    assert orders.fault.reset == 0
    assert orders.answer.parallel == 2
    assert orders.answer.redacted


def test_no_orders_are_the_rule():
    assert read_orders({}) is NO_ORDERS


@pytest.mark.parametrize("pairs", [{"nonsense": "1"}, {"status": "abc"}, {"delay": "long"}, {"html": "maybe"}])
def test_an_order_that_means_nothing_is_an_error(pairs):
    with pytest.raises(DirectiveError):
        read_orders(pairs)


def test_conditions_are_split_off():
    when, rest = read_when({"on": "openai", "model": "gpt", "times": "2", "key": "k", "status": "500"})
    assert (when.on, when.model, when.times, when.key) == ("openai", "gpt", 2, "k")
    assert rest == {"status": "500"}
    with pytest.raises(DirectiveError):
        read_when({"times": "often"})


def test_each_directive_is_documented(request):
    page = (request.config.rootpath / "docs" / "reference" / "simulator.md").read_text()
    assert {key for key in documented_keys() if f"| `{key}" not in page} == set()


def test_what_becomes_of_a_batch_is_ordered_too():
    found = read_orders({"batch_polls": "3", "batch_seconds": "0.5", "batch_result": "expired"}).batch
    assert (found.polls, found.wait_s, found.result) == (3, 0.5, "expired")
    with pytest.raises(DirectiveError):
        read_orders({"batch_result": "lost"})
