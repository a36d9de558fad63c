#include "esper/blueprints/noise_features.h"

namespace esper::blueprints {

using namespace graph;

// A sham that goes through the whole life of a real seed: a trainable readout of noise features. On
// the examples it trains on it can memorise a little; on others its features are unrelated to
// anything it has seen, and so is its output (see noise_features.h). Without a bias, which would be
// a useful constant.
ValueId sham_trained(Branch& branch) {
    constexpr std::int64_t kSize = 32;
    return spread(branch, branch.readout(noise_features(branch, kSize), kSize, false));
}

}  // namespace esper::blueprints
