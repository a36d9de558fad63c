#include "esper/services/tolaria/data/table_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "esper/base/ascii.h"
#include "esper/base/hash.h"
#include "esper/services/tolaria/data/class_match.h"

namespace esper::tolaria {
namespace {

constexpr std::size_t kMostNumberClasses = 20;

Result<TableTarget> as_classes(TableTarget target) {
    const auto classes = target.class_names.size();
    if (classes < 2)
        return fail(DataError::kTooSmall, fmt::format("the target '{}' has {} value; there is "
                                                      "nothing to tell apart",
                                                      target.name, classes));
    if (classes * 2 > target.classes.size())
        return fail(DataError::kTooSmall,
                    fmt::format("the target '{}' has {} different texts in {} rows; each class "
                                "needs several rows. Name another column with data.target=NAME",
                                target.name, classes, target.classes.size()));
    target.task = Task::kClassification;
    return target;
}

// Mean and deviation of the train part; of a target without variation 1.
void standardise_by(const std::vector<double>& values, const std::vector<std::uint32_t>& train,
                    DatasetInfo& info) {
    double sum = 0;
    for (const auto row : train) sum += values[row];
    info.target_mean = sum / static_cast<double>(train.size());
    double squares = 0;
    for (const auto row : train) squares += std::pow(values[row] - info.target_mean, 2);
    const double deviation = std::sqrt(squares / static_cast<double>(train.size()));
    if (deviation > 0 && std::isfinite(deviation)) info.target_deviation = deviation;
}

}  // namespace

Result<TableTarget> choose_target(const TableColumn& column, std::optional<Task> wish) {
    TableTarget target;
    target.name = column.name;
    if (!column.is_numeric()) {
        if (wish == Task::kRegression)
            return fail(DataError::kBadOption,
                        fmt::format("data.task is regression, but the target '{}' holds texts such "
                                    "as '{}'; set data.task=classification or name another column",
                                    column.name, column.names.back()));
        target.classes = column.categories;
        target.class_names = column.names;
        target.why = "its cells are texts";
        return as_classes(std::move(target));
    }
    const std::set<double> distinct(column.numbers.begin(), column.numbers.end());
    const bool whole = std::ranges::all_of(distinct, [](double v) { return v == std::floor(v); });
    const bool few = whole && distinct.size() <= kMostNumberClasses &&
                     distinct.size() * 5 <= column.numbers.size();
    if (wish == Task::kRegression || (!wish && !few)) {
        target.task = Task::kRegression;
        target.values = column.numbers;
        target.why = fmt::format("its cells are numbers, {} different ones", distinct.size());
        return target;
    }
    for (const double value : distinct) target.class_names.push_back(number_name(value));
    for (const double value : column.numbers)
        target.classes.push_back(
            static_cast<std::uint32_t>(std::distance(distinct.begin(), distinct.find(value))));
    target.why = fmt::format(
        "its cells are {} whole numbers; data.task=regression predicts the "
        "number",
        distinct.size());
    return as_classes(std::move(target));
}

namespace {

// Nothing for a cell that neither says that the label holds nor that it does not.
std::optional<bool> holds(std::string word) {
    word = lowered(std::move(word));
    for (const char* yes : {"1", "true", "yes", "y", "t"})
        if (word == yes) return true;
    for (const char* no : {"0", "false", "no", "n", "f"})
        if (word == no) return false;
    return std::nullopt;
}

}  // namespace

Result<TableTarget> choose_labels(std::span<const TableColumn> columns, std::optional<Task> wish) {
    if (wish && *wish != Task::kMultiLabel)
        return fail(DataError::kBadOption,
                    fmt::format("data.target names {} columns, which are labels; with data.task={} "
                                "name one",
                                columns.size(), to_text(*wish)));
    TableTarget target;
    target.task = Task::kMultiLabel;
    const auto rows = columns.front().rows();
    target.labels.resize(rows * columns.size());
    for (std::size_t l = 0; l < columns.size(); ++l) {
        const auto& column = columns[l];
        target.name += (l == 0 ? "" : ", ") + column.name;
        target.class_names.push_back(column.name);
        for (std::size_t row = 0; row < rows; ++row) {
            const auto cell = column.is_numeric() ? number_name(column.numbers[row])
                                                  : column.names[column.categories[row]];
            const auto value = holds(cell);
            if (!value)
                return fail(DataError::kBadOption,
                            fmt::format("the label '{}' has the value '{}'; a label holds or does "
                                        "not: expected 1 and 0, true and false or yes and no",
                                        column.name, cell));
            target.labels[row * columns.size() + l] = *value ? 1 : 0;
        }
    }
    target.why = fmt::format("data.target names {} columns", columns.size());
    return target;
}

std::vector<std::uint32_t> groups_of(const TableTarget& target) {
    if (target.task == Task::kMultiLabel)
        return groups_of_labels(target.labels, target.class_names.size());
    return target.task == Task::kRegression ? tenths(target.values) : target.classes;
}

Result<std::shared_ptr<const TableDataset>> TableDataset::make(
    std::span<const TableColumn> columns, const TableTarget& target, const PartRows& parts,
    std::string_view content_sha256, std::vector<std::string> notes, bool brings_test,
    const TableDataset* like, const std::vector<std::string>& outputs) {
    ESPER_TRY(auto inputs, encode_columns(columns, parts, like ? &like->encoder_ : nullptr));
    std::shared_ptr<TableDataset> set(new TableDataset);
    auto& info = set->info_;
    info.name = "table";
    info.brings_test = brings_test;
    info.task = target.task;
    set->encoder_ = std::move(inputs.encoder);
    info.input_shape = {set->encoder_.features()};
    info.target_name = target.name;
    info.notes = std::move(notes);
    info.notes.insert(info.notes.end(), inputs.notes.begin(), inputs.notes.end());
    const bool regression = target.task == Task::kRegression;
    const std::size_t labels = target.task == Task::kMultiLabel ? target.class_names.size() : 0;
    if (labels > 0) info.target_shape = {static_cast<std::int64_t>(labels)};
    if (regression) standardise_by(target.values, parts[0], info);
    info.class_names = target.class_names;
    std::vector<std::uint32_t> output_of(target.class_names.size());
    std::iota(output_of.begin(), output_of.end(), 0U);
    if (like != nullptr) {
        auto known = like->info_;
        known.class_names = outputs;
        ESPER_TRY(auto match, match_classes(known, info));
        info.target_mean = like->info_.target_mean;
        info.target_deviation = like->info_.target_deviation;
        info.class_names = std::move(match.names);
        output_of = std::move(match.output_of);
        if (!match.note.empty()) info.notes.push_back(std::move(match.note));
    }
    info.classes = regression ? 1 : static_cast<std::int64_t>(info.class_names.size());
    Sha256Hasher hasher;
    if (like != nullptr) hasher.update_field("as known").update_field(like->info_.fingerprint);
    hasher.update_field("table").update_field(content_sha256).update_field(target.name);
    hasher.update_field(to_text(target.task))
        .update_u64(static_cast<std::uint64_t>(set->encoder_.features()));
    for (std::size_t p = 0; p < kPartCount; ++p) {
        set->inputs_[p] = std::move(inputs.parts[p]);
        set->sizes_[p] = static_cast<std::uint32_t>(parts[p].size());
        hasher.update(std::as_bytes(std::span(parts[p])));
        for (const auto row : parts[p]) {
            const auto from = set->values_[p].size();
            set->values_[p].resize(from + labels);
            for (std::size_t l = 0; l < labels; ++l)
                set->values_[p][from + output_of[l]] = target.labels[row * labels + l];
            if (labels > 0) continue;
            if (regression)
                set->values_[p].push_back(static_cast<float>(
                    (target.values[row] - info.target_mean) / info.target_deviation));
            else
                set->classes_[p].push_back(output_of[target.classes[row]]);
        }
    }
    info.fingerprint = hasher.finish().hex();
    return set;
}

Status TableDataset::fill(Part part, std::span<const std::uint32_t> indices,
                          const std::optional<Variation>&, InputBuffer inputs,
                          TargetBuffer targets) const {
    const auto p = static_cast<std::size_t>(part);
    const auto features = static_cast<std::size_t>(info_.input_shape[0]);
    for (const auto index : indices) {
        if (index >= sizes_[p]) return bad_index(info_.name, part, index, sizes_[p]);
        inputs.pixels = std::copy_n(inputs_[p].data() + index * features, features, inputs.pixels);
        const auto wanted = static_cast<std::size_t>(info_.target_elements());
        if (info_.task != Task::kClassification)
            targets.values =
                std::copy_n(values_[p].data() + index * wanted, wanted, targets.values);
        else
            *targets.classes++ = classes_[p][index];
    }
    return {};
}

}  // namespace esper::tolaria
