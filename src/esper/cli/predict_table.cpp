#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "esper/base/files.h"
#include "esper/base/text.h"
#include "esper/cli/output_file.h"
#include "esper/cli/predict.h"
#include "esper/services/records/printable_text.h"
#include "esper/services/tolaria/data/csv.h"
#include "esper/services/tolaria/data/file_format.h"
#include "esper/services/tolaria/data/table_dataset.h"
#include "esper/services/tolaria/data/table_files.h"

namespace esper::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tolaria::CsvTable;
using tolaria::DataError;
using tolaria::Prediction;

std::string cell(std::string_view text, char delimiter) {
    if (text.find_first_of("\"\r\n") == std::string_view::npos &&
        text.find(delimiter) == std::string_view::npos)
        return std::string(text);
    std::string out = "\"";
    for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
}

bool is_regression(const Predicting& asked) {
    return asked.data->info().task == tolaria::Task::kRegression;
}

bool are_labels(const Predicting& asked) {
    return asked.data->info().task == tolaria::Task::kMultiLabel;
}

json labels_json(const Predicting& asked, const Prediction& prediction) {
    json labels = json::object();
    for (std::size_t l = 0; l < prediction.labels.size(); ++l)
        labels[records::printable(asked.class_name(static_cast<std::int64_t>(l)))] =
            prediction.labels[l];
    return labels;
}

std::string predicted(const Predicting& asked, const Prediction& prediction) {
    return is_regression(asked) ? fmt::format("{}", prediction.value)
                                : asked.class_name(prediction.best.front().number);
}

/// The columns that predictions add, none of them called as one that the table has.
std::vector<std::string> added_columns(const Predicting& asked, const CsvTable& table) {
    std::vector<std::string> wanted;
    if (are_labels(asked)) {
        for (const auto& name : asked.data->info().class_names)
            wanted.push_back("probability_" + name);
    } else {
        wanted.push_back("predicted_" + asked.data->info().target_name);
        if (!is_regression(asked)) wanted.emplace_back("probability");
    }
    for (auto& name : wanted) {
        const auto first = name;
        for (int i = 1; std::ranges::find(table.names, name) != table.names.end(); ++i)
            name = fmt::format("{}.{}", first, i);
    }
    return wanted;
}

std::string as_csv(const Predicting& asked, const CsvTable& table,
                   const std::vector<Prediction>& predictions) {
    const char d = table.delimiter;
    std::string out;
    if (table.has_header) {
        for (const auto& name : table.names) out += cell(name, d) + d;
        auto added = added_columns(asked, table);
        for (auto& name : added) name = cell(name, d);
        out += join(added, std::string_view(&d, 1)) + '\n';
    }
    for (std::size_t row = 0; row < table.rows(); ++row) {
        for (const auto& column : table.columns) out += cell(column[row], d) + d;
        if (are_labels(asked)) {
            std::vector<std::string> numbers;
            for (const double p : predictions[row].labels)
                numbers.push_back(fmt::format("{:.6g}", p));
            out += join(numbers, std::string_view(&d, 1)) + '\n';
            continue;
        }
        out += cell(predicted(asked, predictions[row]), d);
        if (!is_regression(asked))
            out += d + fmt::format("{:.6g}", predictions[row].best.front().probability);
        out += '\n';
    }
    return out;
}

void print_lines(const Predicting& asked, const fs::path& path, const CsvTable& table,
                 const std::vector<Prediction>& predictions) {
    for (std::size_t row = 0; row < table.rows(); ++row) {
        const auto& prediction = predictions[row];
        json line{{"event", "prediction"}, {"file", path.string()}};
        line[table.format == tolaria::TableFormat::kCsv ? "line" : "row"] = table.lines[row];
        if (are_labels(asked)) {
            line["labels"] = labels_json(asked, prediction);
        } else if (is_regression(asked)) {
            line["value"] = prediction.value;
        } else {
            line["class"] = asked.class_name(prediction.best.front().number);
            line["probability"] = prediction.best.front().probability;
            line["top"] = json::array();
            for (const auto& one : prediction.best)
                line["top"].push_back(
                    {{"class", asked.class_name(one.number)}, {"probability", one.probability}});
        }
        print_json_line(line);
    }
}

