import json

import pytest

from lockgate.admin.error_body import error_code, write_error
from lockgate.errors import (
    Conflict,
    Forbidden,
    Internal,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    TooLarge,
    Unauthenticated,
)


@pytest.mark.parametrize(
    "error, code",
    [
        (InvalidRequest("x"), "AB01"),
        (Unauthenticated("x", wire_code="03"), "AB05"),
        (Forbidden("x"), "AB03"),
        (NotFound("x"), "AB02"),
        (NotFound("x", wire_code="AB08"), "AB08"),
        (MethodNotAllowed("x"), "AB02"),
        (Conflict("x"), "AB07"),
        (PreconditionFailed("x"), "AB07"),
        (TooLarge("x"), "AB01"),
        (Internal("x"), "AB04"),
    ],
)
def test_codes(error, code):
    assert error_code(error) == code


def test_one_body_for_every_reader():
    body = json.loads(write_error(Conflict("it is there", path="slug"), "r-1"))
    assert body == {
        "status": "failure",
        "success": False,
        "type": "error",
        "message": "it is there",
        "error": {"message": "it is there", "type": "conflict_error", "code": "AB07", "param": "slug"},
        "data": {"message": "it is there", "errorCode": "AB07"},
        "request_id": "r-1",
    }
