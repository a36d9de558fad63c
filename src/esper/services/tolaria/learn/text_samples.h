#pragma once

#include <string>

#include "esper/configs/config.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// What a sample is drawn from and where it goes.
struct SampleSource {
    Engine& engine;
    const graph::ProgramPtr& program;
    graph::TensorStore& store;
    const DatasetInfo& info;
    records::RunFolder& folder;
};

/// Draws a few lines of text and writes them into events.jsonl as `sample`; every
/// sample of a run begins alike and draws the same random numbers, so that two of them differ by
/// the network alone. Gives the FLOPs it took: none where the data are no text.
Result<double> record_sample(const SampleSource& source, const configs::EsperConfig& config,
                             const std::string& when, std::int64_t step, std::int64_t epoch);

}  // namespace esper::tolaria
