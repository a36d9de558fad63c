#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "esper/services/serving/event_source.h"

namespace esper::serving {

/// Events for any number of clients (server-sent events, WHATWG HTML section 9.2). The newest ones
/// are kept in one bounded list that all clients read, each at its own place; a client whose place
/// is no longer in the list is sent `resync`, upon which it asks for the whole state again. So a
/// slow client costs nothing and holds up nobody.
///
/// An id is `<channel>-<number>`; the first half differs between two starts of a process, so that
/// a client that comes back after a restart is told to resync. Thread-safe.
class EventChannel final : public EventSource, public std::enable_shared_from_this<EventChannel> {
  public:
    struct Bounds {
        std::size_t events = 4096;
        std::size_t bytes = std::size_t{4} << 20;
    };
    /// `name` must be new with each channel.
    explicit EventChannel(std::string name, Bounds bounds);
    explicit EventChannel(std::string name) : EventChannel(std::move(name), Bounds()) {}
    /// A channel with a random name.
    static std::shared_ptr<EventChannel> create();

    /// `event` is a plain word; `data` a text of one line, e.g. JSON.
    void publish(std::string_view event, std::string_view data);

    /// One client's place in the list.
    class Reader final : public EventReader {
      public:
        Reader(std::shared_ptr<EventChannel> channel, std::uint64_t at, bool lost,
               std::uint64_t key);
        ~Reader() override;
        Reader(const Reader&) = delete;
        Reader& operator=(const Reader&) = delete;
        std::string take(std::size_t most) override;

      private:
        std::shared_ptr<EventChannel> channel_;
        std::uint64_t next_;
        bool greeted_ = false;
        bool lost_;
        std::uint64_t key_;
    };
    /// A reader that begins after the event `last_id`, or, where that is empty, with what comes
    /// next; its first event is `hello` or, if events were missed, `resync`. `wake` is called, from
    /// any thread, after each publish(); it must return at once and must not call the channel.
    std::unique_ptr<EventReader> read_from(std::string_view last_id,
                                           std::function<void()> wake) override;

    std::size_t readers() const;

  private:
    std::string frame(std::uint64_t number, std::string_view event, std::string_view data) const;

    const std::string name_;
    const Bounds bounds_;
    mutable std::mutex mutex_;
    std::deque<std::string> kept_;
    std::size_t kept_bytes_ = 0;
    std::uint64_t first_ = 1;  ///< number of kept_.front()
    std::uint64_t next_key_ = 0;
    std::map<std::uint64_t, std::function<void()>> wakes_;
};

}  // namespace esper::serving
