"""The check of room order: each breach is planted and must be found."""

import check_rooms
import pytest
import repository


def breaches(root):
    return list(check_rooms.breaches(root))


def test_the_repository_itself_is_clean():
    assert breaches(repository.ROOT) == []


@pytest.mark.parametrize("name, include", [
    ("src/esper/base/a.cpp", "esper/contracts/enums.h"),
    ("src/esper/contracts/a.h", "esper/utils/logging.h"),
    ("src/esper/utils/a.h", "esper/configs/config.h"),
    ("src/esper/configs/a.h", "esper/utils/logging.h"),
    ("src/esper/engine/a.cpp", "esper/execution/kernels/kernel_cache.h"),
    ("src/esper/execution/kasmina/kasmina_layer.cpp", "esper/blueprints/catalogue.h"),
    ("src/esper/blueprints/a.cpp", "esper/execution/kernels/kernel_cache.h"),
    ("src/esper/core/hosts/a.cpp", "esper/services/tolaria/run/trainer.h"),
    ("src/esper/services/tamiyo/a.cpp", "esper/cli/train.h"),
    ("src/esper/services/tamiyo/a.cpp", "esper/services/tolaria/run/trainer.h"),
    ("src/esper/services/tolaria/learn/a.h", "esper/services/tolaria/grow/growth.h"),
    ("src/esper/core/a.cpp", "esper/attic/a.h"),
])
def test_an_include_that_does_not_point_downwards_is_found(repository_with, name, include):
    root = repository_with({name: f'#pragma once\n  # include "{include}"\n'})
    found = breaches(root)
    assert len(found) == 1
    assert name in found[0] and include in found[0]


@pytest.mark.parametrize("name, include", [
    ("src/esper/base/a.cpp", "<ATen/ATen.h>"),
    ("src/esper/contracts/a.h", "<c10/util/Half.h>"),
    ("src/esper/execution/kernels/kernel_cache.cpp", '"torch/torch.h"'),
    ("src/esper/program/program.cpp", "<ATen/core/Tensor.h>"),
    ("src/esper/services/tolaria/data/dataset.cpp", "<ATen/core/Tensor.h>"),
])
def test_libtorch_in_a_room_without_it_is_found(repository_with, name, include):
    found = breaches(repository_with({name: f"#include {include}\n"}))
    assert len(found) == 1 and "without libtorch" in found[0]


def test_what_is_allowed_is_not_reported(repository_with):
    assert breaches(repository_with({
        "src/esper/base/a.cpp": '#include "esper/base/b.h"\n#include <vector>\n',
        "src/esper/engine/a.cpp": '#include <ATen/core/Tensor.h>\n#include "esper/base/a.h"\n',
        "src/esper/execution/kasmina/kasmina_layer.cpp":
            '#include <c10/core/Device.h>\n#include "esper/program/program.h"\n',
        "src/esper/services/tolaria/grow/a.cpp": '#include "esper/services/tamiyo/policy.h"\n',
        "src/esper/cli/train.cpp": '#include "esper/base/error.h"\n',
    })) == []


def test_an_unknown_room_is_found(repository_with):
    found = breaches(repository_with({"src/esper/attic/a.cpp": "\n"}))
    assert len(found) == 1 and "attic" in found[0]


def test_a_file_may_have_800_lines_and_no_more(repository_with):
    root = repository_with({"tests/a_test.cpp": "\n" * 800, "tests/b_test.cpp": "\n" * 801,
                            "data/long.txt": "\n" * 5000})
    found = breaches(root)
    assert len(found) == 1 and "b_test.cpp" in found[0]


def test_ignored_files_are_not_read(repository_with):
    root = repository_with({".gitignore": "/build/\n",
                            "build/src/esper/base/a.cpp": "x\n" * 900})
    assert breaches(root) == []
