#include "esper/blueprints/noise_features.h"

namespace esper::blueprints {

using namespace graph;

// A sham with the whole life of a real seed: a trainable readout of noise features. It can memorise
// a little of its training examples. On other examples its features, and so its output, are
// unrelated to those (see noise_features.h). It has no bias, since a constant could help.
ValueId sham_trained(Branch& branch) {
    constexpr std::int64_t kSize = 32;
    return spread(branch, branch.readout(noise_features(branch, kSize), kSize, false));
}

}  // namespace esper::blueprints
