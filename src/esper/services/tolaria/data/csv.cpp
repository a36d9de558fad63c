#include "esper/services/tolaria/data/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "esper/services/tolaria/data/data_bytes.h"

namespace esper::tolaria {
namespace {

constexpr std::size_t kMostColumns = 1 << 16;

std::string_view trimmed(std::string_view cell) {
    const auto from = cell.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return cell.substr(from, cell.find_last_not_of(" \t") - from + 1);
}

/// One row: where it began, its cells, and whether its quotes were in order.
struct Row {
    std::uint64_t line = 1;
    std::vector<std::string_view> cells;
    bool is_whole = true;
};

/// Walks over the text and takes quotes out of quoted cells, in place.
class CsvReader {
  public:
    CsvReader(std::string& text, char delimiter) : text_(text), delimiter_(delimiter) {}

    bool next(Row& row) {
        row.cells.clear();
        row.is_whole = true;
        row.line = line_;
        if (at_ >= text_.size()) return false;
        while (true) {
            const bool is_quoted = at_ < text_.size() && text_[at_] == '"';
            row.cells.push_back(is_quoted ? quoted(row) : plain());
            if (at_ >= text_.size()) return true;
            const char end = text_[at_++];
            if (end == delimiter_) continue;
            if (end == '\r' && at_ < text_.size() && text_[at_] == '\n') ++at_;
            ++line_;
            return true;
        }
    }

  private:
    std::string_view plain() {
        const auto from = at_;
        while (at_ < text_.size() && text_[at_] != delimiter_ && text_[at_] != '\n' &&
               text_[at_] != '\r')
            ++at_;
        return trimmed(std::string_view(text_).substr(from, at_ - from));
    }

    std::string_view quoted(Row& row) {
        const auto from = ++at_;
        auto to = from;
        while (at_ < text_.size()) {
            const char c = text_[at_++];
            if (c == '"') {
                if (at_ >= text_.size() || text_[at_] != '"') {
                    const auto rest = plain();
                    row.is_whole = row.is_whole && rest.empty();
                    return std::string_view(text_).substr(from, to - from);
                }
                ++at_;
            }
            if (c == '\n') ++line_;
            text_[to++] = c;
        }
        row.is_whole = false;
        return std::string_view(text_).substr(from, to - from);
    }

