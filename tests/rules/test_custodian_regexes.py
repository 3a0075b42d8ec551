"""Regular expressions and globs: PostgreSQL = the bounded matcher = Python's `re` and `fnmatch`."""

from __future__ import annotations

import fnmatch
import re
import time

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.rules.custodian.regex_match import matches, node_matches
from apps.rules.custodian.regex_sql import anchored, postgres_pattern
from apps.rules.custodian.regexes import PatternRefused
from apps.rules.custodian.texts import glob_node

TEXTS = [
    "", "a", "A", "ab", "abc", "aab", "b", "\n", "a\n", "a\n\n", "a\nb", "ab\n", " a", "a b", "a-b", "a_b", "1",
    "12", "a1", "é", "É", "aé", "éa", "ß", "SS", "ſ", "K", "k", "K", "İ", "i", "ı", "I", "Σ", "σ", "ς",
    "٣", "²", "\u00a0", "\u2003", "\x1f", "_", ".", "\\", "[", "]", "^", "$", "*", "(", ")", "{2}", "test-1", "demo-",
    "prod-web-01", "arn:aws:s3:::bucket", "password=1", "x" * 300, "😀", "日本", "a😀",
]  # fmt: skip

PATTERNS = r"""
a
^a
a$
^a$
a\Z
\Aa
.
.*
.+b
(?s).+b
a|b
(a|b)+
(?:ab)*c
a{2}
a{1,2}b
a{,2}b
a?b
a*?b
[ab]
[^ab]
[^ab]*b
[a-c]+
[\w-]+
[\d]
[^\W\d]
\d
\d+
\D
\w
\w+$
\W
\s
\S+
\b
a\b
\ba\b
a\B
\bé
[é-ü]
é
ß
ss
k
ſ
i
σ
[k]
[^k]
[a-z]+$
[A-Z]
(?i)ab
(?i:a)b
(?-i:A)b
(?=a)
(?!a)
(?!ab).*
^(?!prod).*
^(?=.*b)a
(?:.|\n)*(password|secret)
^(test-|demo-)*
^(test|dev)-.*
.*gemini.*
\.
\\
\[
\{2\}
[.]
[]]
[^]]
[\]\\^-]
\x41
\u00e9
\n
a\n
a$\n
$
^$
$^
(^a)
(?:^a)*b
(a$)
a$|b
(?:a$)*
(?:a*)*b
(a+)+$
(|a)b
()
a||b
(?#note)a
(?x) a b # comment
(?a)\w+$
\$
[a\-z]
[\s\S]*
\t
[^\n]*$
(?:a{2}){2}
x{200,255}
\S*-\d{2}$
""".strip().splitlines()


def by_postgres(connection: psycopg.Connection, pattern: str, texts: list[str]) -> list[bool]:
    found = connection.execute(
        'select t collate "C" ~ %s from unnest(%s::text[]) with ordinality q(t, n) order by n',
        (pattern, texts),
    )
    return [each for (each,) in found.fetchall()]


@pytest.mark.parametrize("ignore_case", [False, True])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_match_what_python_matches(rules_connection, pattern, ignore_case) -> None:
    flags = re.IGNORECASE if ignore_case else 0
    wanted = [re.match(pattern, text, flags) is not None for text in TEXTS]
    assert [matches(pattern, text, ignore_case=ignore_case) for text in TEXTS] == wanted
    assert by_postgres(rules_connection, postgres_pattern(pattern, ignore_case=ignore_case), TEXTS) == wanted


ATOMS = st.sampled_from(
    ["a", "b", "A", "é", "K", "ſ", ".", r"\d", r"\w", r"\W", r"\s", "[ab]", "[^a]", "[a-k]", r"[\w-]", "^", "$",
     r"\b", r"\B", r"\Z", r"\n", "-", "(?=a)", "(?!b)"]
)  # fmt: skip
RANDOM = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: "(?:" + "|".join(parts) + ")"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{0,2}", "*?", "{1,}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)
SUBJECTS = st.lists(st.text(alphabet="abAkKſé1_- \n", max_size=7), min_size=1, max_size=12)


@given(pattern=RANDOM, texts=SUBJECTS, ignore_case=st.booleans())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_patterns_match_what_python_matches(rules_connection, pattern, texts, ignore_case) -> None:
    flags = re.IGNORECASE if ignore_case else 0
    if r"\B" in pattern:  # Python before 3.14 finds no \B in an empty text, later ones do, as here
        texts = [f"{text}-" for text in texts]
    wanted = [re.match(pattern, text, flags) is not None for text in texts]
    assert [matches(pattern, text, ignore_case=ignore_case) for text in texts] == wanted
    assert by_postgres(rules_connection, postgres_pattern(pattern, ignore_case=ignore_case), texts) == wanted


@given(
    pattern=st.text(alphabet="ab*?[]!-c\\^", max_size=8),
    texts=st.lists(st.text(alphabet="abc-]![\\^\n*", max_size=5)),
)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_globs_match_what_fnmatch_matches(rules_connection, pattern, texts) -> None:
    wanted = [fnmatch.fnmatchcase(text, pattern) for text in texts]
    assert [node_matches(glob_node(pattern), text) for text in texts] == wanted
    assert by_postgres(rules_connection, anchored(glob_node(pattern)), texts) == wanted


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?<=a)b", "lookbehind"),
        ("(?<!a)b", "lookbehind"),
        ("(?P<n>a)", "named groups"),
        (r"(a)\1", "reference to a group"),
        ("(?m)^a", "flags m"),
        ("a{1,256}", "255"),
        ("(?:(?:a{200}){200}){200}", "repeats too much"),
        ("(a", "no regular expression"),
        ("a" * 6000, "longer than"),
        ("(" * 2400 + ")" * 2400, "recursion"),
        ("(?>a)", "atomic"),
        ("a++", "possessive"),
        ("(a)(?(1)b|c)", "condition on a group"),
    ],
)
def test_what_postgresql_cannot_be_asked_is_refused(pattern, reason) -> None:
    with pytest.raises(PatternRefused, match=re.escape(reason)):
        postgres_pattern(pattern, ignore_case=False)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "(?:(?:a*)*)*b", "^(a?){100}a{100}$"]
)
def test_patterns_that_backtrack_for_ever_end_soon(rules_connection, pattern) -> None:
    text = "a" * 2_000 + "!"
    started = time.perf_counter()
    assert matches(pattern, text) is by_postgres(rules_connection, postgres_pattern(pattern), [text])[0]
    assert time.perf_counter() - started < 10
