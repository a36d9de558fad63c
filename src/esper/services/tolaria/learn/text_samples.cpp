#include "esper/services/tolaria/learn/text_samples.h"

#include <nlohmann/json.hpp>

#include "esper/program/cost/cost.h"
#include "esper/services/tolaria/learn/evaluation.h"

namespace esper::tolaria {

namespace {

/// Enough characters to judge the text, in less than a second.
constexpr int kCharacters = 300;

}  // namespace

Result<double> record_sample(const SampleSource& source, const configs::EsperConfig& config,
                             const std::string& when, std::int64_t step, std::int64_t epoch) {
    if (!source.info.tokens) return 0.0;
    ESPER_TRY(auto text, sample_text(source.engine, source.program, source.store, source.info, "\n",
                                     kCharacters, config.run.seed));
    ESPER_CHECK_STATUS(
        source.folder.event("sample", step, epoch, {{"when", when}, {"text", text.substr(1)}}));
    ESPER_TRY(const auto cost, graph::count_cost(*source.program));
    return static_cast<double>(cost.forward_flops) * kCharacters;
}

}  // namespace esper::tolaria
