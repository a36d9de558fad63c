#include "esper/services/serving/event_channel.h"

#include <fmt/format.h>

#include <charconv>
#include <random>

namespace esper::serving {

EventChannel::EventChannel(std::string name, Bounds bounds)
    : name_(std::move(name)), bounds_(bounds) {}

std::shared_ptr<EventChannel> EventChannel::create() {
    std::random_device random;
    return std::make_shared<EventChannel>(fmt::format("{:08x}{:08x}", random(), random()));
}

std::string EventChannel::frame(std::uint64_t number, std::string_view event,
                                std::string_view data) const {
    return fmt::format("id: {}-{}\nevent: {}\ndata: {}\n\n", name_, number, event, data);
}

void EventChannel::publish(std::string_view event, std::string_view data) {
    const std::lock_guard lock(mutex_);
    kept_.push_back(frame(first_ + kept_.size(), event, data));
    kept_bytes_ += kept_.back().size();
    while (kept_.size() > bounds_.events || (kept_bytes_ > bounds_.bytes && kept_.size() > 1)) {
        kept_bytes_ -= kept_.front().size();
        kept_.pop_front();
        ++first_;
    }
    for (const auto& [key, wake] : wakes_) wake();
}

std::unique_ptr<EventReader> EventChannel::read_from(std::string_view last_id,
                                                     std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    const auto end = first_ + kept_.size();
    auto next = end;
    bool lost = false;
    if (!last_id.empty()) {
        std::uint64_t number = 0;
        lost = true;
        if (last_id.starts_with(name_ + "-")) {
            const auto digits = last_id.substr(name_.size() + 1);
            const auto* const stop = digits.data() + digits.size();
            const auto [at, error] = std::from_chars(digits.data(), stop, number);
            lost = error != std::errc{} || at != stop || number + 1 < first_ || number >= end;
        }
        if (!lost) next = number + 1;
    }
    const auto key = next_key_++;
    wakes_.emplace(key, std::move(wake));
    return std::make_unique<Reader>(shared_from_this(), next, lost, key);
}

std::size_t EventChannel::readers() const {
    const std::lock_guard lock(mutex_);
    return wakes_.size();
}

EventChannel::Reader::Reader(std::shared_ptr<EventChannel> channel, std::uint64_t at, bool lost,
                             std::uint64_t key)
    : channel_(std::move(channel)), next_(at), lost_(lost), key_(key) {}

EventChannel::Reader::~Reader() {
    const std::lock_guard lock(channel_->mutex_);
    channel_->wakes_.erase(key_);
}

std::string EventChannel::Reader::take(std::size_t most) {
    const std::lock_guard lock(channel_->mutex_);
    const auto end = channel_->first_ + channel_->kept_.size();
    std::string out;
    if (next_ < channel_->first_) lost_ = true;
    if (lost_) {
        next_ = end;
        out = channel_->frame(next_ - 1, "resync", "{}");
    } else if (!greeted_) {
        out = channel_->frame(next_ - 1, "hello", "{}");
    }
    greeted_ = true;
    lost_ = false;
    for (; next_ < end && out.size() < most; ++next_)
        out += channel_->kept_[next_ - channel_->first_];
    return out;
}

}  // namespace esper::serving
