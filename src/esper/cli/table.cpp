#include "esper/cli/table.h"

#include <algorithm>

namespace esper::cli {

namespace {

// Characters of UTF-8, each one column wide.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

Table& Table::column(std::string name, Align align) {
    names_.push_back(std::move(name));
    aligns_.push_back(align);
    return *this;
}

void Table::row(std::vector<std::string> cells) {
    cells.resize(names_.size());
    rows_.push_back(std::move(cells));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (std::size_t c = 0; c < names_.size(); ++c) {
        widths.push_back(width_of(names_[c]));
        for (const auto& row : rows_) widths[c] = std::max(widths[c], width_of(row[c]));
    }
    std::string out;
    const auto write = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t c = 0; c < cells.size(); ++c) {
            const std::string room(widths[c] - width_of(cells[c]), ' ');
            if (c > 0) line += "  ";
            line += aligns_[c] == Align::kLeft ? cells[c] + room : room + cells[c];
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    };
    write(names_);
    for (const auto& row : rows_) write(row);
    return out;
}

}  // namespace esper::cli
