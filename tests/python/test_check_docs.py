import re

import check_docs
import check_rooms
import repository


def test_our_own_pages_have_no_broken_link():
    assert list(check_docs.broken_links(repository.ROOT)) == []


def test_our_own_pages_name_nothing_that_is_not_there():
    assert list(check_docs.unknown_names(repository.ROOT)) == []


def test_links_to_missing_files_and_headings_are_found(repository_with):
    root = repository_with({
        "README.md": "# A\n[good](docs/b.md#the-second-one) [gone](docs/c.md) [off](docs/b.md#x)\n"
                     "[web](https://example.org) [here](#a)\n```\n[in code](nowhere.md)\n```\n",
        "docs/b.md": "## The *second* one!\n[up](../README.md)\n",
    })
    assert [link.split(": ")[1] for link in check_docs.broken_links(root)] == [
        "docs/c.md", "docs/b.md#x"]


def test_commands_benchmarks_and_files_that_are_not_there_are_found(repository_with):
    root = repository_with({
        "Makefile": "bench:\n\techo\nsoak:\n",
        "bench/room/oven_bench.cpp": "",
        "README.md": "`make bench NAME=oven` `make bench NAME=stove` `make sauk`\n"
                     "`bench/room/oven_bench.cpp` `bench/room/{oven,stove}_bench.cpp` "
                     "`bench/*/oven*.cpp`\n```\nmake soak\nmake cake\n```\nmake sense of it\n",
    })
    assert [line.split("`")[1] for line in check_docs.unknown_names(root)] == [
        "make bench NAME=stove", "make sauk", "make cake", "bench/room/stove_bench.cpp"]


def rows_of(heading):
    """The cells of each row of the table under a heading of CONTRIBUTING.md, without its head."""
    text = (repository.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_each_answer_to_where_is_names_something_that_is_there():
    rows = rows_of("Where is …?")
    assert len(rows) >= 30
    for question, answer in rows:
        paths = [span for span in re.findall(r"`([^`]+)`", answer) if "/" in span]
        assert paths, question
        for path in paths:
            assert "<" in path or any(repository.ROOT.glob(path.rstrip("/"))), (question, path)


def test_the_table_of_rooms_is_that_of_check_rooms():
    table = {}
    for name, _, may_use in rows_of("The rooms"):
        room = re.match(r"`([^`]+)`", name).group(1)
        table[room] = (set(re.findall(r"`([^`]+)`", may_use)), "†" in name)
    assert table == {room: (set(others), room in check_rooms.TORCH_FREE)
                     for room, others in check_rooms.ROOMS.items()}
