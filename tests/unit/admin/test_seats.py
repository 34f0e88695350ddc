from lockgate.admin.seats import Seats


def test_so_many_and_no_more():
    seats = Seats(2)
    assert [seats.take() for _ in range(3)] == [True, True, False]
    seats.leave()
    assert seats.take()
    assert not seats.take()
