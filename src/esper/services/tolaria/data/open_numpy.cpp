#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "esper/base/ascii.h"
#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/numpy_array.h"
#include "esper/services/tolaria/data/open_own.h"
#include "esper/services/tolaria/data/stored_images.h"
#include "esper/services/tolaria/data/table_dataset.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;
using Arrays = std::map<std::string, NumpyArray>;
using Names = std::vector<std::string_view>;

// The names that people give, the clearest first. Case does not count.
const Names kInputs = {"x_train", "train_images", "train_x", "train_data", "x",
                       "images",  "data",         "inputs",  "features",   "arr_0"};
const Names kTargets = {"y_train", "train_labels", "train_y", "train_targets", "y",
                        "labels",  "label",        "targets", "target",        "arr_1"};
const Names kTestInputs = {"x_test", "test_images", "test_x", "test_data"};
const Names kTestTargets = {"y_test", "test_labels", "test_y", "test_targets"};
const Names kValidationInputs = {"x_val", "x_valid", "val_images", "val_x", "x_validation"};
const Names kValidationTargets = {"y_val", "y_valid", "val_labels", "val_y", "y_validation"};

const NumpyArray* find(const Arrays& arrays, const Names& names) {
    for (const auto name : names)
        for (const auto& [key, array] : arrays)
            if (lowered(key) == name) return &array;
    return nullptr;
}

Result<NumpyArray> read_npy(const fs::path& path) {
    ESPER_TRY(auto bytes, read_data_file(path));
    auto array = NumpyArray::parse(std::make_shared<std::string>(std::move(bytes)));
    if (!array) return fail(array.error().within(path.string()));
    return array;
}

// Of a single file the others of its folder that belong to it, by their names.
Result<Arrays> read_arrays(const fs::path& path) {
    if (path.extension() == ".npz") {
        auto arrays = read_npz(path.string());
        if (!arrays) return fail(arrays.error().within(path.string()));
        return arrays;
    }
    std::error_code none;
    const bool is_folder = fs::is_directory(path, none);
    const auto folder = is_folder ? path : path.parent_path();
    Arrays arrays;
    if (!is_folder) {
        ESPER_TRY(auto array, read_npy(path));
        const bool is_input = std::ranges::count(kInputs, lowered(path.stem().string())) > 0;
        arrays.emplace(path.stem().string(), std::move(array));
        if (!is_input) return arrays;
    }
    for (const auto& entry : fs::directory_iterator(folder.empty() ? "." : folder, none)) {
        if (entry.path().extension() != ".npy" || arrays.contains(entry.path().stem().string()))
            continue;
        ESPER_TRY(auto array, read_npy(entry.path()));
        arrays.emplace(entry.path().stem().string(), std::move(array));
    }
    return arrays;
}

std::string names_of(const Arrays& arrays) {
    std::vector<std::string> words;
    for (const auto& [name, array] : arrays)
        words.push_back(fmt::format("{} {}", shown_name(name), array.in_words()));
    return words.empty() ? "none" : join(words, ", ");
}

/// Inputs and targets of one part.
struct Pair {
    const NumpyArray* inputs = nullptr;
    const NumpyArray* targets = nullptr;
    std::uint64_t rows() const { return inputs->shape()[0]; }
};

/// A number for each of several labels, row by row.
bool is_matrix(const NumpyArray& targets) {
    return targets.shape().size() == 2 && targets.shape()[1] >= 2;
}

Result<std::optional<Pair>> find_pair(const Arrays& arrays, const Names& inputs,
                                      const Names& targets) {
    const Pair pair{find(arrays, inputs), find(arrays, targets)};
    if (pair.inputs == nullptr || pair.targets == nullptr) return std::nullopt;
    const auto& shape = pair.targets->shape();
    const bool one_each = !pair.inputs->shape().empty() && !shape.empty() &&
                          shape[0] == pair.inputs->shape()[0] &&
                          (pair.targets->elements() == shape[0] || is_matrix(*pair.targets));
    if (!one_each)
        return fail(DataError::kCorrupt,
                    fmt::format("inputs {} and targets {} do not belong together; expected one "
                                "target, or 1 or 0 for each of several labels, for each row",
                                pair.inputs->in_words(), pair.targets->in_words()));
    return pair;
}

double finite_at(const NumpyArray& array, std::uint64_t index) {
    const double value = array.at(index);
    return std::isfinite(value) ? value : std::numeric_limits<double>::quiet_NaN();
}

