#include "esper/cli/host_data.h"

#include <algorithm>

#include "esper/services/tolaria/data/data_config.h"
#include "esper/services/tolaria/data/larger_probe.h"
#include "esper/services/tolaria/data/open_like.h"
#include "esper/services/tolaria/data/recognise.h"

namespace esper::cli {

namespace {

constexpr double kTestShare = 0.05;
constexpr std::uint32_t kProbeExamples = 200;  // the gate decides from 50 on, if all save alike
constexpr double kLargestShare = 0.25;

/// A run on data that bring their own test part divides off none; other data need one.
void keep_some_for_testing(tolaria::DataOptions& options, configs::DataKind kind) {
    if (options.split.test > 0 || configs::brings_test(kind)) return;
    options.split.test = kTestShare;
    options.split.train = std::max(0.0, options.split.train - kTestShare);
}

/// Enough of the training examples for the probe part, and no more than a share of them.
std::uint32_t missing_for_the_gate(const tolaria::Dataset& data) {
    const auto probe = data.size(tolaria::Part::kProbe);
    const auto most = static_cast<std::uint32_t>(kLargestShare * data.size(tolaria::Part::kTrain));
    return probe < kProbeExamples ? std::min(kProbeExamples - probe, most) : 0;
}

}  // namespace

Result<std::shared_ptr<const tolaria::Dataset>> open_for_host(
    const configs::EsperConfig& run, const tolaria::Dataset& known, const std::string& path,
    const std::vector<std::string>& classes) {
    auto options = tolaria::data_options(run);
    options.path = path;
    auto kind = run.data.kind;
    // What a text is read as is the run's choice; images and tables may lie in another format.
    if (!known.info().tokens) {
        ESPER_TRY(const auto found, tolaria::recognise(path));
        kind = found.kind;
        options.name = contracts::to_text(kind);
    }
    keep_some_for_testing(options, kind);
    ESPER_TRY(const auto data, tolaria::open_like(known, options, classes));
    const auto more = known.info().tokens ? 0 : missing_for_the_gate(*data);
    if (more == 0) return data;
    return std::make_shared<const tolaria::LargerProbe>(data, more);
}

}  // namespace esper::cli
