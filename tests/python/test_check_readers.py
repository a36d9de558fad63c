import check_readers
import pytest

RUN = """
#define ESPER_RUN_KEYS(X)                                    \\
    X(int, epochs, 3, rule::any(), "length")                 \\
    X(bool, deterministic, true, rule::any(), "same bits")
ESPER_CONFIG_SECTION(RunConfig, ESPER_RUN_KEYS)
#define ESPER_GATE_KEYS(X) X(double, delta, 0.1, rule::any(), "chance")
ESPER_CONFIG_SECTION(GateConfig, ESPER_GATE_KEYS)
#define ESPER_GROWTH_KEYS(X) X(GateConfig, gate, {}, rule::any(), "the gate")
ESPER_CONFIG_SECTION(GrowthConfig, ESPER_GROWTH_KEYS)
#define ESPER_CONFIG_KEYS(X)                                 \\
    X(RunConfig, run, {}, rule::any(), "the run")            \\
    X(GrowthConfig, growth, {}, rule::any(), "growth")
ESPER_CONFIG_SECTION(EsperConfig, ESPER_CONFIG_KEYS)
"""
READS = "#include \"esper/configs/run.h\"\nint a(const configs::EsperConfig& c) {\n%s\n}\n"
NOTHING_WAITS = {"header": {}, "error": {}, "type": {}, "enum": {}, "topic": {}, "inert key": {}}


def found(repository_with, files, waiting=NOTHING_WAITS):
    return list(check_readers.problems(repository_with(files), waiting))


def keys(repository_with, body, table=""):
    return [p.split(":")[0] for p in found(repository_with, {
        "src/esper/configs/run.h": RUN, "src/esper/cli/main.cpp": READS % body,
        "src/esper/configs/waiting.cpp": table}) if p.startswith("key")]


@pytest.mark.parametrize("body", [
    "use(c.run.epochs, c.run.deterministic, c.growth.gate.delta);",
    "const auto& r = c.run; use(r.epochs, r.deterministic); const auto& g = c.growth.gate; g.delta;",
    "void b(const configs::GateConfig& gate_of_mine) { gate_of_mine.delta; } c.run.epochs;"
    " c.run.deterministic;",
])
def test_a_key_that_is_read_is_left_in_peace(repository_with, body):
    assert keys(repository_with, body) == []


def test_a_key_that_nothing_reads_is_found(repository_with):
    # The names alone, or another section's key of that name, are no readers; nor is a comment.
    body = "delta; other.delta; c.run.epochs; // c.run.deterministic\n"
    assert keys(repository_with, body) == ["key run.deterministic", "key growth.gate.delta"]


def test_an_enum_that_no_other_file_names_is_found(repository_with):
    enums = 'ESPER_CONTRACT_ENUM(Used, A)\nESPER_CONTRACT_ENUM(Idle, B)\n'
    problems = found(repository_with, {"src/esper/contracts/enums.h": enums,
                                       "src/esper/cli/main.cpp": "Used u;  // Idle\n"})
    assert [p.split(":")[0] for p in problems if p.startswith("enum")] == ["enum Idle"]


def test_a_key_that_only_the_loader_handles_is_not_read(repository_with):
    problems = found(repository_with, {
        "src/esper/configs/run.h": RUN,
        "src/esper/configs/relations.cpp": READS % "c.run.epochs; c.growth.gate.delta;"})
    assert len([p for p in problems if p.startswith("key")]) == 3


def test_a_key_that_waits_is_left_in_peace_until_it_is_read(repository_with):
    table = '    {"growth", "", "growing", ""},\n'
    body = "use(c.run.epochs, c.run.deterministic);"
    assert keys(repository_with, body, table) == []
    assert keys(repository_with, body + "c.growth.gate.delta;", table) == ["key growth.gate.delta"]


def test_a_value_that_waits_does_not_excuse_its_key(repository_with):
    table = '    {"growth.gate.delta", "0.5", "growing", "choose 0.1"},\n'
    assert keys(repository_with, "use(c.run.epochs, c.run.deterministic);", table) == [
        "key growth.gate.delta"]


