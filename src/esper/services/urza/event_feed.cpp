#include "esper/services/urza/event_feed.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "esper/contracts/codec.h"
#include "esper/services/urza/event_wire.h"

namespace esper::urza {

class EventFeed::Reader final : public serving::EventReader {
  public:
    Reader(std::shared_ptr<EventFeed> feed, std::uint64_t after, std::uint64_t key)
        : feed_(std::move(feed)), cursor_(feed_->library_, after), key_(key) {}
    ~Reader() override { feed_->leave(key_); }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    std::string take(std::size_t most) override {
        constexpr std::uint32_t kAtOnce = 64;
        std::string out;
        while (!is_lost_ && out.size() < most) {
            const auto entries = cursor_.next(kAtOnce);
            if (!entries && !entries.error().is(UrzaError::kUnreachable))
                out += lost(entries.error());
            if (!entries || entries->empty()) return out;
            for (const auto& entry : *entries)
                out += fmt::format("id: {}\nevent: {}\ndata: {}\n\n", entry.number, topic_of(entry),
                                   contracts::to_json(event_of(entry)).value_or("{}"));
        }
        return out;
    }

  private:
    std::string lost(const Error& why) {
        is_lost_ = true;
        return fmt::format("event: resync\ndata: {}\n\n",
                           nlohmann::json{{"why", why.message()}}.dump(
                               -1, ' ', false, nlohmann::json::error_handler_t::replace));
    }

    const std::shared_ptr<EventFeed> feed_;
    EventCursor cursor_;
    const std::uint64_t key_;
    bool is_lost_ = false;
};

class EventFeed::Source final : public serving::EventSource {
  public:
    Source(std::shared_ptr<EventFeed> feed, std::uint64_t after)
        : feed_(std::move(feed)), after_(after) {}
    // The operation has read Last-Event-ID already.
    std::unique_ptr<serving::EventReader> read_from(std::string_view,
                                                    std::function<void()> wake) override {
        return std::make_unique<Reader>(feed_, after_, feed_->enter(std::move(wake)));
    }

  private:
    const std::shared_ptr<EventFeed> feed_;
    const std::uint64_t after_;
};

EventFeed::~EventFeed() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

std::shared_ptr<serving::EventSource> EventFeed::after(std::uint64_t number) {
    return std::make_shared<Source>(shared_from_this(), number);
}

std::uint64_t EventFeed::enter(std::function<void()> wake) {
    const std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = std::thread([this] { watch(); });
    wakes_.emplace(next_key_, std::move(wake));
    changed_.notify_all();
    return next_key_++;
}

void EventFeed::leave(std::uint64_t key) {
    const std::lock_guard lock(mutex_);
    wakes_.erase(key);
}

void EventFeed::watch() {
    std::string seen;  // the head's hash, "" where it could not be read
    std::unique_lock lock(mutex_);
    while (!over_) {
        changed_.wait(lock, [this] { return over_ || !wakes_.empty(); });
        lock.unlock();
        const auto head = library_.head();
        const std::string now = head ? head->hash : "";
        lock.lock();
        if (now != seen)
            for (const auto& [key, wake] : wakes_) wake();
        seen = now;
        changed_.wait_for(lock, look_, [this] { return over_; });
    }
}

}  // namespace esper::urza
