import msgspec

from lockgate.app.options import Worker


def test_what_a_supervisor_tells_arrives_whole():
    told = Worker(
        number=1, host="127.0.0.1", port=8787, report_to=5, simulator_url="http://127.0.0.1:1", counters_url=None
    )
    assert msgspec.json.decode(msgspec.json.encode(told), type=Worker) == told
