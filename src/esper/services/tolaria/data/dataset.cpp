#include "esper/services/tolaria/data/dataset.h"

#include <fmt/format.h>

#include <functional>
#include <numeric>

namespace esper::tolaria {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
    return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

}  // namespace

std::string_view to_text(Part part) {
    switch (part) {
        case Part::kTrain:
            return "train";
        case Part::kProbe:
            return "probe";
        case Part::kValidation:
            return "validation";
        case Part::kTest:
            return "test";
    }
    return "?";
}

std::string_view to_text(Task task) {
    switch (task) {
        case Task::kClassification:
            return "classification";
        case Task::kNextToken:
            return "next_token";
        case Task::kRegression:
            return "regression";
        case Task::kMultiLabel:
            return "multi_label";
    }
    return "?";
}

std::int64_t DatasetInfo::input_elements() const { return product(input_shape); }
std::int64_t DatasetInfo::target_elements() const { return product(target_shape); }

tl::unexpected<Error> bad_index(std::string_view dataset, Part part, std::uint32_t index,
                                std::uint32_t size) {
    return fail(DataError::kBadIndex,
                fmt::format("example {} asked of the {} part of '{}', which has {} examples", index,
                            to_text(part), dataset, size));
}

}  // namespace esper::tolaria
