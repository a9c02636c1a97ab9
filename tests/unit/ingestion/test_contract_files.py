"""Contracts say what is wrong with them: file, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ingestion.contract import Contract
from ingestion.contract_files import (
    BUILT_IN,
    _FastYaml,
    _Yaml,
    load_contracts,
    load_mapping,
    load_own,
    load_vendor,
    parse_yaml,
    refuse_conflicts,
)
from kizuna.errors import InputError

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples" / "contracts"

ORDERS = """
source: till
maps_to: order
files: ["**/till*.csv"]
format: csv
fields:
  order_key: {column: Receipt}
  customer_key: {column: Card}
  ordered_at: {column: When, format: "%d.%m.%Y %H:%M"}
  currency: {value: EUR}
  gross_amount: {column: Total}
"""


def write(folder: Path, text: str, name: str = "till.yml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_built_in_contract_loads_and_no_two_share_a_file() -> None:
    names = {contract.name for contract in load_contracts()}
    assert {"shopify__orders", "salesforce__case", "ga4__events", "zendesk__tickets"} <= names
    assert len(names) == len([path for path in BUILT_IN.glob("*/*.yml") if path.parent.name != "canonical"])


def test_every_personal_column_of_the_vendors_is_marked() -> None:
    looks_personal = ("email", "phone", "first_name", "last_name", "birthdate", "comment")
    for contract in load_contracts():
        for column in contract.columns:
            words = column.name.removesuffix("_address")
            if column.type == "string" and words.endswith(looks_personal) and "opted" not in words:
                assert column.data_class in ("personal", "sensitive"), f"{contract.name}.{column.name}"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yml")), ids=lambda path: path.stem)
def test_the_example_contracts_load(path: Path) -> None:
    assert load_own(path).files


def test_a_mapping_becomes_a_whole_contract(tmp_path: Path) -> None:
    contract = load_mapping(write(tmp_path, ORDERS))
    assert (contract.relation, contract.namespace, contract.key) == ("raw.mapped__order", "till", ("order_key",))
    by_name = {column.name: column for column in contract.columns}
    assert by_name["currency"].value == "EUR"
    assert by_name["gross_amount"].sql_type == "DECIMAL(18,2)"
    assert by_name["region"].sources == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("format: csv", "format: xls"), ["till.yml", "format", "'xls'", "'csv'"]),
        (("format: csv", "format: csv\ndelimiter: ';'"), ["delimiter", "unknown key", "dialect"]),
        (("format: csv", "format: csv\ndialect: {delimitr: ';'}"), ["dialect.delimitr", "unknown key", "delimiter"]),
        (("format: csv", "format: csv\ndialect: {delimiter: ';;'}"), ["dialect.delimiter", "';;'", "one character"]),
        (("format: csv", "format: csv\ndialect: {encodings: [sjis]}"), ["encodings", "sjis", "cp932"]),
        (("format: csv", "format: csv\ntimes: {timezone: Tokyo}"), ["times.timezone", "'Tokyo'", "Asia/Tokyo"]),
        (("maps_to: order", "maps_to: orders"), ["maps_to", "'orders'", "interaction"]),
        (("order_key:", "order_number:"), ["fields.order_number", "unknown field", "order_key"]),
        (("  gross_amount: {column: Total}\n", ""), ["fields.gross_amount", "missing", "customer_key"]),
        (("{value: EUR}", "{value: EUR, column: Cur}"), ["fields.currency", "exactly one"]),
        (('format: "%d.%m.%Y %H:%M"', 'format: "%d.%m. %H:%M"'), ["fields.ordered_at", "%d.%m. %H:%M", "%Y"]),
        (("{column: Total}", '{column: Total, format: "%Y%m%d"}'), ["fields.gross_amount.format", "decimal"]),
        (("format: csv", "format: csv\ndialect: {header_rows: 0}"), ["dialect", "columns"]),
        (("format: csv", "format: csv\nkey: generated"), ["fields.order_key", "generated"]),
        (("format: csv", "format: [csv"), ["till.yml:", "not valid YAML"]),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(tmp_path: Path, change: tuple[str, str], expected: list[str]) -> None:
    assert change[0] in ORDERS
    path = write(tmp_path, ORDERS.replace(*change))
    with pytest.raises(InputError) as caught:
        load_mapping(path)
    for part in [str(path), *expected]:
        assert part in str(caught.value)


def test_a_pattern_that_overlaps_another_contract_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ORDERS.replace("source: till", "source: shopify").replace("till*", "*export*"))
    with pytest.raises(InputError) as caught:
        load_contracts(tmp_path)
    for part in ("till.yml", "'**/*export*.csv'", "shopify__customers"):
        assert part in str(caught.value)


def test_two_contracts_of_one_name_are_refused(tmp_path: Path) -> None:
    write(tmp_path, ORDERS, "a.yml")
    write(tmp_path, ORDERS.replace("till*.csv", "other*.csv"), "b.yml")
    with pytest.raises(InputError, match=r"till__order.*a\.yml"):
        load_contracts(tmp_path)


def test_yes_no_and_norway_stay_text(tmp_path: Path) -> None:
    contract = load_mapping(write(tmp_path, ORDERS.replace("{column: Card}", "{column: Card, values: {NO: on}}")))
    by_name = {column.name: column for column in contract.columns}
    assert by_name["customer_key"].values == {"NO": "on"}


def test_the_version_follows_what_decides_the_reading_and_nothing_else(tmp_path: Path) -> None:
    def version(text: str) -> str:
        return load_mapping(write(tmp_path, text)).version

    same = version(ORDERS)
    assert version(ORDERS + "description: Tills\n") == same
    assert version(ORDERS + "hold: {share: 0.5}\n") != same, "a held file is tried again when its threshold changes"
    assert version(ORDERS.replace("%d.%m.%Y", "%m.%d.%Y")) != same


def test_the_company_time_zone_is_resolved_and_part_of_the_version(tmp_path: Path) -> None:
    write(tmp_path, ORDERS)

    def till(zone: str) -> Contract:
        return next(c for c in load_contracts(tmp_path, timezone=zone) if c.name == "till__order")

    assert till("Asia/Tokyo").times.timezone == "Asia/Tokyo"
    assert till("Asia/Tokyo").version != till("Europe/Berlin").version


def test_a_vendor_key_that_is_no_column_is_refused(tmp_path: Path) -> None:
    text = (BUILT_IN / "shopify" / "orders.yml").read_text(encoding="utf-8").replace("key: [name]", "key: [nam]")
    with pytest.raises(InputError, match="'nam'"):
        load_vendor(write(tmp_path, text))


def test_built_in_contracts_claim_no_file_twice() -> None:
    """They are not compared when a company's contracts are loaded; extensions of templates are the company's own."""
    refuse_conflicts(list(load_contracts()), trusted=None)
    with pytest.raises(InputError, match="already taken"):
        refuse_conflicts([load_contracts()[0], load_contracts()[0]], trusted=None)


@pytest.mark.parametrize("path", sorted(BUILT_IN.glob("*/*.yml")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_libyaml_reads_what_the_plain_parser_reads(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    fast, plain = (yaml.load(text, Loader=loader) for loader in (_FastYaml, _Yaml))
    assert repr(fast) == repr(plain)


def test_only_true_and_false_are_booleans(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("on: yes\nNO: [NO, off, y, true, False, 'true']\n", encoding="utf-8")
    assert parse_yaml(tmp_path / "x.yml") == {"on": "yes", "NO": ["NO", "off", "y", True, "False", "true"]}
