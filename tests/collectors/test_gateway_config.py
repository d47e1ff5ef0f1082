# ruff: noqa: E501 - tables of cases, one case a line
from __future__ import annotations

from pathlib import Path

import pytest
from gateways import CSV_GATEWAY, TIME, csv_gateway
from log_server import ORIGIN

from carbonseal_collectors.adapter import open_adapters
from carbonseal_collectors.errors import AdapterUnknown, ConfigInvalid, RegisterMapInvalid
from carbonseal_collectors.gateway_config import TokenConfig, load_gateway_config
from carbonseal_collectors.plan_file import check_against_gateway, load_plan

EXAMPLES = ("plant", "steel-daewoo", "gas-electricity-amsterdam", "datacentre-servers")


def write(folder: Path, old: str = "", new: str = "") -> Path:
    text = CSV_GATEWAY.format(origin=ORIGIN, zone="Asia/Seoul", csv="", time=TIME, uplink="")
    assert old in text
    path = folder / "gateway.toml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "d-gateway"', 'id = "d-gateway"\npasphrase = "x"', r"gateway\.pasphrase: is not a known key; .*passphrase_"),
        ('party = "e-party"', "", r"gateway\.party: is missing"),
        ('party = "e-party"', 'party = "Steel Ltd"', r"gateway\.party: not an opaque code"),
        ('party = "e-party"', "party = 7", r"gateway\.party: is not a text"),
        ('time_zone = "Asia/Seoul"', 'time_zone = "Asia/Seul"', r"'Asia/Seul' is not a time zone"),
        ('passphrase_env = "TEST_PASSPHRASE"', "", "exactly one of passphrase_env and passphrase_file"),
        (f'log_origin = "{ORIGIN}"', 'log_origin = "no origin"', r"gateway\.log_origin: not a log origin"),
        ('window = "civil_day"', 'window = "7 min"', r"sources\[0\]\.window: does not divide a day"),
        ('window = "civil_day"', "window = 0", r"sources\[0\]\.window: 0 is not a duration"),
        ('window = "civil_day"', 'window = "civil_day"\npoll = 1', r"sources\[0\]\.poll: is not a known key; .*poll_every"),
        ('code = "m-one"', "", r"sources\[0\]\.meters\[0\]\.code: is missing"),
        ('form = "interval"', 'form = "integral"', "'integral' is not known; use one of register, interval, instant"),
        ('step = "1 h"', 'step = "1 h"\nscale = 0.1', "0.1 is not a plain decimal in quotes"),
        ('step = "1 h"', 'step = "1 h"\nscale = "0"', "scale: is zero"),
        ("[uplink]", '[uplink]\nlog_key = "abc"', r"uplink\.log_key: 'abc' has the wrong form"),
        ("[uplink]", "[uplink]\nbatch_statements = 0", r"uplink\.batch_statements: 0 is not an integer from 1"),
        ("[[sources.meters]]", "[[sources.metres]]", r"sources\[0\]\.meters: is not an array of tables; write \[\[sources\.meters\]\]"),
    ],
)  # fmt: skip
def test_refuses_a_bad_file_naming_place_and_remedy(tmp_path, old, new, said):
    with pytest.raises(ConfigInvalid, match=said):
        load_gateway_config(write(tmp_path, old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('files = ["*.csv*"]', 'files = ["../*.csv"]', r"csv_drop\.files: are not patterns inside the data folder"),
        ('files = ["*.csv*"]', 'files = ["/etc/*"]', r"csv_drop\.files: are not patterns inside the data folder"),
        ('files = ["*.csv*"]', 'files = ["*"]\nseperator = ";"', "seperator: is not a known key; .*did you mean separator"),
        ('column = "time"', "", r"time\.column: no time column is named, and readings without a time cannot be signed"),
        ('interval = "1 h"', 'interval = "15 min"', "does not fit form and step of point energy"),
        ('stamp = "interval_start"', 'stamp = "interval_start"\nday_end = "same_date"', "same_date needs stamps at interval ends"),
        ('format = "%Y-%m-%d %H:%M"', 'format = "YYYY"', "'YYYY' is not known"),
    ],
)  # fmt: skip
def test_refuses_adapter_settings_naming_place_and_remedy(tmp_path, old, new, said):
    config = load_gateway_config(write(tmp_path, old, new))
    with pytest.raises(ConfigInvalid, match=said):
        open_adapters(config)


def test_refuses_an_adapter_that_nobody_registers(tmp_path):
    path = write(tmp_path, 'adapter = "csv_drop"', 'adapter = "telepathy"')
    path.write_text(path.read_text().replace("sources.csv_drop", "sources.telepathy"))
    with pytest.raises(AdapterUnknown, match="'telepathy'; use one of csv_drop, modbus"):
        open_adapters(load_gateway_config(path))


def test_refuses_one_meter_code_twice(tmp_path):
    text = write(tmp_path).read_text()
    meter = text[text.index("[[sources.meters]]") :]
    (tmp_path / "gateway.toml").write_text(text + meter)
    with pytest.raises(ConfigInvalid, match="m-one is used twice"):
        load_gateway_config(tmp_path / "gateway.toml")


