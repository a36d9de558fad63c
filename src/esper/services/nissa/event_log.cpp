#include "esper/services/nissa/event_log.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace esper::nissa {

using nlohmann::json;

namespace {

constexpr std::size_t kEventsAtOnce = std::size_t{4} << 20;
constexpr std::size_t kMostSlots = 4096;
// What a parsed event needs beside its text, measured with events of real runs.
constexpr std::size_t kMemoryPerByte = 6;

}  // namespace

void EventLog::take(std::string_view line) {
    auto event = records::Event::parse(line);
    if (!event) {
        ++left_out_;
        return;
    }
    if (!event->is("health")) {
        if (events_.size() == kMostEvents) {
            ++left_out_;
            return;
        }
        memory_ += kMemoryPerByte * line.size();
        if (event->is("pictures")) pictures_.push_back(events_.size());
        events_.push_back(std::move(*event));
        if (pictures_.size() > kMostPictures) drop_old_pixels();
        return;
    }
    const auto index = event->integer("slot");
    if (slots_.size() == kMostSlots && !slots_.contains(index)) return;
    auto& slot = slots_[index];
    slot.anchor = event->text("anchor");
    slot.seed = event->text("seed");
    slot.state = event->text("state");
    const auto number = [&](const char* key) {
        return event->number(key).value_or(std::numeric_limits<double>::quiet_NaN());
    };
    slot.looks.push_back({event->step(), slot.seed, number("alpha"), number("activation_variance"),
                          number("dead_ratio"), number("gradient_norm")});
    if (slot.looks.size() > kMostHealth) slot.looks.pop_front();
}

void EventLog::drop_old_pixels() {
    auto& event = events_[pictures_.front()];
    pictures_.pop_front();
    auto content = event.content();
    std::size_t dropped = 0;
    for (auto& picture : content["pictures"]) {
        if (!picture.is_object()) continue;
        dropped += records::text_of(picture, "pixels").size();
        picture.erase("pixels");
    }
    if (auto without = records::Event::make(std::move(content))) event = std::move(*without);
    memory_ -= std::min(memory_, kMemoryPerByte * dropped);
}

Status EventLog::refresh() {
    while (true) {
        ESPER_TRY(const auto news, file_.read(kEventsAtOnce));
        if (news.again) {
            events_.clear();
            slots_.clear();
            pictures_.clear();
            left_out_ = memory_ = 0;
        }
        std::string_view lines = news.lines;
        while (!lines.empty()) {
            const auto end = lines.find('\n');
            take(lines.substr(0, end));
            lines.remove_prefix(end + 1);
        }
        if (!news.more) return {};
    }
}

json EventLog::health() const {
    json all = json::array();
    for (const auto& [index, slot] : slots_) {
        json item{{"slot", index},
                  {"anchor", slot.anchor},
                  {"seed", slot.seed},
                  {"state", slot.state},
                  {"step", json::array()},
                  {"seeds", json::array()},
                  {"alpha", json::array()},
                  {"activation_variance", json::array()},
                  {"dead_ratio", json::array()},
                  {"gradient_norm", json::array()}};
        for (const auto& look : slot.looks) {
            item["step"].push_back(look.step);
            item["seeds"].push_back(look.seed);
            item["alpha"].push_back(look.alpha);
            item["activation_variance"].push_back(look.variance);
            item["dead_ratio"].push_back(look.dead);
            item["gradient_norm"].push_back(look.gradient);
        }
        all.push_back(std::move(item));
    }
    return all;
}

}  // namespace esper::nissa
