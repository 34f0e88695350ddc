"""Many tasks, one connection: order kept, batches formed, failures told to everyone who waits, then a new start."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from pathlib import Path

import pytest
import redis
from redis.asyncio import ConnectionPool

from lockgate.errors import CountersUnreachable
from lockgate.store.redis_lane import Lane, Script
from lockgate.store.valkey import PrivateValkey

ECHO = "return {KEYS[1], ARGV[1]}"


@pytest.fixture(scope="module")
def url():
    folder = Path(tempfile.mkdtemp(prefix="lg-"))
    server = PrivateValkey(folder)
    yield server.url
    server.stop()
    shutil.rmtree(folder)


def play(url, scene, timeout_s=10.0):
    """Run a scene with a lane."""

    async def playing():
        pool = ConnectionPool.from_url(url)
        lane = Lane(pool, timeout_s=timeout_s)
        try:
            async with asyncio.timeout(30):
                return await scene(lane)
        finally:
            await lane.close()
            await pool.disconnect()

    return asyncio.run(playing())


def test_answers_belong_to_their_commands(url):
    async def scene(lane):
        script = Script(ECHO)
        asked = [lane.run(script, [f"k{number}"], [number]) for number in range(500)]
        return await asyncio.gather(*asked)

    assert play(url, scene) == [[f"k{number}".encode(), str(number).encode()] for number in range(500)]


def test_commands_run_in_the_order_in_which_they_came(url):
    async def scene(lane):
        await lane.command("DEL", "list")
        await asyncio.gather(*[lane.command("RPUSH", "list", number) for number in range(300)])
        return await lane.command("LRANGE", "list", 0, -1)

    assert play(url, scene) == [str(number).encode() for number in range(300)]


def test_commands_that_come_together_share_one_write(url):
    async def scene(lane):
        await lane.command("PING")
        writes = []
        send = lane._connection.send_packed_command

        async def counting(*arguments, **named):
            writes.append(arguments)
            await send(*arguments, **named)

        lane._connection.send_packed_command = counting
        await asyncio.gather(*[lane.command("PING") for _ in range(100)])
        return len(writes)

    assert play(url, scene) == 1


def test_a_server_that_forgot_its_scripts_is_told_again(url):
    async def scene(lane):
        script = Script(ECHO)
        await lane.run(script, ["a"], [1])
        await lane.command("SCRIPT", "FLUSH")
        return await asyncio.gather(lane.run(script, ["b"], [2]), lane.command("ECHO", "x"))

    assert play(url, scene) == [[b"b", b"2"], b"x"]


def test_a_broken_script_fails_its_caller_alone(url):
    async def scene(lane):
        broken = Script("return redis.call('INCR', KEYS[1], 'too', 'many')")
        return await asyncio.gather(lane.run(broken, ["a"], []), lane.command("ECHO", "x"), return_exceptions=True)

    failure, answer = play(url, scene)
    assert isinstance(failure, CountersUnreachable)
    assert answer == b"x"


def test_without_a_server_everyone_is_told(tmp_path):
    async def scene(lane):
        return await asyncio.gather(*[lane.command("PING") for _ in range(300)], return_exceptions=True)

    answers = play(f"unix://{tmp_path}/nobody.sock", scene)
    assert {type(answer) for answer in answers} == {CountersUnreachable}


def test_a_server_that_keeps_silent_is_given_up_after_the_time_limit(tmp_path):
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    async def scene(lane):
        server = await asyncio.start_unix_server(silent, f"{tmp_path}/s")
        try:
            with pytest.raises(CountersUnreachable, match="TimeoutError"):
                await lane.command("PING")
        finally:
            server.close()

    play(f"unix://{tmp_path}/s?protocol=2", scene, timeout_s=0.05)


def test_it_connects_again_when_the_connection_was_cut(url):
    async def scene(lane):
        mine = await lane.command("CLIENT", "ID")
        with redis.from_url(url) as other:
            other.client_kill_filter(_id=mine)
        answers = await asyncio.gather(*[lane.command("ECHO", number) for number in range(10)])
        return answers, mine != await lane.command("CLIENT", "ID")

    assert play(url, scene) == ([str(number).encode() for number in range(10)], True)


def test_a_caller_that_leaves_disturbs_nobody(url):
    async def scene(lane):
        leaving = asyncio.ensure_future(lane.command("ECHO", "gone"))
        await asyncio.sleep(0)
        leaving.cancel()
        return await lane.command("ECHO", "here")

    assert play(url, scene) == b"here"


def test_a_loop_that_was_held_up_does_not_take_its_own_delay_for_silence(url):
    async def scene(lane):
        await lane.command("PING")
        send = lane._connection.send_packed_command

        async def sending(*arguments, **named):
            await send(*arguments, **named)
            asyncio.get_running_loop().call_soon(time.sleep, 0.3)  # what a thousand other requests do

        lane._connection.send_packed_command = sending
        return await lane.command("ECHO", "x")

    assert play(url, scene, timeout_s=0.1) == b"x"
