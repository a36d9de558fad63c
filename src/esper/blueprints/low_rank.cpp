#include "esper/blueprints/branch.h"

namespace esper::blueprints {

using namespace graph;

// A linear map of rank D/8 of the normalised input: D²/4 weights. (Hu et al., LoRA, ICLR 2022, is
// its form without the norm.)
ValueId low_rank(Branch& branch) {
    const auto d = branch.features;
    const auto r = branch.narrow(8);
    auto normed = branch.norm("norm", branch.x, d);
    return branch.readout(branch.project("down", normed, d, r, variance_matched(d)), r);
}

}  // namespace esper::blueprints
