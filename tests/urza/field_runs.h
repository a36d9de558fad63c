#pragma once

#include <string>

#include "esper/services/urza/library.h"

namespace esper::testing {

/// A run of a GPT in which seeds of one blueprint ended, and so many candidates were measured.
inline urza::FieldRun field_run(const std::string& id, const std::string& blueprint,
                                std::uint32_t seeds, std::int64_t measured) {
    urza::FieldRun run{
        id,
        "gpt",
        {},
        {{.blueprint = blueprint, .host = "", .measured = measured, .chosen = seeds}}};
    for (std::uint32_t epoch = 1; epoch <= seeds; ++epoch) {
        contracts::FieldReport report;
        report.blueprint_id = blueprint;
        report.kernel_artifact_id = "operators";
        report.at.layer = "layer1";
        report.ended_epoch = epoch;
        run.reports.push_back({report, id, "s" + std::to_string(epoch), "gpt"});
    }
    return run;
}

}  // namespace esper::testing
