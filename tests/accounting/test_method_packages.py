"""Method packages: what their reader refuses, and that every worked example comes out."""

from __future__ import annotations

from decimal import Decimal

import pytest

from carbonseal_accounting.errors import MethodInvalid, MethodUnknown
from carbonseal_accounting.inventory import compute_request
from carbonseal_accounting.method import Method, find_method, load_methods
from carbonseal_accounting.trace import reperform

GBT = "GBT32150-2015@1.0.0"
EXAMPLES = [(name, path) for name, method in load_methods().items() for path in method.examples]


def changed(old: str, new: str, path: str = "method.toml"):
    files = dict(find_method(GBT).files)
    assert old.encode() in files[path]
    files[path] = files[path].replace(old.encode(), new.encode())
    return files


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('schema = "carbonseal-method/1"', 'schema = "x"', "unknown schema"),
        ('status = "active"', 'status = "fine"', "unknown schema or status"),
        ('unit = "t{CO2e}"\ngases', 'unit = "t{CO2}"\ngases', "the last is not `total`"),
        ('expression = "activity * ncv"', 'expression = "activity + ncv"', "joins"),
        ('expression = "activity * ncv"', 'expression = "activity * carbon"', "carbon is not declared"),
        ('expression = "activity * ncv"', 'expression = "activity * ncv * ncv"', "not GJ"),
        ('expression = "activity * ncv"', 'expression = "open(1)"', "open"),
        ('expression = "co2 * gwp_co2"', 'expression = "sum(co2) * gwp_co2"', "belongs to the totals"),
        (
            'expression = "fuel + electricity + heat"',
            'expression = "fuel + nuclear"',
            "nuclear is not declared",
        ),
        ('kinds = ["oxidation_factor"]', 'kinds = ["guess"]', "unknown factor kind"),
        ("places = 2", "places = 40", "places or mode"),
        ('unit = "GJ/t"', 'unit = "GJ/tt"', "unknown unit"),
        ('value = "44"', "value = 44.0", "not a plain decimal"),
        ('id = "GBT32150-2015"', 'id = "../x"', "not ID@VERSION"),
        ("[year_rule]", "[odd]\nx = 1\n[year_rule]", "unknown key"),
        (
            'name = "heat"\ntitle = { zh = "燃料热量"',
            'name = "ncv"\ntitle = { zh = "燃料热量"',
            "defined twice",
        ),
    ],
)
def test_rejects_malformed_method(old, new, reason):
    with pytest.raises(MethodInvalid, match=reason):
        Method.from_files(changed(old, new))


def test_rejects_method_without_a_worked_example():
    files = {"method.toml": find_method(GBT).files["method.toml"]}
    with pytest.raises(MethodInvalid, match="no worked example"):
        Method.from_files(files)


def test_rejects_package_with_a_path_that_leaves_it():
    with pytest.raises(MethodInvalid, match="odd path"):
        Method.from_files({**find_method(GBT).files, "../method.toml": b""})


def test_unknown_method_names_the_nearest():
    with pytest.raises(MethodUnknown, match=r"GBT32150-2015@1\.0\.0"):
        find_method("GBT32150-2015@2.0.0")


def test_method_from_its_own_files_is_the_same():
    for method in load_methods().values():
        assert Method.from_files(method.files) == method


def test_one_changed_byte_changes_the_digest():
    method = find_method(GBT)
    assert Method.from_files(changed("places = 2", "places = 3")).digest != method.digest


@pytest.mark.parametrize(("name", "path"), EXAMPLES)
def test_worked_example_gives_the_figures_derived_by_hand(name, path):
    example = load_methods()[name].examples[path]
    result = compute_request(dict(example["input"])).to_json()
    total = example["want"]["total"]
    assert {key: result["total"][key] for key in total} == total
    got = {stream: row["emissions"]["value"] for stream, row in result["by_stream"].items()}
    assert got == example["want"]["streams"]
    assert reperform(result["trace"])["total/total"] == Decimal(total["value"])


def test_every_method_has_at_least_three_worked_examples():
    assert all(len(method.examples) >= 3 for method in load_methods().values())
