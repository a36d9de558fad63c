#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "esper/services/nissa/growing_file.h"
#include "esper/services/records/events.h"

namespace esper::nissa {

/// What a run's events.jsonl says, kept up to date while it grows: all events but those of the
/// kind `health`, of which each slot's newest and the course of the last ones are kept. Not
/// thread-safe.
class EventLog {
  public:
    static constexpr std::size_t kMostEvents = 20'000;
    static constexpr std::size_t kMostHealth = 256;  ///< of one slot
    static constexpr std::size_t kMostPictures = 3;  ///< events that keep their pixels: the newest

    explicit EventLog(const std::filesystem::path& file) : file_(file) {}

    /// Reads what has come. Error: kDamagedFile.
    Status refresh();
    const std::vector<records::Event>& events() const { return events_; }
    /// Lines that are no event of this version's schema, and events beyond the most.
    std::size_t left_out() const { return left_out_; }
    /// For each slot: slot, anchor, seed, state, and as lists over the last looks step, seeds
    /// (whose look it was), alpha, activation_variance, dead_ratio and gradient_norm. α is null
    /// where no seed has one.
    nlohmann::json health() const;
    std::size_t memory() const { return memory_; }

  private:
    struct Look {
        std::int64_t step = 0;
        std::string seed;
        double alpha = 0, variance = 0, dead = 0, gradient = 0;
    };
    struct Slot {
        std::string anchor, seed, state;
        std::deque<Look> looks;
    };
    void take(std::string_view line);
    void drop_old_pixels();

    GrowingFile file_;
    std::vector<records::Event> events_;
    std::deque<std::size_t> pictures_;  ///< places of events with pixels
    std::map<std::int64_t, Slot> slots_;
    std::size_t left_out_ = 0, memory_ = 0;
};

}  // namespace esper::nissa
