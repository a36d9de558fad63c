#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "esper/services/tolaria/data/split.h"
#include "esper/services/tolaria/data/table_columns.h"

namespace esper::tolaria {

/// What is predicted in a table, of each row.
struct TableTarget {
    Task task = Task::kClassification;
    std::string name;
    std::vector<std::uint32_t> classes;
    std::vector<std::string> class_names;
    std::vector<double> values;  ///< regression
    /// Labels: for each row one byte a label, 1 where it holds; class_names are the labels.
    std::vector<std::uint8_t> labels;
    std::string why;  ///< why this is the task, as a note
};

/// A column as a target. Without a wish it is a class where the cells are texts, or whole numbers
/// of few kinds; else a number. Errors: kBadOption where texts are to be predicted as numbers;
/// kTooSmall for fewer than two classes, or for as many as there are rows.
Result<TableTarget> choose_target(const TableColumn& column, std::optional<Task> wish);

/// Several columns as labels of which each holds or does not: numbers 0 and 1, or texts such as yes
/// and no. Errors: kBadOption for a column of other values, and where the wish is another task.
Result<TableTarget> choose_labels(std::span<const TableColumn> columns, std::optional<Task> wish);

/// The groups by which the rows are divided into parts.
std::vector<std::uint32_t> groups_of(const TableTarget& target);

/// Rows of numbers: inputs f32 {features}, the target a class, a number or labels. All in memory.
class TableDataset final : public Dataset {
  public:
    /// `columns` without the target; `content_sha256` is that of the file. With `like`, columns
    /// are what its encoder read, numbers are standardised as its numbers are, and classes stand
    /// where `outputs` has them. Errors: those of encode_columns and of match_classes.
    static Result<std::shared_ptr<const TableDataset>> make(
        std::span<const TableColumn> columns, const TableTarget& target, const PartRows& parts,
        std::string_view content_sha256, std::vector<std::string> notes, bool brings_test = false,
        const TableDataset* like = nullptr, const std::vector<std::string>& outputs = {});

    const DatasetInfo& info() const override { return info_; }
    /// How rows that come later become inputs.
    const TableEncoder& encoder() const { return encoder_; }
    std::uint32_t size(Part part) const override { return sizes_[static_cast<std::size_t>(part)]; }
    Status fill(Part part, std::span<const std::uint32_t> indices,
                const std::optional<Variation>& variation, InputBuffer inputs,
                TargetBuffer targets) const override;

  private:
    TableDataset() = default;
    DatasetInfo info_;
    TableEncoder encoder_;
    std::array<std::uint32_t, kPartCount> sizes_{};
    std::array<std::vector<float>, kPartCount> inputs_;
    std::array<std::vector<std::uint32_t>, kPartCount> classes_;
    std::array<std::vector<float>, kPartCount> values_;  ///< a number, or a number for each label
};

struct TableOptions {
    std::filesystem::path path = {};
    /// A column's name; empty: the last one. Names and patterns with commas between them, of which
    /// no column has the whole as its name: several labels.
    std::string target = {};
    std::optional<Task> task = {};
    bool skip_corrupt = false;
    Split split = {};
    /// What a network has learnt from: the table is read as that one is.
    const TableDataset* like = nullptr;
    std::vector<std::string> outputs = {};  ///< the classes of its outputs
};

/// A CSV file (also .csv.gz), a Parquet file, or several of either (table_files.h). Rows without a
/// target are corrupt. Errors: those of reading and of the format; kBadOption for a column that is
/// not there.
Result<std::shared_ptr<const Dataset>> open_table(const TableOptions& options);

}  // namespace esper::tolaria
