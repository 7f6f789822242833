import re
from dataclasses import asdict, fields, replace
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path

import pytest

from relimit.data.errors import PolicyError
from relimit.features.registry import catalogue
from relimit.policy import load_policy

DEFAULT = files("relimit.policy").joinpath("default.toml").read_text("utf-8")


@pytest.fixture
def edited(tmp_path):
    """Load the default policy with one line changed."""

    def load(old, new):
        assert DEFAULT.count(old) == 1, f"{old!r} is there {DEFAULT.count(old)} times"
        path = tmp_path / "policy.toml"
        path.write_text(DEFAULT.replace(old, new), "utf-8")
        return load_policy(path)

    return load


def test_the_default_policy_has_the_regulatory_cap_in_fen(policy):
    assert policy.caps.limit == 200_000_00


def test_money_in_yuan_becomes_exact_fen(edited):
    policy = edited("unsettled_interest_yuan = 1 ", "unsettled_interest_yuan = 0.29 ")
    assert policy.gates.unsettled_interest == 29


def test_amounts_may_be_of_another_currency(policy, edited, tmp_path):
    dollars = edited('currency = "¥" ', 'currency = "US$" ')
    assert dollars.wording.currency == "US$"
    assert dollars.version != policy.version
    path = tmp_path / "older.toml"
    path.write_text(re.sub("currency = .*", "", DEFAULT), "utf-8")
    assert load_policy(path) == policy


@pytest.mark.parametrize("sign", ["", " ", "dollars", "1", "$.", "-"])
def test_what_is_no_sign_of_a_currency_is_refused(edited, sign):
    with pytest.raises(PolicyError, match=r"`wording.currency` is .*, expected the sign"):
        edited('currency = "¥" ', f'currency = "{sign}" ')


def test_comments_and_order_do_not_change_the_version_but_settings_do(policy, edited, tmp_path):
    head, fault, rest = DEFAULT.partition("[fault]")[0], *_cut(DEFAULT, "[fault]", "[gates]")
    path = tmp_path / "turned.toml"
    path.write_text("# another comment\n" + rest + "\n" + fault, "utf-8")
    assert head.startswith("#")
    assert load_policy(path).version == policy.version
    assert edited("outage_minutes = 30 ", "outage_minutes = 31 ").version != policy.version
    assert len(policy.version) == 12


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_how_an_editor_saves_the_file_makes_no_difference(policy, tmp_path, mark, end):
    path = tmp_path / "policy.toml"
    path.write_bytes((mark + DEFAULT.replace("\n", end)).encode())
    assert load_policy(path).version == policy.version


def test_other_texts_are_another_version(policy):
    other = replace(policy, wording=replace(policy.wording, borrower="analyst"))
    words = {"reason.overdue": {"zh": "", "en": "Otherwise."}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relimit.policy.config.load_wording", lambda table: words)
        changed = replace(policy).version
    assert len({policy.version, other.version, changed}) == 3


def _cut(text, start, end):
    first, last = text.index(start), text.index(end)
    return text[first:last], text[:first] + text[last:]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("clearing_days = 5 ", "clearing_day = 5 ", "`finality.clearing_day` is not a setting"),
        ("clearing_days = 5 ", "clearing_day = 5 ", "Did you mean `clearing_days`?"),
        ("[caps]", "[cap]", "Did you mean `caps`?"),
        ("clearing_days = 5 ", "", "`finality.clearing_days` is missing, expected a whole number"),
        ("clearing_days = 5 ", "clearing_days = 5.5 ", "is 5.5, expected a whole number from 0"),
        ("clearing_days = 5 ", 'clearing_days = "5" ', 'is "5", expected a whole number from 0'),
        ("clearing_days = 5 ", "clearing_days = true ", "is True, expected a whole number"),
        (
            "clearing_days = 5 ",
            "clearing_days = -1 ",
            "is -1, expected a whole number from 0 to 30",
        ),
        ("limit_yuan = 200000", "limit_yuan = 0.005", "`caps.limit_yuan` is 0.005, expected yuan"),
        ("low_use = 0.2 ", "low_use = nan ", "`evidence.low_use` is NaN, expected a number"),
        ("low_use = 0.2 ", 'low_use = "x" ', '`evidence.low_use` is "x", expected a number from 0'),
        (
            "at_most = 4",
            "at_most = 5",
            "`reasons.at_most` is 5, expected a whole number from 1 to 4",
        ),
        ("share = 0.5\n", "share = 0.6\n", "`tiers.4.share` is 0.6, expected one of 0.0, 0.25"),
        ("share = 0.25\n", "share = 0.75\n", "`tiers.5.share` is 0.75, expected at most 0.5"),
        ("delay_days = 14", "delay_days = 3", "`tiers.4.delay_days` is 3, expected at least 7"),
        ("up_to = 0.10", "up_to = 0.05", "`tiers.3.up_to` is 0.05, expected more than 0.06"),
        ("up_to = 1.0", "up_to = 0.9", "`tiers.6.up_to` is 0.9, expected 1"),
        ('delay_days = 3\nsignal = "score_refresh"', 'delay_days = 3\nsignal = "none"', "signal"),
        ("delay_days = 14", "delay_days = 15", "`tiers.4.delay_days` is 15, expected one of 0, 3"),
        ('["utilisation_*", ', '["gaps", ', "which `causes.cycling` has too"),
        (
            '["delinquency", ',
            '["delinqency", ',
            "`causes.distress` has delinqency, which is no fam",
        ),
        ('["delinquency", ', '["delinqency", ', "Did you mean `delinquency`?"),
        ('["*returned*"]', '"returned"', '`causes.payment_return` is "returned", expected a list'),
        ('"Asia/Shanghai"', '"Asia/Peking"', 'is "Asia/Peking", expected a time zone'),
        (
            'analyst = "analyst"',
            'analyst = "boss"',
            '`wording.analyst` is "boss", expected the name',
        ),
        ('"Asia/Shanghai"', '"../etc/zone"', 'is "../etc/zone", expected a time zone'),
        ("[caps]", "[caps", "is not TOML"),
        ("loss_budget = 0.02 ", "los_budget = 0.02 ", "Did you mean `loss_budget`?"),
        ("waiting_yuan = 0.30 ", "waiting_yuan = 0.301 ", "is 0.301, expected yuan, at least 0"),
    ],
)
def test_a_wrong_file_says_which_key_and_what_was_expected(edited, old, new, message):
    with pytest.raises(PolicyError) as error:
        edited(old, new)
    assert message in str(error.value)
    assert "policy.toml" in str(error.value)


