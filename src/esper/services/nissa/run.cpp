#include "esper/services/nissa/run.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "esper/base/clock.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"
#include "esper/services/nissa/curve_text.h"
#include "esper/services/nissa/settings.h"
#include "esper/services/nissa/topology.h"
#include "esper/services/records/run_files.h"
#include "esper/services/records/seed_stories.h"
#include "esper/services/records/split_stories.h"

namespace esper::nissa {

using nlohmann::json;

namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::uint64_t kMostRecord = std::uint64_t{4} << 20;
constexpr std::uint64_t kMostJournal = std::uint64_t{64} << 20;
constexpr std::uint64_t kMostHead = std::uint64_t{64} << 10;
constexpr std::uint64_t kMostConfig = std::uint64_t{1} << 20;
constexpr std::int64_t kQuietNs = std::int64_t{60} * 1'000'000'000;

// What the list shows of run.json.
constexpr const char* kShown[] = {"name",         "seed",
                                  "epochs",       "steps",
                                  "train_loss",   "val_loss",
                                  "val_accuracy", "best_val_loss",
                                  "test_loss",    "test_accuracy",
                                  "parameters",   "parameters_initial",
                                  "flops_total",  "flops_per_example",
                                  "wall_seconds", "task",
                                  "seeds",        "splits",
                                  "rollbacks",    "waiting_for",
                                  "val_metrics",  "target",
                                  "growth_paused"};

// Newer in metrics.csv than in run.json while a run trains.
constexpr std::pair<const char*, const char*> kNewer[] = {
    {"epochs", "epoch"},
    {"steps", "step"},
    {"train_loss", "train_loss"},
    {"val_loss", "val_loss"},
    {"val_accuracy", "val_accuracy"},
    {"parameters", "parameters"},
    {"flops_total", "flops_total"},
    {"wall_seconds", "seconds"},
    {"flops_per_example", "flops_per_example"}};

std::string dumped(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Counts stay integers.
json as_number(double value) {
    const bool is_whole = std::trunc(value) == value && std::abs(value) < 9e15;
    return is_whole ? json(static_cast<std::int64_t>(value)) : json(value);
}

}  // namespace

Run::Run(std::string id, std::filesystem::path folder)
    : id_(std::move(id)), folder_(std::move(folder)), tail_(folder_ / "metrics.csv") {}

bool Run::is_in(const std::filesystem::path& folder) {
    const auto mode = look_at(folder / "run.json").mode;
    return mode != 0 && !S_ISDIR(mode);
}

std::string Run::row() const {
    const std::lock_guard lock(mutex_);
    return row_;
}

std::pair<RunState, std::vector<std::string>> Run::condition() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> kinds;
    for (const auto& alert : alerts_) kinds.push_back(alert.kind);
    return {state_, std::move(kinds)};
}

RunFigures Run::figures() const {
    const std::lock_guard lock(mutex_);
    return figures_;
}

bool Run::is_active(std::int64_t now_ns) const {
    const std::lock_guard lock(mutex_);
    return state_ == RunState::kRunning || now_ns - written_ns_ < kQuietNs;
}

void Run::read_record() {
    const auto text = read_own_file(folder_ / "run.json", kMostRecord);
    auto record = text ? records::parse_object(*text) : Result<json>(fail(text.error()));
    problem_ = record ? "" : record.error().message();
    record_ = record ? std::move(*record) : json::object();
}

void Run::find_unread() {
    std::vector<std::string> reasons;
    for (const char* name : {"metrics.csv", "events.jsonl", "journal.jsonl", "config.yaml"})
        if (auto why = why_unread(folder_ / name); !why.empty()) reasons.push_back(std::move(why));
    unread_ = join(reasons, "; ");
}

std::vector<std::string> Run::columns() const {
    if (!tail_.columns().empty()) return tail_.columns();
    const auto head = read_stretch(folder_ / "metrics.csv", 0, kMostHead);
    const auto end = head ? head->find('\n') : std::string::npos;
    if (end == std::string::npos) return {};
    auto columns = split(std::string_view(*head).substr(0, end), ',');
    if (columns.size() > Series::kMostColumns) columns.resize(Series::kMostColumns);
    return columns;
}

