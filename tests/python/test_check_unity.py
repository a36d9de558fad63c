"""scripts/check_unity.py, on sources of its own and on the tree."""

from pathlib import Path

import check_unity

ROOT = Path(__file__).resolve().parent.parent.parent
ALONE = """set_source_files_properties(
  {}
  PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
"""
ONE = """namespace esper {
namespace {

constexpr int kMost = 3;

struct Part {
    int size = 0;
};

Status check(const Part& part, int n = 2) {
    return {};
}

}  // namespace

int kOutside = 1;
}  // namespace esper
"""


def tree(tmp_path, other, cmake=""):
    room = tmp_path / "src" / "esper" / "base"
    room.mkdir(parents=True)
    (tmp_path / "src" / "esper" / "CMakeLists.txt").write_text(cmake)
    (room / "one.cpp").write_text(ONE)
    (room / "two.cpp").write_text("namespace esper {\nnamespace {\n\n" + other +
                                  "\n\n}  // namespace\n}  // namespace esper\n")
    return list(check_unity.problems(tmp_path))


def test_types_constants_and_functions_meet(tmp_path):
    for number, other in enumerate(["class Part {};", "const long kMost = 1;",
                                    "bool check(const Part& other,\n           int) {"]):
        found = tree(tmp_path / str(number), other)
        assert len(found) == 1 and "base/one.cpp, base/two.cpp" in found[0], found


def test_overloads_and_names_outside_do_not_meet(tmp_path):
    assert tree(tmp_path / "a", "Status check(const Part& part, double n) {\n}") == []
    assert tree(tmp_path / "b", "int kOutside = 2;") == []


def test_a_function_of_a_header_meets_one_of_a_source(tmp_path):
    tree(tmp_path, "bool is_under(const Part& part,\n              int depth) {\n}")
    header = tmp_path / "src" / "esper" / "base" / "three.h"
    for types, meets in (("const Part& part, int", True), ("const Part&", False)):
        header.write_text(f"namespace esper {{\nbool is_under({types});\n}}  // namespace esper\n")
        found = list(check_unity.problems(tmp_path))
        assert [("base/two.cpp" in line, "base/three.h" in line) for line in found] == (
            [(True, True)] if meets else []), found


def test_a_source_that_is_compiled_alone_meets_nobody(tmp_path):
    assert tree(tmp_path / "a", "class Part {};", ALONE.format("base/two.cpp")) == []
    assert "not there" in tree(tmp_path / "b", "int i = 2;", ALONE.format("base/three.cpp"))[0]


def test_the_tree_can_be_compiled_eight_sources_at_a_time():
    assert list(check_unity.problems(ROOT)) == []
