#pragma once

#include <string>
#include <vector>

namespace esper::cli {

/// A table of text for people: columns as wide as their widest cell. Cells are written as they are;
/// a stranger's text goes through records::printable first.
class Table {
  public:
    enum class Align { kLeft, kRight };

    Table& column(std::string name, Align align = Align::kRight);
    /// As many cells as there are columns.
    void row(std::vector<std::string> cells);
    std::string text() const;

  private:
    std::vector<std::string> names_;
    std::vector<Align> aligns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace esper::cli