void Run::settle(std::int64_t now_ns) {
    // What was written in the future, by another machine's clock, is as old as its being seen.
    const auto silent = now_ns - std::min(written_ns_, seen_ns_);
    state_ = problem_.empty() ? state_of(records::text_of(record_, "status"), folder_, silent)
                              : RunState::kUnreadable;
    json row{{"id", id_},
             {"folder", folder_.string()},
             {"state", to_text(state_)},
             {"written", written_ns_ / 1'000'000}};
    for (const auto* key : kShown)
        if (const auto it = record_.find(key); it != record_.end()) row[key] = *it;
    if (!tail_.last().empty() && (state_ == RunState::kRunning || state_ == RunState::kKilled ||
                                  state_ == RunState::kStalled))
        for (const auto& [key, column] : kNewer)
            if (const double value = tail_.last_of(column); std::isfinite(value))
                row[key] = as_number(value);
    const bool is_finite = tail_.last().empty() || !tail_.has("train_loss") ||
                           std::isfinite(tail_.last_of("train_loss"));
    const double rate = tail_.last_of("examples_per_second");
    if (!is_final(state_)) memory_course_.look(folder_, now_ns);
    figures_ = figures_of({state_, silent, row, record_, is_finite, !unread_.empty(),
                           std::isfinite(rate) ? std::optional(rate) : std::nullopt, memory_course_,
                           lag_.seconds()});
    alerts_ = alerts_of(figures_, row, folder_, {problem_, unread_});
    row["alerts"] = to_json(alerts_);
    row_ = dumped(row);
}

// When the first of what has come was written. A file has only the time of its newest row; the
// others' times follow from the seconds in them.
std::int64_t Run::oldest_of(const News& news, const std::vector<FileLook>& changed) const {
    auto oldest = std::numeric_limits<std::int64_t>::max();
    for (const auto& look : changed) oldest = std::min(oldest, look.changed_ns);
    const auto seconds = std::ranges::find(news.columns, "seconds");
    if (news.rows.empty() || seconds == news.columns.end()) return oldest;
    const auto place = seconds - news.columns.begin();
    const double between = 1e9 * (news.rows.back()[static_cast<std::size_t>(place)] -
                                  news.rows.front()[static_cast<std::size_t>(place)]);
    if (!std::isfinite(between)) return oldest;
    return std::min(oldest, metrics_look_.changed_ns - static_cast<std::int64_t>(between));
}

Run::News Run::refresh(std::int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    News news;
    const auto record = look_at(folder_ / "run.json");
    const auto events = look_at(folder_ / "events.jsonl");
    const auto journal = look_at(folder_ / "journal.jsonl");
    const auto metrics = look_at(folder_ / "metrics.csv");
    const bool is_first = row_.empty();
    if (!is_first && record.mode == 0) return news;  // gone, or about to be told so
    const bool is_as_before = !is_first && record == record_look_ && events == events_look_ &&
                              journal == journal_look_ && metrics == metrics_look_;
    if (is_as_before && is_final(state_)) {
        lag_.looked(system_clock().now_ns(), std::nullopt);
        return news;
    }
    if (is_first || record != record_look_) read_record();
    if (!is_as_before) find_unread();
    // What a finished run has measured is read when somebody asks.
    const bool trains = records::text_of(record_, "status") == "running";
    if (trains ? tail_.has_changed() : !is_first && metrics != metrics_look_) {
        auto tail = tail_.read();
        news.again = tail.again;
        news.rows = std::move(tail.rows);
        news.columns = tail_.columns();
    }
    news.growth = events != events_look_ || journal != journal_look_;
    std::vector<FileLook> changed;
    for (const auto& [before, after] : {std::pair(record_look_, record),
                                        {events_look_, events},
                                        {journal_look_, journal},
                                        {metrics_look_, metrics}})
        if (after.is_there && before != after) changed.push_back(after);
    record_look_ = record;
    metrics_look_ = metrics;
    events_look_ = events;
    journal_look_ = journal;
    written_ns_ = std::max({record.changed_ns, events.changed_ns, metrics.changed_ns});
    if (!changed.empty()) seen_ns_ = now_ns;
    const auto before = row_;
    auto& clock = system_clock();
    lag_.looked(clock.now_ns(), changed.empty()
                                    ? std::nullopt
                                    : std::optional(clock.utc_ns() - oldest_of(news, changed)));
    settle(now_ns);
    news.row = row_ != before;
    return news;
}

void Run::count_memory() {
    memory_ = (series_ ? series_->series.memory() : 0) + (events_ ? events_->memory() : 0) +
              (topology_.is_null() ? 0 : 8 * journal_look_.size);
    last_asked_ = system_clock().now_ns();
}

void Run::forget() {
    const std::lock_guard lock(mutex_);
    series_.reset();
    events_.reset();
    topology_ = json();
    topology_look_ = {};
    memory_ = 0;
}

Status Run::load_series() {
    if (!series_)
        series_ = std::make_unique<Loaded>(Series(), GrowingFile(folder_ / "metrics.csv"));
    bool more = true;
    while (more) {
        auto news = series_->file.read(kPiece);
        if (news && news->again) series_->series = Series();
        auto added = news ? series_->series.add(news->lines, news->at)
                          : Status(fail(std::move(news.error())));
        if (!added) {
            series_.reset();
            return added;
        }
        more = news->more;
    }
    count_memory();
    return {};
}

