#include "esper/services/tolaria/learn/text_samples.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "esper/base/random.h"
#include "esper/base/text.h"
#include "esper/program/cost/cost.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/tolaria/data/tokenizer.h"
#include "esper/services/tolaria/data/utf8.h"

namespace esper::tolaria {

namespace {

std::int64_t likeliest(const float* logits, std::int64_t n) {
    return std::max_element(logits, logits + n) - logits;
}

// The k-th largest logit; what lies below it is not drawn.
float least_kept(const float* logits, std::int64_t n, std::int64_t k) {
    std::vector<float> sorted(logits, logits + n);
    std::ranges::nth_element(sorted, sorted.begin() + (k - 1), std::greater());
    return sorted[static_cast<std::size_t>(k - 1)];
}

std::int64_t draw(const float* logits, std::int64_t n, const SampleOptions& options,
                  RandomStream& random) {
    if (options.temperature == 0) return likeliest(logits, n);
    const bool cuts = options.top_k > 0 && options.top_k < n;
    const float least = cuts ? least_kept(logits, n, options.top_k) : 0;
    const double top = *std::max_element(logits, logits + n);
    std::vector<double> weights;
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        const bool is_cut = cuts && logits[i] < least;
        weights.push_back(is_cut ? 0 : std::exp((logits[i] - top) / options.temperature));
        sum += weights.back();
    }
    double at = random.uniform() * sum;
    std::int64_t last = n - 1;
    for (std::int64_t i = 0; i < n; ++i) {
        const double weight = weights[static_cast<std::size_t>(i)];
        if (weight > 0) last = i;
        at -= weight;
        if (at <= 0 && weight > 0) return i;
    }
    return last;
}

Result<std::vector<std::int64_t>> encode_numbers(const DatasetInfo& data, std::string_view prompt) {
    std::vector<std::int64_t> tokens;
    std::string blanks_for_ends(prompt);
    std::ranges::replace_if(
        blanks_for_ends, [](char c) { return c == '\n' || c == '\t'; }, ' ');
    for (const auto& word : split(blanks_for_ends, ' ')) {
        if (word.empty()) continue;
        std::int64_t token = -1;
        const auto* end = word.data() + word.size();
        const auto [at, error] = std::from_chars(word.data(), end, token);
        if (error != std::errc{} || at != end || token < 0 || token >= data.classes)
            return fail(DataError::kBadOption,
                        fmt::format("--prompt: the data are token numbers without their text; "
                                    "expected numbers from 0 to {} between blanks, got '{}'",
                                    data.classes - 1, records::printable(word)));
        tokens.push_back(token);
    }
    return tokens;
}

std::string quoted(std::string_view character) {
    if (character == "\n") return "'\\n'";
    return "'" + records::printable(character) + "'";
}

tl::unexpected<Error> unknown_characters(const DatasetInfo& data,
                                         const std::vector<std::string>& unknown) {
    constexpr std::size_t kNamed = 100;
    std::string known;
    for (std::size_t i = 0; i < std::min(kNamed, data.class_names.size()); ++i)
        known += data.class_names[i] == "\n" ? "\\n" : records::printable(data.class_names[i]);
    if (data.class_names.size() > kNamed) known += " …";
    return fail(DataError::kBadOption,
                fmt::format("--prompt: {} {} not among the {} characters of the text that the "
                            "network learnt from; these are: {}",
                            join(unknown, ", "), unknown.size() == 1 ? "is" : "are",
                            data.class_names.size(), known));
}

}  // namespace

Result<std::vector<std::int64_t>> encode_prompt(const DatasetInfo& data, std::string_view prompt) {
    if (data.name == "tokens") return encode_numbers(data, prompt);
    if (data.tokenizer) {
        auto tokens = data.tokenizer->encode(prompt);
        if (!tokens) return fail(tokens.error().within("--prompt"));
        return std::vector<std::int64_t>(tokens->begin(), tokens->end());
    }
    std::vector<std::int64_t> tokens;
    std::vector<std::string> unknown;
    for (std::size_t at = 0; at < prompt.size();) {
        const auto step = decode_utf8(prompt, at);
        const auto character = prompt.substr(at, std::max<std::uint32_t>(1, step.length));
        at += character.size();
        const auto found = std::ranges::find(data.class_names, character);
        if (found != data.class_names.end())
            tokens.push_back(found - data.class_names.begin());
        else if (const auto name = quoted(character);
                 std::ranges::find(unknown, name) == unknown.end())
            unknown.push_back(name);
    }
    if (!unknown.empty()) return unknown_characters(data, unknown);
    return tokens;
}

std::vector<std::int64_t> default_start(const DatasetInfo& data) {
    const auto found = std::ranges::find(data.class_names, "\n");
    return {found == data.class_names.end() ? 0 : found - data.class_names.begin()};
}

Result<std::string> sample_text(Engine& engine, const graph::ProgramPtr& program,
                                graph::TensorStore& store, const DatasetInfo& data,
                                std::vector<std::int64_t> start, const SampleOptions& options) {
    const auto context = data.input_shape.at(0);
    auto tokens = std::move(start);
    RandomStream random(options.seed, "sample");
    auto window = at::full({1, context}, tokens[0], at::kLong);
    std::string text;
    Utf8Stream stream;
    const auto add = [&](const std::string& piece) {
        text += piece;
        if (options.on_text && !piece.empty()) options.on_text(piece);
    };
    for (std::int64_t i = 0; i < options.tokens; ++i) {
        // The model is causal: padding after the last token cannot change its distribution.
        const auto have = std::min<std::int64_t>(context, static_cast<std::int64_t>(tokens.size()));
        std::copy(tokens.end() - have, tokens.end(), window.mutable_data_ptr<std::int64_t>());
        ESPER_TRY(auto logits, engine.logits(program, store, {window}));
        auto row = logits.select(0, 0).select(0, have - 1).to(at::kFloat).contiguous();
        // A model may know more tokens than this text has characters.
        const auto known =
            std::min(row.numel(), static_cast<std::int64_t>(data.class_names.size()));
        tokens.push_back(draw(row.const_data_ptr<float>(), known, options, random));
        add(stream.take(data.class_names[static_cast<std::size_t>(tokens.back())]));
    }
    add(stream.finish());
    return text;
}

Result<double> record_sample(const SampleSource& source, const configs::EsperConfig& config,
                             const std::string& when, std::int64_t step, std::int64_t epoch,
                             std::int64_t tokens) {
    if (!source.info.tokens) return 0.0;
    // Enough characters to judge the text, in less than a second.
    SampleOptions options;
    options.seed = config.run.seed;
    options.tokens = tokens;
    ESPER_TRY(const auto text, sample_text(source.engine, source.program, source.store, source.info,
                                           default_start(source.info), options));
    ESPER_CHECK_STATUS(
        source.folder.event("sample", step, epoch, {{"when", when}, {"text", text}}));
    ESPER_TRY(const auto cost, graph::count_cost(*source.program));
    return static_cast<double>(cost.forward_flops) * static_cast<double>(options.tokens);
}

}  // namespace esper::tolaria
