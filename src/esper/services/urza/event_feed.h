#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "esper/services/serving/event_source.h"
#include "esper/services/urza/events.h"

namespace esper::urza {

/// The events of a library for any number of clients: server-sent events whose ids are the numbers
/// of the ledger, so that a client goes on with Last-Event-ID after any pause, also of the server.
/// Nothing is kept for a client but its place. Other processes change the library, too, so a thread
/// looks for new entries while somebody reads.
class EventFeed : public std::enable_shared_from_this<EventFeed> {
  public:
    /// `look`: how often. The library must outlive the feed.
    explicit EventFeed(Library& library,
                       std::chrono::milliseconds look = std::chrono::milliseconds(250))
        : library_(library), look_(look) {}
    ~EventFeed();
    EventFeed(const EventFeed&) = delete;
    EventFeed& operator=(const EventFeed&) = delete;

    /// A stream of what comes after that number. Where the ledger turns out to be another one, an
    /// event `resync` says so: whoever follows must begin again.
    std::shared_ptr<serving::EventSource> after(std::uint64_t number);

  private:
    class Source;
    class Reader;
    std::uint64_t enter(std::function<void()> wake);
    void leave(std::uint64_t key);
    void watch();

    Library& library_;
    const std::chrono::milliseconds look_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::uint64_t, std::function<void()>> wakes_;
    std::uint64_t next_key_ = 0;
    bool over_ = false;
    std::thread thread_;
};

}  // namespace esper::urza
