#include "esper/services/nissa/metrics_tail.h"

#include <algorithm>
#include <limits>

#include "esper/base/text.h"
#include "esper/services/nissa/series.h"

namespace esper::nissa {

namespace {

constexpr std::size_t kRowsAtOnce = std::size_t{64} << 10;

}  // namespace

double MetricsTail::last_of(std::string_view column) const {
    const auto it = std::ranges::find(columns_, column);
    if (it == columns_.end() || last_.empty()) return std::numeric_limits<double>::quiet_NaN();
    return last_[static_cast<std::size_t>(it - columns_.begin())];
}

bool MetricsTail::has(std::string_view column) const {
    return std::ranges::find(columns_, column) != columns_.end();
}

void MetricsTail::take(const std::string& lines, News& news) {
    std::string_view left = lines;
    while (!left.empty()) {
        const auto end = left.find('\n');
        const auto line = left.substr(0, end);
        left.remove_prefix(end + 1);
        if (columns_.empty()) {
            columns_ = split(line, ',');
            if (columns_.size() > Series::kMostColumns) columns_.resize(Series::kMostColumns);
            continue;
        }
        std::vector<double> row(columns_.size());
        if (!read_row(line, row)) continue;
        last_ = row;
        if (!is_first_ && !news.again) news.rows.push_back(std::move(row));
    }
}

MetricsTail::News MetricsTail::read() {
    News news;
    bool more = true;
    while (more) {
        const auto piece = file_.read(kRowsAtOnce);
        if (!piece) return news;
        if (piece->again) {
            news = {.again = true, .rows = {}};
            columns_.clear();
            last_.clear();
        }
        take(piece->lines, news);
        more = piece->more;
        if (more && (is_first_ || news.again)) file_.skip_to_tail(kRowsAtOnce);
    }
    is_first_ = false;
    return news;
}

}  // namespace esper::nissa
