#include "esper/cli/library_risk.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "esper/cli/print.h"
#include "esper/cli/table.h"
#include "esper/services/urabrask/risk.h"
#include "esper/services/urza/kernel_uses.h"

namespace esper::cli {

namespace {

using urabrask::RiskBin;

struct Seen {
    std::vector<urabrask::PredictedUse> predicted;
    urabrask::FieldCounts counts;  ///< of those whose trial gave a risk
    std::int64_t without = 0;      ///< uses without a prediction
};

Result<Seen> see(urza::Library& library) {
    ESPER_TRY(const auto uses, urza::kernel_uses(library));
    Seen seen;
    for (const auto& use : uses) {
        if (use.measured) seen.counts.add(*use.measured, use.failed);
        if (use.risk)
            seen.predicted.push_back({*use.risk, use.failed});
        else
            ++seen.without;
    }
    return seen;
}

double expected(const RiskBin& bin) { return bin.predicted * static_cast<double>(bin.uses); }

void print_json(const Seen& seen) {
    for (const auto& bin : urabrask::calibration(seen.predicted)) {
        nlohmann::json line{
            {"event", "risk_bin"}, {"from", bin.from},         {"to", bin.to},
            {"uses", bin.uses},    {"failures", bin.failures}, {"expected", expected(bin)}};
        if (bin.uses > 0) {
            line["observed"] = static_cast<double>(bin.failures) / static_cast<double>(bin.uses);
            line["observed_low"] = bin.low;
            line["observed_high"] = bin.high;
            line["calibrated"] = bin.is_calibrated();
        }
        print_json_line(line);
    }
    print_json_line({{"event", "risk"},
                     {"uses", seen.predicted.size()},
                     {"uses_without_prediction", seen.without},
                     {"odds_factor", urabrask::odds_factor(seen.counts)},
                     {"coefficients",
                      {{"intercept", urabrask::kIntercept},
                       {"error_share", urabrask::kOfErrorShare},
                       {"speed_spread", urabrask::kOfSpread},
                       {"log2_memory_ratio", urabrask::kOfMemory}}}});
}

std::string calibration_table(const Seen& seen) {
    Table table;
    table.column("predicted risk", Table::Align::kLeft)
        .column("uses")
        .column("failures expected")
        .column("seen")
        .column("share that failed (95 %)", Table::Align::kLeft)
        .column("", Table::Align::kLeft);
    for (const auto& bin : urabrask::calibration(seen.predicted)) {
        if (bin.uses == 0) continue;
        table.row({fmt::format("{} to {}", bin.from, bin.to), std::to_string(bin.uses),
                   fmt::format("{:.2f}", expected(bin)), std::to_string(bin.failures),
                   fmt::format("{:.1f} to {:.1f} %", 100 * bin.low, 100 * bin.high),
                   bin.is_calibrated()       ? "agrees"
                   : bin.predicted < bin.low ? "risk predicted too low"
                                             : "risk predicted too high"});
    }
    return table.text();
}

void print_text(const Seen& seen) {
    if (seen.predicted.empty())
        std::printf(
            "no run has reported a kernel whose risk was predicted; runs with "
            "growth.kernels=true do when they are done\n");
    else
        std::printf("%s", calibration_table(seen).c_str());
    if (seen.without > 0)
        std::printf("%lld uses were of kernels without a prediction\n",
                    static_cast<long long>(seen.without));
    std::printf("%s\n", fmt::format("the next kernel's odds of failing are multiplied by {:.2f}: "
                                    "({} failures + 1) / ({:.2f} that trials expected + 1)",
                                    urabrask::odds_factor(seen.counts), seen.counts.failures,
                                    seen.counts.expected)
                            .c_str());
}

}  // namespace

Status print_risk(urza::Library& library, bool as_json) {
    ESPER_TRY(const auto seen, see(library));
    as_json ? print_json(seen) : print_text(seen);
    return {};
}

}  // namespace esper::cli