def test_refuses_a_window_that_no_statement_could_hold(tmp_path):
    with pytest.raises(ConfigInvalid, match="holds more readings of meter m-one than one statement takes"):
        load_gateway_config(write(tmp_path, 'step = "1 h"', 'step = "1 s"'))


def test_names_the_line_of_a_file_that_is_not_toml(tmp_path):
    with pytest.raises(ConfigInvalid, match=r"is not TOML: .*line \d+"):
        load_gateway_config(write(tmp_path, "[uplink]", "[uplink"))


def test_refuses_a_missing_and_an_oversized_file(tmp_path):
    with pytest.raises(ConfigInvalid, match="cannot be read"):
        load_gateway_config(tmp_path / "none.toml")
    (tmp_path / "large.toml").write_bytes(b"#" * (1 << 21))
    with pytest.raises(ConfigInvalid, match="is larger than"):
        load_gateway_config(tmp_path / "large.toml")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ("[uplink]\nlimit = " + "9" * 5_000, "is not TOML"),
        ("a." * 5_000 + "a = 1\n[uplink]", "has a line of more than 8000 bytes"),
    ],
)
def test_refuses_what_a_toml_reader_would_choke_on(tmp_path, new, said):
    with pytest.raises(ConfigInvalid, match=said):
        load_gateway_config(write(tmp_path, "[uplink]", new))


@pytest.mark.parametrize("old", ['key_file = "gateway.key"', 'from = "kWh"', 'column = "time"'])
def test_refuses_a_text_with_a_control_character(tmp_path, old):
    path = write(tmp_path, old, old[:-1] + '\\u0000"')
    with pytest.raises(ConfigInvalid, match="control character"):
        open_adapters(load_gateway_config(path))


def test_refuses_a_pattern_with_a_control_character(tmp_path):
    path = write(tmp_path, '"*.csv*"', '"*.csv\\u0000"')
    with pytest.raises(ConfigInvalid, match="control character"):
        open_adapters(load_gateway_config(path))


def test_overrides_are_checked_like_the_file(tmp_path):
    path = write(tmp_path)
    config = load_gateway_config(path, overrides={"gateway.party": "e-other", "sources.files.settle": "6 h"})
    assert (config.party, config.sources[0].settle_ms) == ("e-other", 6 * 3_600_000)
    with pytest.raises(ConfigInvalid, match=r"gateway\.colour: is not a known key"):
        load_gateway_config(path, overrides={"gateway.colour": "red"})
    with pytest.raises(ConfigInvalid, match=r"sources\.nobody\.settle: cannot be set from outside"):
        load_gateway_config(path, overrides={"sources.nobody.settle": 1})


def test_paths_are_relative_to_the_file(tmp_path):
    config = csv_gateway(tmp_path)
    assert config.key == tmp_path / "gateway.key"
    assert config.data_folder.resolve() == tmp_path
    assert config.spool_folder == tmp_path / "spool"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_loads_and_agrees_with_its_plan(repository_root, name):
    config = load_gateway_config(repository_root / "docs" / "examples" / name / "gateway.toml")
    for adapter in open_adapters(config).values():
        adapter.close()
    assert config.plan_file is not None
    plan = load_plan(config.plan_file)
    check_against_gateway(plan, config)
    assert plan.body["measurements"]


def test_refuses_a_register_map_with_an_unknown_key(repository_root, tmp_path):
    examples = repository_root / "docs" / "examples" / "plant"
    text = (
        (examples / "registers.toml").read_text().replace('scale = "0.001"', 'scale = "0.001"\nskale = 1', 1)
    )
    (tmp_path / "registers.toml").write_text(text)
    (tmp_path / "gateway.toml").write_text((examples / "gateway.toml").read_text())
    with pytest.raises(RegisterMapInvalid, match=r"registers\.toml: models\.incoming\.registers\[0\]\.skale"):
        open_adapters(load_gateway_config(tmp_path / "gateway.toml"))


TOKEN = 'pkcs11 = {{ module = "token.so", token = "works", {named} }}'


def test_a_key_may_lie_in_a_token_and_then_no_key_file_is_named(tmp_path):
    token = TOKEN.format(named='key = "gateway", key_id = "01ff"')
    config = load_gateway_config(write(tmp_path, 'key_file = "gateway.key"', token))
    assert config.key == TokenConfig(tmp_path / "token.so", "works", "gateway", b"\x01\xff")


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ('pkcs11 = { module = "token.so", token = "works" }', "names no key"),
        (TOKEN.format(named='key_id = "0"'), "key_id"),
        (TOKEN.format(named='key = "a", pin = "1"'), "pin: is not a known key"),
        (
            TOKEN.format(named='key = "a"') + '\nkey_file = "b"',
            "exactly one of key_file and the table pkcs11",
        ),
        ("", "exactly one of key_file and the table pkcs11"),
    ],
)
def test_a_key_named_twice_not_at_all_or_with_its_pin_is_refused(tmp_path, new, said):
    with pytest.raises(ConfigInvalid, match=said):
        load_gateway_config(write(tmp_path, 'key_file = "gateway.key"', new))
