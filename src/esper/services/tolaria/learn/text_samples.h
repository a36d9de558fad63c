#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/configs/config.h"
#include "esper/services/records/run_folder.h"
#include "esper/services/tolaria/data/dataset.h"
#include "esper/services/tolaria/learn/engine.h"

namespace esper::tolaria {

/// How a text is drawn.
struct SampleOptions {
    std::int64_t tokens = 300;
    /// Logits are divided by it; 0: the likeliest token each time.
    double temperature = 0.8;
    std::int64_t top_k = 0;  ///< only the so many likeliest tokens are drawn from; 0: all
    std::uint64_t seed = 0;  ///< of RandomStream(seed, "sample")
    /// Called with the text of each token as it is drawn.
    std::function<void(std::string_view)> on_text = {};
};

/// The tokens of a prompt: its characters, or, where the data are numbers without their text, the
/// numbers between blanks. Errors: DataError::kBadOption naming what the network has never seen.
Result<std::vector<std::int64_t>> encode_prompt(const DatasetInfo& data, std::string_view prompt);

/// What a text begins with where nothing is prompted: the end of a line, else the first token.
std::vector<std::int64_t> default_start(const DatasetInfo& data);

/// Continues `start`, which is not empty, by tokens from the model's distribution; the window is
/// the Program's context. For data of tokens only. Returns the continuation alone.
Result<std::string> sample_text(Engine& engine, const graph::ProgramPtr& program,
                                graph::TensorStore& store, const DatasetInfo& data,
                                std::vector<std::int64_t> start, const SampleOptions& options);

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
                             const std::string& when, std::int64_t step, std::int64_t epoch,
                             std::int64_t tokens = SampleOptions{}.tokens);

}  // namespace esper::tolaria
