import check_error_values

HEADER = """
#define ESPER_OVEN_ERRORS(X) X(kCold, kRuntime) \\
    X(kHot, kUsage)                             \\
    X(kOpen, kData)
ESPER_DEFINE_ERRORS(OvenError, "oven", ESPER_OVEN_ERRORS)
#define ESPER_SINK_ERRORS(X) X(kBlocked, kRuntime)
ESPER_DEFINE_ERRORS(SinkError, "sink", ESPER_SINK_ERRORS)
"""


def test_values_without_a_test_are_listed(repository_with):
    root = repository_with({
        "src/esper/base/oven.h": HEADER,
        "tests/base/oven_test.cpp": "OvenError::kCold OvenError::kOpen SinkError::kHot",
    })
    assert sorted(check_error_values.untested(root)) == ["OvenError::kHot", "SinkError::kBlocked"]


def test_an_enum_whose_values_all_have_tests_is_not_listed(repository_with):
    root = repository_with({
        "src/esper/base/oven.h": HEADER,
        "tests/base/oven_test.cpp":
            "OvenError::kCold OvenError::kOpen OvenError::kHot SinkError::kBlocked",
    })
    assert list(check_error_values.untested(root)) == []


def test_a_value_as_a_command_prints_it_counts_in_a_python_test(repository_with):
    root = repository_with({
        "src/esper/cli/oven.cpp": HEADER,
        "tests/base/oven_test.cpp": "OvenError::kCold SinkError::kBlocked sink.Hot",
        "tests/python/test_oven.py": 'assert "oven.Open" in errors or "sink.Hot" in errors',
    })
    assert list(check_error_values.untested(root)) == ["OvenError::kHot"]


def test_the_rooms_own_enums_are_seen():
    text = (check_error_values.repository.ROOT / "src/esper/base/files.h").read_text()
    enums = {enum: values for enum, _, values in check_error_values.declared(text)}
    assert {"kNotFound", "kBadArgument"} <= set(enums["FileError"])
