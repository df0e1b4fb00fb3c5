"""Route templates and constraints, rule by rule, as ASP.NET Core has them (its routing sources and documentation)."""

from __future__ import annotations

import pytest

from durable_local import AppLoadError
from durable_local.routing.match import compile_route, split_path

GUID = "ca761232-ed42-11ce-bacd-00aa0057b223"
HEX_GUID = "{0xca761232,0xed42,0x11ce,{0xba,0xcd,0x00,0xaa,0x00,0x57,0xb2,0x23}}"

MATCHES = [
    # literals and plain parameters
    ("a/b", "/a/b", {}),
    ("a/b", "/A/B/", {}),
    ("a/b", "/a", None),
    ("a/b", "/a/b/c", None),
    ("a/b", "/a//b", None),
    ("a.b", "/axb", None),
    ("a/{{b}}", "/a/{b}", {}),
    ("", "/", {}),
    ("", "/a", None),
    ("a/{b}", "/a/x", {"b": "x"}),
    ("a/{b}", "/a", None),
    ("a/{b}/c", "/a/x/c", {"b": "x"}),
    ("a/{b-c}", "/a/x", {"b-c": "x"}),
    ("a/{b.c d}", "/a/x", {"b.c d": "x"}),
    ("a/", "/a", {}),
    # optional, default, catch-all
    ("a/{b?}", "/a", {}),
    ("a/{b?}", "/a/x", {"b": "x"}),
    ("a/{b?}/c", "/a/c", None),
    ("a/{b=5}", "/a", {"b": "5"}),
    ("a/{b=5}", "/a/6", {"b": "6"}),
    ("{a=1}/{b=2}", "/", {"a": "1", "b": "2"}),
    ("a/{b=}", "/a", {"b": ""}),
    ("a/{b:int=5}", "/a", {"b": "5"}),
    ("a/{b:int=x}", "/a", None),
    ("a/{b:int?}", "/a", {}),
    ("a/{b:int?}", "/a/7", {"b": "7"}),
    ("a/{b:int?}", "/a/x", None),
    ("{*rest}", "/", {}),
    ("{*rest}", "/x/y", {"rest": "x/y"}),
    ("{**rest}", "/x/y", {"rest": "x/y"}),
    ("a/{*rest}", "/a/x/y/", {"rest": "x/y/"}),
    ("a/{*rest}", "/a/x//y", {"rest": "x//y"}),
    ("a/{*rest}", "/a//x", None),
    ("a/{*rest=q}", "/a", {"rest": "q"}),
    ("a/{*rest:length(3)}", "/a/x/y", {"rest": "x/y"}),
    ("a/{*rest:length(3)}", "/a", None),
    # several parts in a segment
    ("{a}-{b}", "/x-y-z", {"a": "x-y", "b": "z"}),
    ("{a}-{b}", "/x-", None),
    ("{a}-{b}", "/-x", None),
    ("v{a}", "/v1", {"a": "1"}),
    ("v{a}", "/v", None),
    ("{a}v", "/1v", {"a": "1"}),
    ("{a}v", "/1vx", None),
    ("{a}aa{b}aa{c}", "/1aaaaa2aa3", {"a": "1aaa", "b": "2", "c": "3"}),
    ("{a}.{b?}", "/x.y", {"a": "x", "b": "y"}),
    ("{a}.{b?}", "/x", {"a": "x"}),
    ("{a}.{b?}", "/x.", None),
    ("{a}.{b?}", "/x.y.z", {"a": "x.y", "b": "z"}),
    ("{a:int}-{b:alpha}", "/1-x", {"a": "1", "b": "x"}),
    ("{a:int}-{b:alpha}", "/x-1", None),
    # decoding
    ("a/{b}", "/a/x%20y", {"b": "x y"}),
    ("a/{b}", "/a/x%2Fy", {"b": "x%2Fy"}),
    ("a/{b}", "/a/x%252Fy", {"b": "x%2Fy"}),
    ("a/{b}", "/a/x+y", {"b": "x+y"}),
    ("a/b", "/x/../a/./b", {}),
    ("a/{b}", "/a/%C3%A9", {"b": "é"}),
]

