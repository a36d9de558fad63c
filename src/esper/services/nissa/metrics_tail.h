#pragma once

#include <string>
#include <vector>

#include "esper/services/nissa/growing_file.h"

namespace esper::nissa {

/// The newest rows of a metrics.csv, without those before. Not thread-safe.
class MetricsTail {
  public:
    explicit MetricsTail(const std::filesystem::path& file) : file_(file), path_(file) {}

    struct News {
        bool again = false;  ///< rows that were told before are gone: the run went back
        std::vector<std::vector<double>> rows;
    };
    /// The rows since the last call. The first call tells none and only finds the last one.
    News read();
    bool has_changed() const { return file_.has_changed(); }

    const std::vector<std::string>& columns() const { return columns_; }
    /// The last row; empty while there is none.
    const std::vector<double>& last() const { return last_; }
    /// Its value of that column; NaN where there is none.
    double last_of(std::string_view column) const;
    bool has(std::string_view column) const;

  private:
    void take(const std::string& lines, News& news);

    GrowingFile file_;
    std::filesystem::path path_;
    std::vector<std::string> columns_;
    std::vector<double> last_;
    bool is_first_ = true;
};

}  // namespace esper::nissa
