#include "esper/services/nissa/watcher.h"

#include <cmath>
#include <condition_variable>
#include <mutex>

#include "esper/base/clock.h"

namespace esper::nissa {

using nlohmann::json;

namespace {

constexpr std::chrono::milliseconds kTurn{100};
constexpr std::size_t kTurnsOfQuietRuns = 50;
constexpr std::size_t kTurnsOfScan = 20;
constexpr std::size_t kMostRows = 200;  ///< in one event; for more, clients ask

json list_of(const std::vector<double>& row) {
    json list = json::array();
    for (const double value : row) list.push_back(std::isfinite(value) ? json(value) : json());
    return list;
}

std::string as_text(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

Watcher::Watcher(std::shared_ptr<RunIndex> index, std::shared_ptr<serving::EventChannel> events)
    : index_(std::move(index)),
      events_(std::move(events)),
      thread_([this](const std::stop_token& stop) { work(stop); }) {}

Watcher::~Watcher() = default;

void Watcher::work(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wake;
    for (std::size_t turn = 0; !stop.stop_requested(); ++turn) {
        if (turn % kTurnsOfScan == 0) look_for_runs();
        look_at_runs(turn);
        ready_ = true;
        std::unique_lock lock(mutex);
        wake.wait_for(lock, stop, kTurn, [] { return false; });
    }
}

void Watcher::look_for_runs() {
    const auto changes = index_->scan();
    const auto now = system_clock().utc_ns();
    for (const auto& run : changes.come) publish(*run, run->refresh(now));
    for (const auto& id : changes.gone) events_->publish("gone", as_text({{"id", id}}));
}

void Watcher::look_at_runs(std::size_t turn) {
    const auto now = system_clock().utc_ns();
    const auto runs = index_->runs();
    for (std::size_t i = 0; i < runs.size(); ++i) {
        if (i % kTurnsOfQuietRuns != turn % kTurnsOfQuietRuns && !runs[i]->is_active(now)) continue;
        if (const auto news = runs[i]->refresh(now); news.any()) publish(*runs[i], news);
    }
}

void Watcher::publish(const Run& run, const Run::News& news) {
    json event{{"id", run.id()}};
    if (news.growth) event["growth"] = true;
    if (news.again || news.rows.size() > kMostRows) event["again"] = true;
    if (!news.rows.empty() && !event.contains("again")) {
        event["columns"] = news.columns;
        event["rows"] = json::array();
        for (const auto& row : news.rows) event["rows"].push_back(list_of(row));
    }
    auto text = as_text(event);
    if (news.row) text.replace(text.size() - 1, 1, ",\"row\":" + run.row() + "}");
    events_->publish("run", text);
}

}  // namespace esper::nissa