    std::string& text_;
    char delimiter_;
    std::size_t at_ = 0;
    std::uint64_t line_ = 1;
};

char delimiter_of(std::string_view text) {
    const auto line = text.substr(0, text.find_first_of("\r\n"));
    constexpr std::array kDelimiters = {',', ';', '\t', '|'};
    return *std::ranges::max_element(kDelimiters, {},
                                     [&](char d) { return std::ranges::count(line, d); });
}

/// What the first line is.
enum class FirstLine : std::uint8_t { kNames, kPerhapsNames, kValues };

FirstLine what_is(const std::vector<std::string_view>& cells) {
    double number = 0;
    if (std::ranges::any_of(cells, [&](auto cell) { return parse_number(cell, number); }))
        return FirstLine::kValues;
    const std::set<std::string_view> distinct(cells.begin(), cells.end());
    const auto missing = std::ranges::count_if(cells, is_missing);
    if (missing == 0 && distinct.size() == cells.size()) return FirstLine::kNames;
    return missing < std::ssize(cells) ? FirstLine::kPerhapsNames : FirstLine::kValues;
}

/// Whether a cell of the first line comes again below it: then it is a value as they are.
bool comes_again(const CsvTable& table, const std::vector<std::string_view>& first) {
    for (std::size_t c = 0; c < first.size(); ++c)
        if (!is_missing(first[c]) &&
            std::ranges::find(table.columns[c], first[c]) != table.columns[c].end())
            return true;
    return false;
}

std::string numbered(std::size_t column) { return fmt::format("column{}", column + 1); }

/// As pandas does: of equal names the later ones get a number.
std::vector<std::string> names_of(const std::vector<std::string_view>& first,
                                  std::vector<std::string>& renamed) {
    std::vector<std::string> names;
    std::set<std::string, std::less<>> taken(first.begin(), first.end());
    std::set<std::string_view> seen;
    for (std::size_t c = 0; c < first.size(); ++c) {
        std::string name = is_missing(first[c]) ? numbered(c) : std::string(first[c]);
        if (!is_missing(first[c]) && !seen.insert(first[c]).second) {
            for (int i = 1; taken.contains(name); ++i) name = fmt::format("{}.{}", first[c], i);
            renamed.push_back(name);
        }
        taken.insert(name);
        names.push_back(std::move(name));
    }
    return names;
}

}  // namespace

bool parse_number(std::string_view cell, double& value) {
    cell = trimmed(cell);
    if (cell.starts_with('+')) cell.remove_prefix(1);
    if (cell.empty()) return false;
    const auto* end = cell.data() + cell.size();
    const auto [at, error] = std::from_chars(cell.data(), end, value);
    return error == std::errc() && at == end && std::isfinite(value);
}

bool is_missing(std::string_view cell) {
    constexpr auto kWords = std::to_array<std::string_view>(
        {"", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?"});
    return std::ranges::find(kWords, trimmed(cell)) != kWords.end();
}

std::string CsvTable::place(std::size_t row) const {
    auto where = fmt::format("{} {}", format == TableFormat::kCsv ? "line" : "row", lines[row]);
    const auto file = std::ranges::find_if(files, [&](const auto& f) { return row < f.second; });
    return file == files.end() ? where : fmt::format("{}, {}", shown_name(file->first), where);
}

std::string CsvTable::words_of_left_out() const {
    std::string words;
    for (const auto& [name, why] : left_out)
        words += fmt::format("; column '{}' is left out: {}", shown_name(name), shown_name(why));
    return words;
}

Result<CsvTable> parse_csv(std::string text, bool skip, std::size_t least) {
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
    auto owned = std::make_shared<std::string>(std::move(text));
    CsvTable table;
    table.delimiter = delimiter_of(*owned);
    CsvReader reader(*owned, table.delimiter);
    Row row;
    if (!reader.next(row)) return fail(DataError::kTooSmall, "the file is empty");
    if (row.cells.size() < least || row.cells.size() > kMostColumns)
        return fail(DataError::kTooSmall,
                    fmt::format("its first line has {} cells; a table to learn from has 2 to {} "
                                "columns, with ',', ';', a tab or '|' between them",
                                row.cells.size(), kMostColumns));
    const auto values = row.cells;
    const auto first_line = row.line;
    // pandas writes an index without a name in front.
    auto first = row.cells;
    if (first.front().empty()) first.front() = "index";
    const auto what_it_is = what_is(first);
    table.has_header = what_it_is != FirstLine::kValues;
    table.columns.resize(first.size());
    if (table.has_header && !reader.next(row)) row.cells.clear();
    for (bool more = !row.cells.empty(); more; more = reader.next(row)) {
        if (row.cells.size() == 1 && row.cells[0].empty()) continue;  // an empty line
        if (row.cells.size() == table.columns.size() && row.is_whole) {
            table.lines.push_back(row.line);
            for (std::size_t c = 0; c < row.cells.size(); ++c)
                table.columns[c].push_back(row.cells[c]);
            continue;
        }
        const auto what = row.is_whole
                              ? fmt::format("line {} has {} cells, the first line has {}", row.line,
                                            row.cells.size(), table.columns.size())
                              : fmt::format("line {} has a quote that does not end", row.line);
        if (!skip)
            return fail(DataError::kCorrupt,
                        what + "; mend it, or leave such rows out with data.corrupt=skip");
        if (table.skipped++ == 0) table.first_skipped = what;
    }
    if (what_it_is == FirstLine::kPerhapsNames && comes_again(table, values)) {
        table.has_header = false;
        table.lines.insert(table.lines.begin(), first_line);
        for (std::size_t c = 0; c < values.size(); ++c)
            table.columns[c].insert(table.columns[c].begin(), values[c]);
    }
    if (table.has_header) table.names = names_of(first, table.renamed);
    for (std::size_t c = table.names.size(); c < first.size(); ++c)
        table.names.push_back(numbered(c));
    if (table.rows() < least)
        return fail(DataError::kTooSmall,
                    fmt::format("it has {} rows; expected {} or more", table.rows(), least));
    table.cells_of.push_back(std::move(owned));
    return table;
}

}  // namespace esper::tolaria