CONSTRAINTS = [
    ("int", "-2147483648 2147483647 +5 007", "2147483648 -2147483649 1.0 1e3 ٣ 0x1 --1 -"),
    ("long", "-9223372036854775808 9223372036854775807", "9223372036854775808 x"),
    ("bool", "true FALSE True", "1 yes t"),
    ("decimal", "1 -1.5 1,000.25 .5 5- 1.", "nan 1e3 infinity 79228162514264337593543950336 1.2.3 -5-"),
    ("double", "1 1e3 -1.5E-7 NaN Infinity -infinity .5 1e999", "1e x 1.2.3"),
    ("float", "1.5 nan 1e99", "x"),
    ("guid", f"{GUID} {GUID.replace('-', '').upper()} {{{GUID}}} ({GUID}) {HEX_GUID}", f"{GUID}0 urn:uuid:{GUID} x"),
    (
        "datetime",
        "2024-02-29 2024-2-9T10:30:00Z 02-29-2024 10:30 2024-05 1-Feb-2024",
        "2023-02-29 5 2024 13-13-2024 24:00",
    ),
    ("alpha", "abc ABC", "a1 é a-b"),
    ("length(2)", "ab", "a abc"),
    ("length(2,3)", "ab abc", "a abcd"),
    ("length( 2 , 3 )", "ab", "a"),
    ("minlength(2)", "ab abcdef", "a"),
    ("maxlength(2)", "a ab", "abc"),
    ("min(5)", "5 6 9223372036854775807", "4 x 9223372036854775808"),
    ("max(5)", "5 -9", "6 5.0"),
    ("range(-1,9)", "-1 0 9", "-2 10 x"),
    (r"regex(^\d{{2}}$)", "12", "1 123"),
    ("regex(b)", "abc B", "x"),
    ("regex(^(a|b:c)$)", "a b:c", "b"),
    ("regex(^(?<n>x)$)", "x", "y"),
    ("required", "x", ""),
    ("file", "a.txt .git a.b.c", "a a. a.. .."),
    ("nonfile", "a a.", "a.txt"),
    ("INT", "1", "x"),
    ("int:min(3):max(5)", "3 5", "2 6 x"),
    ("alpha:length(3)", "abc", "ab ab1"),
]

REFUSED = [
    ("a//b", "two slashes"),
    ("//a", "two slashes"),
    ("~a", "'~'"),
    ("a/{b", "not closed"),
    ("a/b}", "no counterpart"),
    ("a/{b{c}", "doubled"),
    ("a/{", "not closed"),
    ("a/{}", "not the name"),
    ("a/{?}", "not the name"),
    ("a/{*}", "not the name"),
    ("a/{:int}/{b*}", "not the name"),
    ("a/{b/c}", "not the name"),
    ("a/{b}/{B}", "two parameters"),
    ("a/{b}{c}", "there has to be text between"),
    ("a?b", "question mark"),
    ("{*a}/b", "last part"),
    ("x{*a}", "segment of its own"),
    ("{*a?}", "cannot be optional"),
    ("{a=5?}", "default value"),
    ("{a}-{b?}", "single point"),
    ("x.{b?}", "single point"),
    ("{a?}.b", "single point"),
    ("{a:nosuch}", "no constraint 'nosuch'"),
    ("{a:int(3)}", "takes 0 arguments"),
    ("{a:int()}", "takes 0 arguments"),
    ("{a:length}", "takes 1 or 2 arguments"),
    ("{a:length(x)}", "not a whole number"),
    ("{a:length(3,2)}", "smaller length comes first"),
    ("{a:maxlength(-1)}", "smaller length comes first"),
    ("{a:min}", "takes 1 arguments"),
    ("{a:range(1)}", "takes 2 arguments"),
    ("{a:range(9,1)}", "9 is more than 1"),
    ("{a:regex([)}", "is wrong"),
    ("{a:int", "not closed"),
    ("{a:regex(^(x)=1$)}", "is wrong"),  # a parenthesis before '=' ends the constraint
]


@pytest.mark.parametrize(("template", "path", "expected"), MATCHES)
def test_what_a_template_takes(template: str, path: str, expected: dict[str, str] | None):
    assert compile_route(template).match(split_path(path)) == expected


@pytest.mark.parametrize(("constraint", "good", "bad"), CONSTRAINTS)
def test_what_a_constraint_lets_through(constraint: str, good: str, bad: str):
    route = compile_route(f"{{a:{constraint}}}")
    values = [*good.split(), *bad.split()]
    accepted = [value for value in values if route.match(split_path("/" + value.replace("%", "%25"))) is not None]
    assert accepted == good.split()


@pytest.mark.parametrize(("template", "complaint"), REFUSED)
def test_what_ends_the_host_s_start(template: str, complaint: str):
    with pytest.raises(AppLoadError, match=complaint):
        compile_route(template)


def test_blanks_around_numbers_are_no_part_of_them():
    assert compile_route("{a:int}").match(split_path("/%205%20")) == {"a": " 5 "}