def test_a_reader_that_cannot_act_is_reported_when_it_can(repository_with):
    files = {
        "src/esper/configs/run.h": RUN,
        "src/esper/configs/waiting.cpp": '    {"growth", "", "growing", ""},\n',
        "src/esper/cli/main.cpp": READS % "c.run.epochs; c.run.deterministic; c.growth.gate.delta;"}
    waiting = dict(NOTHING_WAITS, **{"inert key": {"growth": r"grown\s*=[^=]"}})
    assert found(repository_with, files, waiting) == []
    files["src/esper/cli/main.cpp"] += "grown = 1;"
    assert "can act now" in found(repository_with, files, waiting)[0]


def test_a_header_that_no_program_reaches_is_found(repository_with):
    files = {
        "src/esper/cli/main.cpp": '#include "esper/base/used.h"\n',
        "src/esper/base/used.h": "",
        "src/esper/base/used.cpp": '#include "esper/base/used.h"\n#include "esper/base/below.h"\n',
        "src/esper/base/below.h": "",
        # An island: two headers that include each other, one with a source and a test.
        "src/esper/utils/island.h": '#include "esper/utils/palm.h"\n',
        "src/esper/utils/island.cpp": '#include "esper/utils/island.h"\n',
        "src/esper/utils/palm.h": '#include "esper/utils/island.h"\n',
        "src/esper/cli/soak.cpp": '#include "esper/utils/palm.h"\n',
        "tests/utils/island_test.cpp": '#include "esper/utils/island.h"\n',
    }
    assert [p.split(":")[0] for p in found(repository_with, files)] == [
        "header utils/island.h", "header utils/palm.h"]
    waiting = dict(NOTHING_WAITS, header={"a ship": ("utils/island.h", "utils/palm.h")})
    assert found(repository_with, files, waiting) == []
    files["src/esper/base/used.h"] = '#include "esper/utils/palm.h"\n'
    problems = found(repository_with, files, waiting)
    assert len(problems) == 2 and all("no longer waits for a ship" in p for p in problems)


def test_an_error_that_nothing_returns_is_found(repository_with):
    files = {
        "src/esper/cli/oven.cpp":
            '#define ESPER_OVEN_ERRORS(X) X(kCold, kRuntime) X(kHot, kUsage) X(kOpen, kData)\n'
            'ESPER_DEFINE_ERRORS(OvenError, "oven", ESPER_OVEN_ERRORS)\n'
            "fail(OvenError::kCold); if (e.is(OvenError::kHot)) {}\n"
            "void f() { using enum OvenError; fail(kOpen); }\n",
        "tests/cli/oven_test.cpp": "fail(OvenError::kHot);",
    }
    # `using enum` lends all names of its file, so the value has to be absent there.
    files["src/esper/cli/oven.cpp"] = files["src/esper/cli/oven.cpp"].replace(
        "using enum OvenError; fail(kOpen)", "fail(esper::OvenError::kOpen)")
    assert [p.split(": ")[0] for p in found(repository_with, files)] == ["error OvenError::kHot"]


def test_a_type_and_a_topic_without_a_producer_are_found(repository_with):
    files = {
        "src/esper/contracts/enums.h":
            '#define ESPER_TOPICS(X) X(kSent, 0, "s") X(kSilent, 1, "t")\n',
        "src/esper/contracts/messages.h":
            '#include "esper/contracts/enums.h"\n'
            'struct Held { ESPER_CONTRACT(Held, 3, "h")\n};\n'
            'struct Made { ESPER_CONTRACT(Made, 1, "m")\n    Held held;\n};\n'
            'struct Unmade { ESPER_CONTRACT(Unmade, 2, "u")\n};\n',
        "src/esper/contracts/registry.cpp": "table<contracts::Unmade>(Topic::kSilent);",
        "src/esper/cli/main.cpp": '#include "esper/contracts/messages.h"\n'
                                  "send(contracts::Topic::kSent, contracts::Made{});",
    }
    assert [p.split(":")[0] for p in found(repository_with, files)] == [
        "type Unmade", "topic kSilent"]
    waiting = dict(NOTHING_WAITS, type={"the bus": ("Unmade",)}, topic={"the bus": ("kSilent",)})
    assert found(repository_with, files, waiting) == []
    waiting["type"] = {"the bus": ("Unmade", "Made")}
    assert ["Made" in p and "no longer waits" in p for p in found(repository_with, files, waiting)
            ] == [True]


def test_this_checkout_is_clean():
    assert list(check_readers.problems()) == []


def test_the_waiting_list_is_needed():
    # Without it there is something to find: the checks do look at this checkout.
    assert len(list(check_readers.problems(waiting=NOTHING_WAITS))) > 20
