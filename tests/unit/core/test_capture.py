from lockgate.core.capture import Capture, CapturedStream


def test_the_size_counts_bodies_and_streams():
    stream = CapturedStream(dialect="d", pieces=[b"x"], size_bytes=100)
    capture = Capture(
        record_id="r",
        started_at=0.0,
        request=b"12345",
        upstream_request=b"123",
        response_stream=stream,
        upstream_stream=stream,
    )
    assert capture.size_bytes == 208
