#pragma once
// tolaria: the trainer. Its data folder turns files into numbered examples and plain buffers;
// nothing in it knows what a tensor is.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "esper/services/tolaria/data/data_errors.h"

namespace esper::tolaria {

/// Four disjoint parts. Training sees train; the gates see probe and nothing else does; the
/// controller and early stopping see validation; test is read once, at the end.
enum class Part : std::uint8_t { kTrain, kProbe, kValidation, kTest };
inline constexpr std::size_t kPartCount = 4;
inline constexpr std::array<Part, kPartCount> kAllParts = {Part::kTrain, Part::kProbe,
                                                           Part::kValidation, Part::kTest};
/// `train`, `probe`, `validation`, `test`.
std::string_view to_text(Part part);

/// How the pixels of one image lie in memory. The logical shape stays {channels, height, width}.
enum class ImageLayout : std::uint8_t { kChannelsFirst, kChannelsLast };

/// What a trainer must know to allocate buffers and build a host.
struct DatasetInfo {
    std::string name;
    /// True: inputs are token numbers (int64); false: normalised pixels (float).
    bool tokens = false;
    /// Shape of one input: {context}, or {channels, height, width}.
    std::vector<std::int64_t> input_shape;
    /// Shape of one target: {context} (the next token at each place), or {} (a class number).
    std::vector<std::int64_t> target_shape;
    /// Size of the vocabulary, or number of classes.
    std::int64_t classes = 0;
    /// What each class or token stands for, as UTF-8.
    std::vector<std::string> class_names;
    ImageLayout layout = ImageLayout::kChannelsFirst;
    /// Mean and standard deviation per channel of the train part, pixels in [0, 1]; images only.
    std::vector<double> mean;
    std::vector<double> deviation;
    /// SHA-256 of the content; a run that resumes on other data is refused by it.
    std::string fingerprint;

    std::int64_t input_elements() const;
    std::int64_t target_elements() const;
};

/// Names the random variation of an epoch's examples (shift, flip, window offset): the same seed,
/// epoch and example always vary alike, so that a resumed run or a fork sees the same inputs.
struct Variation {
    std::uint64_t seed = 0;
    std::uint64_t epoch = 0;
};

/// Where inputs go: `tokens` for token data, `pixels` for images; the other stays null.
struct InputBuffer {
    float* pixels = nullptr;
    std::int64_t* tokens = nullptr;
};

/// A numbered set of examples in four parts. Immutable once open; every function is thread-safe.
class Dataset {
  public:
    virtual ~Dataset() = default;
    virtual const DatasetInfo& info() const = 0;
    virtual std::uint32_t size(Part part) const = 0;

    /// Writes examples `indices` one behind the other: `indices.size() * input_elements()` inputs
    /// and `indices.size() * target_elements()` targets. Without a variation the examples are
    /// given as they are. Errors: kBadIndex; reading a part may fail where it is made on demand.
    virtual Status fill(Part part, std::span<const std::uint32_t> indices,
                        const std::optional<Variation>& variation, InputBuffer inputs,
                        std::int64_t* targets) const = 0;
};

/// The error for an example number outside its part.
tl::unexpected<Error> bad_index(std::string_view dataset, Part part, std::uint32_t index,
                                std::uint32_t size);

}  // namespace esper::tolaria
