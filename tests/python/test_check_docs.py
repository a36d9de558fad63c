import check_docs
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
