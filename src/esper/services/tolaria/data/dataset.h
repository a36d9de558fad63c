#pragma once
// tolaria: the trainer. Its folder `data` turns files into numbered examples in plain buffers; it
// does not use tensors.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

class Tokenizer;

/// The four disjoint parts of a data set. Training uses train; only the gates use probe; the
/// controller and early stopping use validation; test is used once, at the end.
enum class Part : std::uint8_t { kTrain, kProbe, kValidation, kTest };
inline constexpr std::size_t kPartCount = 4;
inline constexpr std::array<Part, kPartCount> kAllParts = {Part::kTrain, Part::kProbe,
                                                           Part::kValidation, Part::kTest};
/// `train`, `probe`, `validation`, `test`.
std::string_view to_text(Part part);

/// The memory order of an image's pixels. The logical shape is always {channels, height, width}.
enum class ImageLayout : std::uint8_t { kChannelsFirst, kChannelsLast };

/// What is learnt: the class of an example, the token after each token, a number, or which of
/// several labels hold.
enum class Task : std::uint8_t { kClassification, kNextToken, kRegression, kMultiLabel };
/// `classification`, `next_token`, `regression`, `multi_label`.
std::string_view to_text(Task task);

/// What the trainer needs to allocate buffers and to build a host.
struct DatasetInfo {
    std::string name;
    /// True: inputs are token numbers (int64); false: normalised pixels (float).
    bool tokens = false;
    /// Shape of one input: {context}, or {channels, height, width}.
    std::vector<std::int64_t> input_shape;
    /// Shape of one target: {context} (the next token at each place), {labels} (1 where a label
    /// holds, else 0), or {} (a class or a number).
    std::vector<std::int64_t> target_shape;
    Task task = Task::kClassification;
    /// Size of the vocabulary, number of classes or labels, or 1: the outputs that a host needs.
    std::int64_t classes = 0;
    /// The name of each class or label, or the text of each token: a character as UTF-8, or the
    /// bytes that the tokenizer gives it.
    std::vector<std::string> class_names;
    /// Texts: how they become tokens; null: a token for each character, or numbers without a text.
    std::shared_ptr<const Tokenizer> tokenizer;
    ImageLayout layout = ImageLayout::kChannelsFirst;
    /// Mean and standard deviation per channel of the train part, pixels in [0, 1]; images only.
    std::vector<double> mean;
    std::vector<double> deviation;
    /// Regression: the name of what is predicted, and its mean and standard deviation in the train
    /// part. Targets are given as (value - mean) / deviation.
    std::string target_name;
    double target_mean = 0;
    double target_deviation = 1;
    /// Text: bytes of UTF-8 in one token, on average; 0 where that cannot be known.
    double bytes_per_token = 0;
    /// The parts that the data bring themselves, which no share decides.
    bool brings_validation = false;
    bool brings_test = false;
    /// What a user should know of how the data were read, a sentence each.
    std::vector<std::string> notes;
    /// SHA-256 of the content. A resume with another fingerprint is refused.
    std::string fingerprint;

    std::int64_t input_elements() const;
    std::int64_t target_elements() const;
};

/// Identifies the random variation of an epoch's examples (shift, flip, window offset). It is a
/// pure function of seed, epoch and example, so a resumed run or a fork gets the same inputs.
struct Variation {
    std::uint64_t seed = 0;
    std::uint64_t epoch = 0;
};

/// The memory for inputs: `tokens` for token data, `pixels` for images; the other pointer is null.
struct InputBuffer {
    float* pixels = nullptr;
    std::int64_t* tokens = nullptr;
};

/// The memory for targets: `classes` for class and token numbers, `values` for regression and
/// labels.
struct TargetBuffer {
    std::int64_t* classes = nullptr;
    float* values = nullptr;
};

/// A numbered set of examples in four parts. Immutable once open; every function is thread-safe.
class Dataset {
  public:
    virtual ~Dataset() = default;
    virtual const DatasetInfo& info() const = 0;
    virtual std::uint32_t size(Part part) const = 0;

    /// Writes the examples `indices` one after another: `indices.size() * input_elements()` inputs
    /// and `indices.size() * target_elements()` targets. Without a variation the examples are not
    /// changed. Errors: kBadIndex, and those of making a part that is made at its first use.
    virtual Status fill(Part part, std::span<const std::uint32_t> indices,
                        const std::optional<Variation>& variation, InputBuffer inputs,
                        TargetBuffer targets) const = 0;
};

/// The error kBadIndex for an example number outside its part.
tl::unexpected<Error> bad_index(std::string_view dataset, Part part, std::uint32_t index,
                                std::uint32_t size);

}  // namespace esper::tolaria