def test_a_policy_need_not_say_what_it_was_optimised_for(policy, tmp_path):
    _, rest = _cut(DEFAULT, "[value]", "[reasons]")
    path = tmp_path / "policy.toml"
    path.write_text(rest, "utf-8")
    loaded = load_policy(path)
    assert loaded == replace(policy, value=None)
    assert loaded.version != policy.version
    with pytest.raises(PolicyError, match="`value` is missing"):
        _ = loaded.stated_value


def test_a_file_from_before_better_by_takes_later_scores_as_they_are(policy, tmp_path):
    start = DEFAULT.index("better_by")
    path = tmp_path / "policy.toml"
    path.write_text(DEFAULT[:start] + DEFAULT[DEFAULT.index("[value]") :], "utf-8")
    loaded = load_policy(path)
    assert loaded.service == replace(policy.service, better_by=0.0)
    assert replace(loaded, service=policy.service) == policy


def test_a_section_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text('caps = "low"\n' + DEFAULT.replace("[caps]\nlimit_yuan", "[x]\nlimit"), "utf-8")
    with pytest.raises(PolicyError, match="`x` is not a setting"):
        load_policy(path)
    path.write_text('caps = "low"\n' + DEFAULT.replace("[caps]\nlimit_yuan = 200000", ""), "utf-8")
    with pytest.raises(PolicyError, match="`caps` is str, expected a table"):
        load_policy(path)


def test_a_file_that_is_not_there_is_a_policy_error(tmp_path):
    with pytest.raises(PolicyError, match="can't be read"):
        load_policy(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_a_policy_error(tmp_path):
    (tmp_path / "policy.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="is not TOML in UTF-8"):
        load_policy(tmp_path / "policy.toml")


def test_every_cause_of_the_default_policy_names_families_or_features_that_exist(policy):
    families = {feature.family for feature in catalogue()}
    names = [feature.name for feature in catalogue()]
    for entries in asdict(policy.causes).values():
        for entry in entries:
            assert entry in families or any(fnmatchcase(name, entry) for name in names), entry


def test_the_page_about_the_policy_file_has_every_key(policy):
    page = Path(__file__).parents[2].joinpath("docs", "policy.md").read_text("utf-8")
    for section in fields(policy):
        part = getattr(policy, section.name)
        for key in fields(part[0] if isinstance(part, tuple) else part):
            name = f"{section.name}.{key.name}{key.metadata['rule'].suffix}"
            assert f"`{name}`" in page, name
    named = {name for name in re.findall(r"`(\w+\.\w+)`", page) if name.split(".")[1] != "toml"}
    known = {field.name for field in fields(policy)}
    assert {name.split(".")[0] for name in named} == known