// Targets of 1 and 0: labels, or, where each row has exactly one 1, classes. Of all pairs, one
// below the other; nothing where there is one target for each row.
Result<std::optional<TableTarget>> matrix_target(const std::vector<Pair>& pairs,
                                                 std::optional<Task> task) {
    const auto* first = pairs[0].targets;
    const bool has = first != nullptr && is_matrix(*first);
    if (!has && task == Task::kMultiLabel)
        return fail(DataError::kBadOption,
                    fmt::format("data.task is multi_label: expected targets [N, labels] of 1 and "
                                "0, got {}",
                                first == nullptr ? "none" : first->in_words()));
    const auto labels = has ? first->shape()[1] : 1;
    for (const auto& pair : pairs)
        if (pair.targets != nullptr &&
            (is_matrix(*pair.targets) != has || (has && pair.targets->shape()[1] != labels)))
            return fail(DataError::kCorrupt,
                        fmt::format("the parts have targets of different shapes: {} and {}",
                                    first->in_words(), pair.targets->in_words()));
    if (!has) return std::optional<TableTarget>{};
    TableTarget target;
    target.name = "y";
    bool one_hot = task != Task::kMultiLabel;
    for (const auto& pair : pairs)
        for (std::uint64_t row = 0; row < pair.rows(); ++row) {
            std::uint32_t ones = 0;
            for (std::uint64_t l = 0; l < labels; ++l) {
                const double value = pair.targets->at(row * labels + l);
                if (value != 0 && value != 1)
                    return fail(DataError::kUnsupportedFormat,
                                fmt::format("the targets are {}, and row {} holds {}; expected one "
                                            "target for each row, or 1 or 0 for each of several "
                                            "labels",
                                            pair.targets->in_words(), row, value));
                target.labels.push_back(value == 1 ? 1 : 0);
                if (value == 1 && ones++ == 0)
                    target.classes.push_back(static_cast<std::uint32_t>(l));
            }
            one_hot = one_hot && ones == 1;
        }
    if (!one_hot && task && task != Task::kMultiLabel)
        return fail(DataError::kBadOption,
                    fmt::format("data.task is {}, but the targets are {}, of which some rows have "
                                "no 1 or several: these are labels (multi_label)",
                                to_text(*task), first->in_words()));
    target.task = one_hot ? Task::kClassification : Task::kMultiLabel;
    if (one_hot && task == Task::kRegression)
        return fail(DataError::kBadOption,
                    fmt::format("data.task is regression, but the targets are {}: classes",
                                first->in_words()));
    for (std::uint64_t l = 0; l < labels; ++l)
        target.class_names.push_back(one_hot ? fmt::format("{}", l)
                                             : fmt::format("label{}", l + 1));
    target.why = one_hot ? fmt::format(
                               "each row of its {} columns has one 1 "
                               "(data.task=multi_label makes them labels)",
                               labels)
                         : fmt::format("it has {} columns of 1 and 0", labels);
    if (one_hot)
        target.labels.clear();
    else
        target.classes.clear();
    return std::optional(std::move(target));
}

// The columns of all pairs, one below the other; without targets the last column is the target.
Result<std::vector<TableColumn>> columns_of(const std::vector<Pair>& pairs, bool with_targets) {
    const auto width = pairs[0].inputs->shape()[1];
    std::uint64_t cells = 0;
    for (const auto& pair : pairs) cells += pair.inputs->elements();
    ESPER_CHECK_STATUS(
        check_memory(cells * 8, "the array's numbers", "save fewer columns or rows"));
    std::vector<TableColumn> columns(width + 1);
    for (std::uint64_t c = 0; c < width; ++c) columns[c].name = fmt::format("column{}", c + 1);
    for (const auto& pair : pairs) {
        if (pair.inputs->shape().size() != 2 || pair.inputs->shape()[1] != width)
            return fail(DataError::kCorrupt,
                        fmt::format("the parts have inputs of different widths: {} and {}",
                                    pairs[0].inputs->in_words(), pair.inputs->in_words()));
        for (std::uint64_t row = 0; row < pair.rows(); ++row)
            for (std::uint64_t c = 0; c < width; ++c)
                columns[c].numbers.push_back(finite_at(*pair.inputs, row * width + c));
        for (std::uint64_t row = 0; with_targets && row < pair.rows(); ++row)
            columns[width].numbers.push_back(finite_at(*pair.targets, row));
    }
    columns[width].name = "y";
    if (columns[width].numbers.empty()) columns.pop_back();
    return columns;
}

Result<TableTarget> target_of_column(const TableColumn& column, std::optional<Task> task) {
    for (std::size_t row = 0; row < column.numbers.size(); ++row)
        if (std::isnan(column.numbers[row]))
            return fail(DataError::kCorrupt,
                        fmt::format("the target of row {} is no number; leave such rows out", row));
    return choose_target(column, task);
}

