#include "esper/cli/host_data.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "esper/services/tolaria/data/data_config.h"
#include "esper/services/tolaria/data/open_like.h"
#include "esper/services/tolaria/data/recognise.h"

namespace esper::cli {

namespace {

constexpr double kTestShare = 0.05;
constexpr std::uint32_t kProbeExamples = 200;  // the gate decides from 50 on, if all save alike
constexpr double kLargestProbe = 0.2;

/// A run on data that bring their own test part divides off none; other data need one.
void keep_some_for_testing(tolaria::DataOptions& options) {
    if (options.split.test > 0 || options.name == "cifar10" || options.name == "cifar100") return;
    options.split.test = kTestShare;
    options.split.train = std::max(0.0, options.split.train - kTestShare);
}

/// A larger share for the probe part, taken from the training part's; nothing where the part has
/// examples enough.
std::optional<tolaria::Split> with_a_probe(const tolaria::Dataset& data, tolaria::Split split) {
    double all = 0;
    for (const auto part : tolaria::kAllParts) all += data.size(part);
    const double share = std::min(std::ceil(100 * kProbeExamples / all) / 100, kLargestProbe);
    const double train = split.train - (share - split.probe);
    if (data.size(tolaria::Part::kProbe) >= kProbeExamples || share <= split.probe || train <= 0)
        return std::nullopt;
    split.probe = share;
    split.train = train;
    return split;
}

}  // namespace

Result<std::shared_ptr<const tolaria::Dataset>> open_for_host(const configs::EsperConfig& run,
                                                              const tolaria::Dataset& known,
                                                              const std::string& path) {
    auto options = tolaria::data_options(run);
    options.path = path;
    // What a text is read as is the run's choice; images and tables may lie in another format.
    if (!known.info().tokens) {
        ESPER_TRY(const auto found, tolaria::recognise(path));
        options.name = contracts::to_text(found.kind);
    }
    keep_some_for_testing(options);
    auto data = tolaria::open_like(known, options);
    if (!data || known.info().tokens) return data;
    const auto split = with_a_probe(**data, options.split);
    if (!split) return data;
    options.split = *split;
    return tolaria::open_like(known, options);
}

}  // namespace esper::cli
