#include "esper/services/tolaria/run/determinism.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/max_unpool2d.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>

#include "tolaria/small_runs.h"

namespace esper::tolaria {
namespace {

using testing_runs::Folder;
using testing_runs::small;

// libtorch marks it as one whose result may differ where indices repeat, on every device.
void unpool() {
    at::max_unpool2d(at::rand({1, 1, 2, 2}), at::arange(4).reshape({1, 1, 2, 2}), {4, 4});
}

TEST(Determinism, ARunRefusesOperatorsThatVaryUnlessToldOtherwise) {
    auto config = small();
    Folder first("deterministic"), second("not-deterministic");
    config.run.deterministic = true;
    value_or_throw(Trainer::create(config, first.path));
    EXPECT_THROW(unpool(), std::exception);
    config.run.deterministic = false;
    value_or_throw(Trainer::create(config, second.path));
    EXPECT_NO_THROW(unpool());
    refuse_varying_operators(false);
}

}  // namespace
}  // namespace esper::tolaria
