#include "esper/services/tolaria/data/parquet_file.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <numeric>

#include "esper/services/tolaria/data/parquet/parquet_table.h"

namespace esper::tolaria {
namespace {

tl::unexpected<Error> cannot_open(std::string_view why) {
    return fail(DataError::kUnsupportedFormat,
                fmt::format("it is a Parquet file, for which {} is needed beside the program ({}); "
                            "'scripts/setup.sh' and 'make' build it, or write the table as CSV: "
                            "pandas.read_parquet(PATH).to_csv('data.csv', index=False)",
                            kParquetLibrary, why));
}

// Stays open: Arrow keeps state that outlives a call.
Result<ReadParquet*> reader() {
    std::error_code none;
    const auto path =
        std::filesystem::read_symlink("/proc/self/exe", none).parent_path() / kParquetLibrary;
    if (!std::filesystem::exists(path, none))
        return cannot_open(fmt::format("there is no '{}'", path.string()));
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return cannot_open(::dlerror());
    auto* found = reinterpret_cast<ReadParquet*>(::dlsym(library, kReadParquetName));
    if (found == nullptr)
        return cannot_open(fmt::format("'{}' is of another version", path.string()));
    return found;
}

DataError error_of(ParquetTable::Fault fault) {
    return fault == ParquetTable::Fault::kTooLarge ? DataError::kTooLarge : DataError::kCorrupt;
}

// As of a CSV file's cells.
std::string_view without_blanks(std::string_view cell) {
    const auto from = cell.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return cell.substr(from, cell.find_last_not_of(" \t") - from + 1);
}

}  // namespace

Result<CsvTable> parse_parquet(const std::string& bytes, std::size_t least,
                               std::uint64_t most_bytes) {
    ESPER_TRY(const auto read, reader());
    auto raw = std::make_shared<ParquetTable>();
    read(bytes, most_bytes, *raw);
    if (raw->fault != ParquetTable::Fault::kNone)
        return fail(error_of(raw->fault),
                    "the Parquet file cannot be read: " + shown_name(raw->message, 400));
    CsvTable table;
    table.format = TableFormat::kParquet;
    table.has_header = true;
    table.names = std::move(raw->names);
    table.columns = std::move(raw->columns);
    table.left_out = std::move(raw->left_out);
    if (table.columns.size() < least)
        return fail(DataError::kTooSmall,
                    fmt::format("it has {} columns that can be read; "
                                "expected {} or more{}",
                                table.columns.size(), least, table.words_of_left_out()));
    if (raw->rows < least)
        return fail(DataError::kTooSmall,
                    fmt::format("it has {} rows; expected {} or more", raw->rows, least));
    for (auto& column : table.columns) {
        if (column.size() != raw->rows)
            return fail(DataError::kCorrupt,
                        fmt::format("the Parquet file cannot be read: a column has {} rows of {}",
                                    column.size(), raw->rows));
        for (auto& cell : column) cell = without_blanks(cell);
    }
    table.lines.resize(raw->rows);
    std::iota(table.lines.begin(), table.lines.end(), std::uint64_t{1});
    table.cells_of.push_back(std::move(raw));
    return table;
}

}  // namespace esper::tolaria