Status Run::load_events() {
    if (!events_) events_ = std::make_unique<EventLog>(folder_ / "events.jsonl");
    auto done = events_->refresh();
    if (!done) events_.reset();
    count_memory();
    return done;
}

json Run::detail() {
    const std::lock_guard lock(mutex_);
    json detail{{"id", id_},
                {"folder", folder_.string()},
                {"state", to_text(state_)},
                {"written", written_ns_ / 1'000'000},
                {"run", record_},
                {"alerts", to_json(alerts_)},
                {"columns", columns()}};
    const auto config = read_own_file(folder_ / "config.yaml", kMostConfig);
    detail["config"] = config ? *config : "";
    return detail;
}

json Run::settings() {
    const std::lock_guard lock(mutex_);
    const auto look = look_at(folder_ / "config.yaml");
    if (look != settings_look_) {
        const auto text = read_own_file(folder_ / "config.yaml", kMostConfig);
        settings_ = settings_of(text ? *text : "");
        settings_look_ = look;
    }
    return settings_;
}

Result<std::string> Run::curves(const CurveQuery& query) {
    const std::lock_guard lock(mutex_);
    ESPER_CHECK_STATUS(load_series());
    const auto& series = series_->series;
    if (series.columns().empty()) return std::string(R"({"rows":0,"x":[],"curves":{}})");
    const auto x = series.find(query.x);
    if (!x)
        return fail(NissaError::kBadQuery,
                    fmt::format("metrics.csv has no column '{}' to draw over", query.x));
    const auto range = series.range(*x, query.from, query.to);
    if (series.rows_per_bucket() > 1 && range.size() < query.points)
        return closer(query, *x, range);
    return curve_text(series, query, *x, range, series.rows());
}

// A stretch for which the buckets are too coarse is read from the file anew.
Result<std::string> Run::closer(const CurveQuery& query, std::size_t x, Series::Range range) {
    constexpr std::uint64_t kMostBytes = std::uint64_t{32} << 20;
    const auto& series = series_->series;
    const auto bytes = series.bytes_of(range);
    if (bytes.end - bytes.begin > kMostBytes)
        return curve_text(series, query, x, range, series.rows());
    ESPER_TRY(const auto lines,
              read_stretch(folder_ / "metrics.csv", bytes.begin, bytes.end - bytes.begin));
    Series stretch;
    ESPER_CHECK_STATUS(stretch.add(series.head() + "\n", 0));
    ESPER_CHECK_STATUS(stretch.add(lines, bytes.begin));
    return curve_text(stretch, query, x, stretch.range(x, query.from, query.to), series.rows());
}

json Run::growth() {
    const std::lock_guard lock(mutex_);
    json problems = json::array();
    const auto look = look_at(folder_ / "journal.jsonl");
    if (topology_.is_null() || look != topology_look_) {
        topology_look_ = look;
        const auto text = look.is_there ? read_own_file(folder_ / "journal.jsonl", kMostJournal)
                                        : Result<std::string>(std::string());
        auto topology = text ? topology_of(*text) : Result<json>(fail(text.error()));
        topology_problem_ = topology ? "" : topology.error().message();
        topology_ = topology ? std::move(*topology)
                             : json{{"anchors", json::array()}, {"edits", json::array()}};
    }
    if (!unread_.empty()) problems.push_back(unread_);
    if (!topology_problem_.empty()) problems.push_back(topology_problem_);
    if (const auto loaded = load_events(); !loaded) problems.push_back(loaded.error().message());
    json events = json::array(), lives = json::array(), splits = json::array();
    json health = json::array();
    if (events_) {
        for (const auto& event : events_->events()) events.push_back(event.content());
        for (const auto& story : records::seed_stories(events_->events()))
            lives.push_back(to_json(story));
        for (const auto& story : records::split_stories(events_->events()))
            splits.push_back(to_json(story));
        health = events_->health();
        if (events_->left_out() > 0)
            problems.push_back(
                fmt::format("{} lines of events.jsonl are left out: they are no "
                            "events, or more than {}",
                            events_->left_out(), EventLog::kMostEvents));
    }
    return {{"topology", topology_},       {"events", std::move(events)},
            {"lives", std::move(lives)},   {"splits", std::move(splits)},
            {"health", std::move(health)}, {"problems", std::move(problems)}};
}

Result<json> Run::events(std::size_t after) {
    const std::lock_guard lock(mutex_);
    ESPER_CHECK_STATUS(load_events());
    const auto& all = events_->events();
    json events = json::array();
    for (std::size_t i = after; i < all.size(); ++i) events.push_back(all[i].content());
    return json{
        {"count", all.size()}, {"left_out", events_->left_out()}, {"events", std::move(events)}};
}

}  // namespace esper::nissa