Result<std::shared_ptr<const Dataset>> open_rows(const std::vector<Pair>& pairs, bool has_test,
                                                 const DataOptions& options,
                                                 const std::string& sha256,
                                                 const std::vector<std::string>& more_notes = {}) {
    ESPER_TRY(auto matrix, matrix_target(pairs, options.task));
    ESPER_TRY(auto columns, columns_of(pairs, !matrix && pairs[0].targets != nullptr));
    const auto rows = columns.front().rows();
    if (!matrix) {
        ESPER_TRY(matrix, target_of_column(columns.back(), options.task));
        columns.pop_back();
    }
    const auto& target = *matrix;
    auto groups = groups_of(target);
    Split split = options.split;
    const auto pool = pairs[0].rows();
    groups.resize(pool);
    if (has_test) split.test = 0;
    ESPER_TRY(auto parts, split_rows(groups, split));
    for (auto row = pool; row < rows; ++row)
        parts[static_cast<std::size_t>(Part::kTest)].push_back(static_cast<std::uint32_t>(row));
    std::vector<std::string> notes{
        fmt::format("target '{}': {}, because {}", target.name, to_text(target.task), target.why)};
    if (has_test)
        notes.emplace_back("the test part is the data's own; data.split.test is not used");
    notes.insert(notes.end(), more_notes.begin(), more_notes.end());
    return TableDataset::make(columns, target, parts, sha256, std::move(notes), has_test);
}

/// Where in an array the pixels of images lie.
struct ImageShape {
    std::uint64_t channels = 1, height = 0, width = 0;
    bool channels_last = false;
};

Result<ImageShape> image_shape(const NumpyArray& array) {
    const auto& s = array.shape();
    constexpr std::uint64_t kLargest = 4096;
    const auto is_count = [](std::uint64_t n) { return n == 1 || n == 3; };
    std::optional<ImageShape> found;
    if (s.size() == 3) found = ImageShape{1, s[1], s[2], false};
    if (s.size() == 4 && is_count(s[3])) found = ImageShape{s[3], s[1], s[2], true};
    if (s.size() == 4 && !found && is_count(s[1])) found = ImageShape{s[1], s[2], s[3], false};
    if (found && found->height > 0 && found->width > 0 && found->height <= kLargest &&
        found->width <= kLargest)
        return *found;
    return fail(DataError::kUnsupportedFormat,
                fmt::format("inputs are {}; expected rows [N, features] or images [N, height, "
                            "width], [N, height, width, 1 or 3], [N, 1 or 3, height, width]",
                            array.in_words()));
}

// Bytes as they are; other numbers from 0 to 1 or from 0 to 255.
Result<double> scale_of(const NumpyArray& array) {
    if (array.is_bytes()) return 1.0;
    double low = 0;
    double high = 0;
    for (std::uint64_t i = 0; i < array.elements(); ++i) {
        const double value = array.at(i);
        if (!std::isfinite(value)) return fail(DataError::kCorrupt, "a pixel is not finite");
        low = std::min(low, value);
        high = std::max(high, value);
    }
    if (low >= 0 && high <= 255) return high <= 1 ? 255.0 : 1.0;
    return fail(DataError::kUnsupportedFormat,
                fmt::format("pixels run from {} to {}; expected 0 to 255, or 0 to 1", low, high));
}

Result<ImagePart> read_images(const Pair& pair, const ImageShape& shape,
                              const std::set<double>& classes,
                              const std::optional<TableTarget>& matrix, std::size_t first_row) {
    const auto& array = *pair.inputs;
    ESPER_TRY(const double scale, scale_of(array));
    ImagePart part;
    part.pixels.resize(array.elements());
    const auto plane = shape.height * shape.width;
    const auto image = plane * shape.channels;
    for (std::uint64_t i = 0; i < array.elements(); ++i) {
        const double value = array.at(i) * scale;
        const auto inside = i % image;
        const auto to = shape.channels_last
                            ? i - inside + inside % shape.channels * plane + inside / shape.channels
                            : i;
        part.pixels[to] = static_cast<std::uint8_t>(std::lround(value));
    }
    if (matrix && matrix->task == Task::kMultiLabel) {
        const auto labels = matrix->class_names.size();
        const auto* holds = matrix->labels.data() + first_row * labels;
        part.labels.resize(pair.rows());
        part.holds.assign(holds, holds + pair.rows() * labels);
        return part;
    }
    for (std::uint64_t row = 0; row < pair.rows(); ++row) {
        if (matrix) {
            part.labels.push_back(static_cast<std::uint16_t>(matrix->classes[first_row + row]));
            continue;
        }
        const auto found = classes.find(pair.targets->at(row));
        part.labels.push_back(static_cast<std::uint16_t>(std::distance(classes.begin(), found)));
    }
    return part;
}

