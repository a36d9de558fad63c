#include "esper/services/tolaria/data/table_files.h"

#include <fmt/format.h>

#include <iterator>

#include "esper/base/hash.h"
#include "esper/base/text.h"
#include "esper/services/tolaria/data/data_bytes.h"
#include "esper/services/tolaria/data/file_format.h"
#include "esper/services/tolaria/data/parquet_file.h"
#include "esper/services/tolaria/data/text_files.h"

namespace esper::tolaria {
namespace {

namespace fs = std::filesystem;

Result<CsvTable> parse(const fs::path& path, std::string bytes, bool skip, std::size_t least) {
    const auto format = recognise_format(bytes);
    if (format == "Parquet") return parse_parquet(bytes, least);
    if (!format.empty())
        return fail(DataError::kUnsupportedFormat,
                    fmt::format("it is a {} file and neither CSV nor Parquet; 'esper data info {}' "
                                "says what can be done with it",
                                format, path.string()));
    return parse_csv(std::move(bytes), skip, least);
}

Result<ReadTable> read_named(const fs::path& path, bool skip) {
    auto read = read_table_file(path, skip);
    if (!read) return fail(read.error().within(path.string()));
    return read;
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
    to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

Status append_table(CsvTable& whole, CsvTable part, const fs::path& path) {
    if (part.names != whole.names)
        return fail(DataError::kCorrupt,
                    fmt::format("'{}' has the columns {}; '{}' has {}", path.string(),
                                shown_name(join(part.names, ", ")), whole.files.front().first,
                                shown_name(join(whole.names, ", "))));
    for (std::size_t c = 0; c < whole.columns.size(); ++c)
        append(whole.columns[c], part.columns[c]);
    append(whole.lines, part.lines);
    append(whole.cells_of, part.cells_of);
    if (whole.skipped == 0) whole.first_skipped = part.first_skipped;
    whole.skipped += part.skipped;
    return {};
}

}  // namespace

Result<std::vector<fs::path>> table_files(const fs::path& path) {
    std::error_code none;
    if (fs::is_directory(path, none)) return text_files(path / "*.parquet");
    return text_files(path);
}

Result<ReadTable> read_table_file(const fs::path& path, bool skip, std::size_t least) {
    ESPER_TRY(auto bytes, read_data_file(path));
    auto content = sha256(bytes).hex();
    ESPER_TRY(auto table, parse(path, std::move(bytes), skip, least));
    return ReadTable{std::move(table), std::move(content)};
}

Result<ReadTable> read_table(const fs::path& path, bool skip) {
    ESPER_TRY(const auto files, table_files(path));
    ESPER_TRY(auto read, read_named(files.front(), skip));
    if (files.size() == 1) return read;
    Sha256Hasher hasher;
    hasher.update_field(read.sha256);
    read.table.files.emplace_back(files.front().filename().string(), read.table.rows());
    for (auto file = files.begin() + 1; file != files.end(); ++file) {
        ESPER_TRY(auto next, read_named(*file, skip));
        hasher.update_field(next.sha256);
        ESPER_CHECK_STATUS(append_table(read.table, std::move(next.table), *file));
        read.table.files.emplace_back(file->filename().string(), read.table.rows());
        ESPER_CHECK_STATUS(
            check_memory(read.table.rows() * read.table.columns.size() * sizeof(std::string_view),
                         "the tables together", "give fewer of them"));
    }
    read.sha256 = hasher.finish().hex();
    return read;
}

}  // namespace esper::tolaria
