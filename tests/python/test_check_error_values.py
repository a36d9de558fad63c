import check_error_values
import pytest

HEADER = """
#define ESPER_OVEN_ERRORS(X) X(kCold, kRuntime) \\
    X(kHot, kUsage)
ESPER_DEFINE_ERRORS(OvenError, "oven", ESPER_OVEN_ERRORS)
"""
SOURCE = """
Status light() { return fail(OvenError::kCold, "no flame"); }
Status open() { return fail(OvenError::kHot, "wait"); }
"""
BOTH = "TEST(A, B) { EXPECT_TRUE(light().is(OvenError::kCold)); expect_refused(open(), OvenError::kHot); }"


def check(repository_with, source=SOURCE, cpp=BOTH, python=""):
    return check_error_values.check(repository_with({
        "src/esper/base/oven.h": HEADER, "src/esper/base/oven.cpp": source,
        "tests/base/oven_test.cpp": cpp, "tests/python/test_oven.py": python}))


def test_values_that_are_asserted_on_and_produced_are_not_listed(repository_with):
    assert check(repository_with) == (set(), set())


@pytest.mark.parametrize("assertion", [
    "EXPECT_TRUE(open().error().is(OvenError::kHot));",
    "ASSERT_EQ(code_of(open()), OvenError::kHot);",
    "EXPECT_EQ(code_of(f({1, 2})), OvenError::kHot);",
    "expect_refused(open(), OvenError::kHot, \"wait\");",
    "if (code != OvenError::kHot) ADD_FAILURE();",
    "const auto hot = OvenError::kHot; EXPECT_TRUE(open().is(hot));",
    "for (auto [x, code] : {Case{1, OvenError::kHot}}) { EXPECT_TRUE(f(x).is(code)); }",
    "const Case cases[] = {{1, OvenError::kHot}}; for (auto& c : cases) EXPECT_TRUE(c.is(c.code));",
    "const Case cases{{1, '(', OvenError::kHot}}; for (auto& c : cases) { EXPECT_EQ(c.a, c.b); }",
])
def test_an_assertion_counts_in_each_form_that_our_tests_use(repository_with, assertion):
    test = "TEST(A, B) { EXPECT_TRUE(light().is(OvenError::kCold)); " + assertion + " }"
    assert check(repository_with, cpp=test)[0] == set()


@pytest.mark.parametrize("mention", [
    "// OvenError::kHot cannot be had here",
    "open_with(OvenError::kHot);",
    "auto unused = OvenError::kHot; EXPECT_TRUE(light().is(OvenError::kCold));",
    'EXPECT_TRUE(contains("OvenError::kHot"));',
    "for (auto code : {OvenError::kHot}) { throw_away(code); }",
    "Case cases[] = {{OvenError::kHot}}; EXPECT_TRUE(other());",
])
def test_a_mere_mention_does_not_count(repository_with, mention):
    test = "TEST(A, B) { EXPECT_TRUE(light().is(OvenError::kCold)); }\nTEST(A, C) {\n" + mention + "\n}"
    assert check(repository_with, cpp=test)[0] == {"OvenError::kHot"}


@pytest.mark.parametrize("python, untested", [
    ('def test_a(): assert "oven.Hot" in errors', set()),
    ('@pytest.mark.parametrize("e", ["oven.Hot: wait"])\ndef test_a(e): assert e', set()),
    ('def test_a():\n  with pytest.raises(X, match="oven.Hot"): f()', set()),
    ('def test_a(): say("oven.Hot")', {"OvenError::kHot"}),
])
def test_a_value_as_a_command_prints_it_counts_in_a_python_assertion(repository_with, python,
                                                                     untested):
    test = "TEST(A, B) { EXPECT_TRUE(light().is(OvenError::kCold)); }"
    assert check(repository_with, cpp=test, python=python)[0] == untested


@pytest.mark.parametrize("source, unproduced", [
    ("return OvenError::kHot;", set()),
    ("using enum OvenError; return fail(kHot, text);", set()),
    ("using enum OvenError; return fail(Other::kHot, text);", {"OvenError::kHot"}),
    ("if (error.is(OvenError::kHot)) retry();", {"OvenError::kHot"}),
    ("switch (e) { case OvenError::kHot: break; }", {"OvenError::kHot"}),
    ('{FaultPoint("oven.hot"), OvenError::kHot},', {"OvenError::kHot"}),
    ("// OvenError::kHot", {"OvenError::kHot"}),
])
def test_a_value_that_nothing_hands_on_is_listed(repository_with, source, unproduced):
    source = 'Status light() { return fail(OvenError::kCold, ""); }\n' + source
    assert check(repository_with, source=source)[1] == unproduced


def test_what_waits_is_left_out_until_it_need_not_wait_any_more(repository_with):
    root = repository_with({"src/esper/base/oven.h": HEADER, "src/esper/base/oven.cpp": SOURCE,
                            "tests/base/oven_test.cpp": "TEST(A, B) { EXPECT_TRUE(light().is(OvenError::kCold)); }"})
    assert list(check_error_values.problems(root, {})) == ["no test asserts on OvenError::kHot"]
    assert list(check_error_values.problems(root, {"OvenError::kHot": "heat"})) == []
    stale = list(check_error_values.problems(root, {"OvenError::kHot": "h", "OvenError::kCold": "c"}))
    assert len(stale) == 1 and stale[0].startswith("OvenError::kCold no longer waits for c")


def test_the_rooms_own_enums_are_seen():
    text = (check_error_values.repository.ROOT / "src/esper/base/files.h").read_text()
    enums = {enum: values for enum, _, values in check_error_values.declared(text)}
    assert {"kNotFound", "kBadArgument"} <= set(enums["FileError"])
