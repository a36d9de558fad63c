import check_docs
import repository


def test_our_own_pages_have_no_broken_link():
    assert list(check_docs.broken_links(repository.ROOT)) == []


def test_links_to_missing_files_and_headings_are_found(repository_with):
    root = repository_with({
        "README.md": "# A\n[good](docs/b.md#the-second-one) [gone](docs/c.md) [off](docs/b.md#x)\n"
                     "[web](https://example.org) [here](#a)\n```\n[in code](nowhere.md)\n```\n",
        "docs/b.md": "## The *second* one!\n[up](../README.md)\n",
    })
    assert [link.split(": ")[1] for link in check_docs.broken_links(root)] == [
        "docs/c.md", "docs/b.md#x"]
