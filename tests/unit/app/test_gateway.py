import asyncio

import httpx
import pytest

from lockgate.app import Gateway, Options, check_config, load_dialects
from lockgate.errors import ConfigError


def options(tmp_path, **more):
    fields = {"config_path": None, "home": tmp_path / "home", "port": 0, "environment": {"LOCKGATE_API_KEY": "k"}}
    return Options(**{**fields, **more})


def run(gateway, scenario):
    """Run a gateway until the scenario is over; return what it said and how many requests were cut off."""

    async def main():
        said = []
        task = asyncio.get_running_loop().create_task(gateway.run(said.append), name="gateway")
        while not said and not task.done():
            await asyncio.sleep(0.01)
        if said:
            async with httpx.AsyncClient(base_url=said[0].url, trust_env=False) as client:
                await scenario(client, said[0])
        gateway.stop()
        return said, await task

    return asyncio.run(main())


def test_it_starts_serves_and_stops(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def scenario(client, started):
        body = {
            "model": "@anthropic/claude-haiku-4-5-20251001",
            "max_tokens": 5,
            "messages": [{"role": "user", "content": "x"}],
        }
        answer = await client.post("/v1/messages", json=body, headers={"x-api-key": "k"})
        assert answer.status_code == 200
        assert [slug for slug, _, is_simulated in started.targets if is_simulated] == ["anthropic", "openai"]

    _, cut_off = run(Gateway(options(tmp_path)), scenario)
    assert cut_off == 0


def test_the_simulator_stays_away_when_it_is_not_wanted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def scenario(client, started):
        assert started.targets == ()

    run(Gateway(options(tmp_path, simulate=False)), scenario)


def test_a_bad_configuration_stops_the_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lockgate.toml").write_text('[providers.a]\ntype = "nope"\n')
    with pytest.raises(ConfigError, match=r"providers\.a\.type"):
        asyncio.run(Gateway(options(tmp_path)).run(lambda started: None))


def test_check_reads_and_compiles(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('[providers.a]\ntype = "openai"\napi_key = "env:K"\n')
    assert list(check_config(path, {"K": "v"}).providers) == ["a"]
    with pytest.raises(ConfigError, match="K is not set"):
        check_config(path, {})


@pytest.mark.parametrize(
    "text, said",
    [
        (
            '[keys.bot]\nkey = "t"\nrate_limits = { value = 1 }\nusage_limits = { credit_limit = 0.001 }\n',
            "lockgate.toml:4: keys.bot.usage_limits.credit_limit: must be at least 0.01 dollars",
        ),
        ('[keys.bot]\nkey = "t"\nscopes = ["logs.see"]\n', "lockgate.toml:3: keys.bot.scopes: "),
        ('[keys.bot]\nkey = "t"\n\n[keys.bot.usage_limits]\ncredit_limit = 0\n', "lockgate.toml:5: keys.bot"),
        ('[keys.bot]\nkey = "t"\nusage_limits = { credits = 5 }\n', "lockgate.toml:3: keys.bot.usage_limits"),
        (
            '[providers.p]\ntype = "openai"\napi_key = "k"\nrate_limits = [{ value = -1 }]\n',
            "lockgate.toml:4: providers.p.rate_limits",
        ),
        ('[keys.bot]\nkey = "t"\nexpires_at = "soon"\n', "lockgate.toml:3: keys.bot.expires_at"),
    ],
)
def test_limits_in_the_file_are_checked_with_their_line(tmp_path, text, said):
    path = tmp_path / "lockgate.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_config(path, {})
    assert str(caught.value).removeprefix(f"{tmp_path}/").startswith(said)


def test_dialects_are_found_by_their_files():
    assert set(load_dialects()) == {"anthropic_messages", "openai_chat"}