// Where the file holds the target as well, it says how good the predictions are.
void compare_with_target(const Predicting& asked, const fs::path& path, const CsvTable& table,
                         const std::vector<Prediction>& predictions) {
    if (are_labels(asked)) return;
    const auto& target = asked.data->info().target_name;
    const auto found = std::ranges::find(table.names, target);
    if (found == table.names.end()) return;
    const auto& cells = table.columns[static_cast<std::size_t>(found - table.names.begin())];
    double known = 0;
    double sum = 0;
    for (std::size_t row = 0; row < cells.size(); ++row) {
        double value = 0;
        const bool is_number = tolaria::parse_number(cells[row], value);
        if (tolaria::is_missing(cells[row]) || (is_regression(asked) && !is_number)) continue;
        ++known;
        if (is_regression(asked)) {
            sum += std::pow(predictions[row].value - value, 2);
        } else {
            // Classes that are numbers are called as the training data's reader writes them.
            const auto name = predicted(asked, predictions[row]);
            sum += name == cells[row] || (is_number && name == tolaria::number_name(value)) ? 1 : 0;
        }
    }
    if (known == 0) return;
    const auto figure = is_regression(asked) ? fmt::format("RMSE {:.5g}", std::sqrt(sum / known))
                                             : fmt::format("accuracy {:.2f} %", 100 * sum / known);
    std::fprintf(stderr, "%s: %s on the %.0f rows that have '%s'\n",
                 records::printable(path.string()).c_str(), figure.c_str(), known,
                 records::printable(target).c_str());
}

Result<CsvTable> read_table(const fs::path& path) {
    std::error_code none;
    const auto what = tolaria::recognise_data(path);
    const bool packed = what == "a gzip file";
    if (fs::is_directory(path, none) ||
        (!what.empty() && what != "a CSV file" && what != "a Parquet file" && !packed))
        return fail(DataError::kUnsupportedFormat,
                    fmt::format("is {}; this network was trained on a table, expected a CSV or "
                                "Parquet file with the same columns",
                                what.empty() ? "a folder" : what));
    ESPER_TRY(auto read, tolaria::read_table_file(path, false, 1));
    return std::move(read.table);
}

Status predict_table(const Predicting& asked, const fs::path& path, std::string& csv) {
    const auto& encoder = dynamic_cast<const tolaria::TableDataset&>(*asked.data).encoder();
    ESPER_TRY(const auto table, read_table(path));
    std::vector<std::string> notes;
    ESPER_TRY(const auto columns, encoder.read(table, notes));
    for (const auto& note : notes)
        std::fprintf(stderr, "%s: %s\n", records::printable(path.string()).c_str(), note.c_str());
    std::vector<std::uint32_t> rows(table.rows());
    std::iota(rows.begin(), rows.end(), 0U);
    std::vector<float> inputs(rows.size() * static_cast<std::size_t>(encoder.features()));
    encoder.encode(columns, rows, inputs.data());
    ESPER_TRY(const auto predictions, asked.of(inputs, rows.size()));
    if (asked.json)
        print_lines(asked, path, table, predictions);
    else
        csv = as_csv(asked, table, predictions);
    compare_with_target(asked, path, table, predictions);
    return {};
}

}  // namespace

Status predict_tables(const Predicting& asked) {
    if (!asked.out.empty() && (asked.paths.size() > 1 || asked.json))
        return fail(DataError::kBadOption,
                    "-o takes the CSV of one table; name one file, and leave --json away");
    for (const auto& path : asked.paths) {
        std::string csv;
        if (auto done = predict_table(asked, path, csv); !done)
            return fail(done.error().within(records::printable(path.string())));
        if (asked.json) continue;
        if (asked.out.empty()) {
            std::fwrite(csv.data(), 1, csv.size(), stdout);
            continue;
        }
        ESPER_CHECK_STATUS(check_output_file(asked.out));
        ESPER_CHECK_STATUS(write_file_atomic(asked.out, csv));
        std::printf("%s\n", asked.out.c_str());
    }
    return {};
}

}  // namespace esper::cli
