from lockgate.simulator.dice import Dice


def test_the_same_parts_roll_the_same_numbers():
    assert [Dice("a", 1).below(1000) for _ in range(3)] == [Dice("a", 1).below(1000)] * 3
    assert Dice("a", 1).letters(30) == Dice("a", 1).letters(30)


def test_other_parts_roll_other_numbers():
    assert Dice("a", 1).bytes(16) != Dice("a", 2).bytes(16)
    assert Dice("ab", "c").bytes(16) != Dice("a", "bc").bytes(16)


def test_a_child_does_not_depend_on_what_was_rolled_before():
    dice = Dice(7)
    first = dice.child("x").bytes(8)
    dice.bytes(100)
    assert dice.child("x").bytes(8) == first != dice.child("y").bytes(8)


def test_rolls_stay_within_their_bounds():
    dice = Dice(3)
    assert {dice.below(3) for _ in range(60)} == {0, 1, 2}
    assert {dice.chance(2) for _ in range(60)} == {True, False}
    assert len(dice.bytes(130)) == 130
    assert dice.pick("z") == "z"
