#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace esper::serving {

/// One client's place in a stream of server-sent events (WHATWG HTML section 9.2).
class EventReader {
  public:
    virtual ~EventReader() = default;
    /// What comes next, as it goes over the wire, up to about `most` bytes; empty when there is
    /// nothing.
    virtual std::string take(std::size_t most) = 0;
};

/// Where the events of a stream come from. Thread-safe.
class EventSource {
  public:
    virtual ~EventSource() = default;
    /// A reader that begins after the event `last_id`, the client's Last-Event-ID; empty for none.
    /// `wake` is called, from any thread, when there may be more to take; it returns at once.
    virtual std::unique_ptr<EventReader> read_from(std::string_view last_id,
                                                   std::function<void()> wake) = 0;
};

}  // namespace esper::serving
