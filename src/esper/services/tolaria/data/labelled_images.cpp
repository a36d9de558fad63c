#include "esper/services/tolaria/data/labelled_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/table_files.h"
#include "esper/services/tolaria/data/table_targets.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNoImage = SIZE_MAX;

std::string_view trimmed_word(std::string_view word) {
    const auto from = word.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return word.substr(from, word.find_last_not_of(" \t") - from + 1);
}

/// Finds an image by what a table calls it.
class ImagesByName {
  public:
    ImagesByName(const fs::path& root, const std::vector<fs::path>& files) {
        for (std::size_t i = 0; i < files.size(); ++i) {
            const auto relative = files[i].lexically_relative(root);
            std::set<std::string> names{relative.generic_string(), relative.filename().string(),
                                        relative.stem().string()};
            names.insert((relative.parent_path() / relative.stem()).generic_string());
            for (const auto& name : names) {
                const auto [at, is_new] = by_name_.emplace(name, i);
                // The whole path is one image's alone; a part of it may be of several.
                if (!is_new) at->second = name == relative.generic_string() ? i : kNoImage;
            }
        }
    }
    std::size_t find(std::string_view name) const {
        if (name.starts_with("./")) name.remove_prefix(2);
        const auto found = by_name_.find(std::string(name));
        return found == by_name_.end() ? kNoImage : found->second;
    }

  private:
    std::map<std::string, std::size_t> by_name_;
};

// What stands between the labels of one cell; nothing where each cell holds one class.
std::optional<char> separator_of(const std::vector<std::string_view>& cells,
                                 std::optional<Task> task) {
    for (const char separator : {'|', ';', ','})
        if (std::ranges::any_of(
                cells, [&](auto cell) { return cell.find(separator) != std::string_view::npos; }))
            return separator;
    if (task == Task::kMultiLabel) return ' ';
    return std::nullopt;
}

Result<TableTarget> labels_of_words(const std::string& name,
                                    const std::vector<std::string_view>& cells, char separator) {
    TableTarget target;
    target.task = Task::kMultiLabel;
    target.name = name;
    std::map<std::string, std::size_t> numbers;
    const auto each_word = [&](std::string_view cell, const auto& take) {
        if (is_missing(cell)) return;
        for (const auto& word : split(cell, separator))
            if (const auto own = trimmed_word(word); !own.empty()) take(std::string(own));
    };
    for (const auto cell : cells)
        each_word(cell, [&](const std::string& word) { numbers[word] = 0; });
    for (auto& [word, number] : numbers) {
        number = target.class_names.size();
        target.class_names.push_back(word);
    }
    const auto labels = numbers.size();
    if (labels == 0)
        return fail(DataError::kTooSmall,
                    fmt::format("the column '{}' names no label", shown_name(name)));
    ESPER_CHECK_STATUS(check_memory(labels * cells.size() * 2,
                                    fmt::format("{} labels of {} images", labels, cells.size()),
                                    "name fewer labels"));
    target.labels.resize(labels * cells.size());
    for (std::size_t row = 0; row < cells.size(); ++row)
        each_word(cells[row], [&](const std::string& word) {
            target.labels[row * labels + numbers.at(word)] = 1;
        });
    target.why = fmt::format("its cells are labels with '{}' between them", separator);
    return target;
}

Result<TableTarget> target_of_column(CsvTable& table, std::size_t column,
                                     const DataOptions& options) {
    const auto& cells = table.columns[column];
    if (options.task == Task::kRegression)
        return fail(DataError::kBadOption, "data.task is regression, but images are classified");
    if (const auto separator = separator_of(cells, options.task);
        separator && options.task != Task::kClassification)
        return labels_of_words(table.names[column], cells, *separator);
    ESPER_CHECK_STATUS(drop_rows_without_target(table, column, options.skip_corrupt));
    return choose_target(read_column(table.names[column], cells), Task::kClassification);
}

Result<TableTarget> target_of(CsvTable& table, const DataOptions& options) {
    if (!table.has_header)
        return fail(DataError::kCorrupt,
                    "expected names in the first line: that of the files' column and those of the "
                    "labels");
    std::vector<std::size_t> columns;
    if (options.target.empty()) {
        for (std::size_t c = 1; c < table.columns.size(); ++c) columns.push_back(c);
        if (columns.size() == 1) return target_of_column(table, columns[0], options);
    } else if (options.target.find_first_of(",*?") == std::string::npos) {
        ESPER_TRY(const auto column, find_target(table, options.target));
        return target_of_column(table, column, options);
    } else {
        ESPER_TRY(columns, find_labels(table, options.target, Task::kMultiLabel));
    }
    std::vector<TableColumn> labels;
    for (const auto c : columns) labels.push_back(read_column(table.names[c], table.columns[c]));
    ESPER_TRY(auto target, choose_labels(labels, options.task));
    target.why = fmt::format("{} has {} columns of labels", kLabelsFile, labels.size());
    return target;
}