Result<std::shared_ptr<const Dataset>> open_images(const Pair& train,
                                                   const std::optional<Pair>& validation,
                                                   const std::optional<Pair>& test,
                                                   const DataOptions& options,
                                                   const std::string& sha256) {
    if (options.task == Task::kRegression)
        return fail(DataError::kBadOption, "data.task is regression, but images are classified");
    ESPER_TRY(const auto shape, image_shape(*train.inputs));
    std::vector<Pair> pairs{train};
    if (validation) pairs.push_back(*validation);
    if (test) pairs.push_back(*test);
    ESPER_TRY(const auto matrix, matrix_target(pairs, options.task));
    std::set<double> classes;
    ImageSource source;
    source.name = "numpy";
    for (const auto& pair : pairs) {
        if (!matrix && !pair.targets->is_whole())
            return fail(DataError::kUnsupportedFormat,
                        fmt::format("the labels are {}; expected whole numbers, one for each image",
                                    pair.targets->in_words()));
        ESPER_TRY(const auto other, image_shape(*pair.inputs));
        if (other.height != shape.height || other.width != shape.width ||
            other.channels != shape.channels)
            return fail(DataError::kCorrupt, "the parts have images of different sizes");
        for (std::uint64_t row = 0; !matrix && row < pair.rows(); ++row)
            classes.insert(pair.targets->at(row));
    }
    for (const auto label : classes) source.class_names.push_back(number_name(label));
    if (matrix) {
        source.class_names = matrix->class_names;
        source.several_labels = matrix->task == Task::kMultiLabel;
        source.notes.push_back(fmt::format("target '{}': {}, because {}", matrix->name,
                                           to_text(matrix->task), matrix->why));
    }
    if (source.class_names.size() > 65535)
        return fail(DataError::kTooLarge, fmt::format("{} classes; at most 65,535 are told apart",
                                                      source.class_names.size()));
    source.channels = static_cast<int>(shape.channels);
    source.height = static_cast<int>(shape.height);
    source.width = static_cast<int>(shape.width);
    std::size_t row = train.rows();
    ESPER_TRY(source.pool, read_images(train, shape, classes, matrix, 0));
    if (validation) {
        ESPER_TRY(source.validation, read_images(*validation, shape, classes, matrix, row));
        row += validation->rows();
    }
    if (test) {
        ESPER_TRY(source.test, read_images(*test, shape, classes, matrix, row));
    }
    source.content_sha256 = sha256;
    return StoredImages::make(std::move(source),
                              {options.layout, options.augmentation, options.split});
}

Result<std::shared_ptr<const Dataset>> open_found(const Arrays& arrays,
                                                  const DataOptions& options) {
    Sha256Hasher hasher;
    for (const auto& [name, array] : arrays)
        hasher.update_field(name).update_field(array.in_words()).update(array.bytes());
    const auto sha256 = hasher.finish().hex();
    ESPER_TRY(const auto train, find_pair(arrays, kInputs, kTargets));
    if (!train) {
        // One matrix: the last column is what is predicted.
        if (arrays.size() == 1 && arrays.begin()->second.shape().size() == 2 &&
            arrays.begin()->second.shape()[1] >= 2)
            return open_rows({{&arrays.begin()->second, nullptr}}, false, options, sha256);
        return fail(
            DataError::kUnsupportedFormat,
            fmt::format("no inputs and targets are found; expected arrays named x_train and "
                        "y_train, X and y, or images and labels; there are: {}",
                        names_of(arrays)));
    }
    ESPER_TRY(const auto validation, find_pair(arrays, kValidationInputs, kValidationTargets));
    ESPER_TRY(const auto test, find_pair(arrays, kTestInputs, kTestTargets));
    if (train->inputs->shape().size() != 2)
        return open_images(*train, validation, test, options, sha256);
    std::vector<Pair> pairs{*train};
    if (test) pairs.push_back(*test);
    std::vector<std::string> notes;
    if (validation)
        notes.push_back(
            fmt::format("the {} validation rows of the data's own are in no part: of "
                        "rows only the test part is taken as it is",
                        validation->rows()));
    return open_rows(pairs, test.has_value(), options, sha256, notes);
}

}  // namespace

Result<std::shared_ptr<const Dataset>> open_numpy(const DataOptions& options) {
    const auto path = find_data(options.path);
    ESPER_TRY(const auto arrays, read_arrays(path));
    auto set = open_found(arrays, options);
    if (!set) return fail(set.error().within(path.string()));
    return set;
}

}  // namespace esper::tolaria