Part part_of_name(const fs::path& relative) {
    const auto first = relative.begin()->string();
    if (first == "val" || first == "valid" || first == "validation") return Part::kValidation;
    return first == "test" || first == "testing" ? Part::kTest : Part::kTrain;
}

/// What does not fit together, counted, with the first few by name.
class Misfits {
  public:
    void add(std::string what) {
        if (++count_ <= 3) named_.push_back(std::move(what));
    }
    Status settle(std::string_view what, bool skip, std::vector<std::string>& notes) const {
        if (count_ == 0) return {};
        const auto list = fmt::format("{} {}: {}{}", count_, what, join(named_, ", "),
                                      count_ > named_.size() ? ", ..." : "");
        if (!skip)
            return fail(DataError::kCorrupt,
                        list + "; mend it, or go on without them with data.corrupt=skip");
        notes.push_back(list + "; left out (data.corrupt: skip)");
        return {};
    }

  private:
    std::size_t count_ = 0;
    std::vector<std::string> named_;
};

}  // namespace

Result<std::optional<LabelledImages>> list_labelled_images(const fs::path& root,
                                                           const DataOptions& options) {
    const auto path = root / kLabelsFile;
    auto read = read_table_file(path, options.skip_corrupt);
    if (!read) return fail(read.error().within(path.string()));
    auto& table = read->table;
    std::map<std::string, int> others;
    const auto files = image_files_in(root, others);
    const ImagesByName images(root, files);
    if (std::ranges::none_of(table.columns[0],
                             [&](auto cell) { return images.find(cell) != kNoImage; }))
        return std::optional<LabelledImages>{};
    LabelledImages found;
    auto target = target_of(table, options);
    if (!target) return fail(target.error().within(path.string()));
    found.target = std::move(*target);
    if (found.target.class_names.size() > 65535)
        return fail(DataError::kTooLarge, "more than 65,535 classes");

    Misfits lonely_rows;
    Misfits lonely_files;
    std::vector<std::size_t> row_of(files.size(), kNoImage);
    for (std::size_t row = 0; row < table.rows(); ++row) {
        const auto image = images.find(table.columns[0][row]);
        if (image == kNoImage || row_of[image] != kNoImage)
            lonely_rows.add(
                fmt::format("{} ('{}')", table.place(row), shown_name(table.columns[0][row])));
        else
            row_of[image] = row;
    }
    auto& list = found.list;
    list.class_names = found.target.class_names;
    for (std::size_t i = 0; i < files.size(); ++i) {
        if (row_of[i] == kNoImage) {
            lonely_files.add(fmt::format("'{}'", shown_name(files[i].string())));
            continue;
        }
        const auto part = part_of_name(files[i].lexically_relative(root));
        list.has_validation = list.has_validation || part == Part::kValidation;
        list.has_test = list.has_test || part == Part::kTest;
        const auto row = static_cast<std::uint32_t>(row_of[i]);
        const auto label = found.target.task == Task::kMultiLabel ? 0 : found.target.classes[row];
        list.files.push_back({files[i], static_cast<std::uint16_t>(label), part, row});
    }
    for (const auto& [extension, count] : others)
        if (extension != ".csv")
            list.notes.push_back(fmt::format("{} files '{}' are passed over; JPEG and PNG are read",
                                             count, shown_name(extension)));
    list.notes.push_back(fmt::format("target '{}': {}, because {}", shown_name(found.target.name),
                                     to_text(found.target.task), found.target.why));
    if (table.skipped > 0)
        list.notes.push_back(fmt::format("{} rows of {} were left out; the first: {}",
                                         table.skipped, kLabelsFile, table.first_skipped));
    ESPER_CHECK_STATUS(
        lonely_rows.settle(fmt::format("rows of {} name no image of their own", path.string()),
                           options.skip_corrupt, list.notes));
    ESPER_CHECK_STATUS(lonely_files.settle(fmt::format("images have no row in {}", path.string()),
                                           options.skip_corrupt, list.notes));
    return std::optional(std::move(found));
}

}  // namespace esper::tolaria
