#pragma once
// Eviction policies, compared on traces of keys. `access` returns whether the key is a hit. All
// entries have the same size; capacity is in entries.

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace bench {

using Trace = std::vector<std::uint64_t>;

class Lru {
  public:
    explicit Lru(std::size_t capacity) : capacity_(capacity) {}
    bool access(std::uint64_t key) {
        const auto it = at_.find(key);
        if (it != at_.end()) {
            order_.splice(order_.end(), order_, it->second);
            return true;
        }
        if (at_.size() == capacity_) {
            at_.erase(order_.front());
            order_.pop_front();
        }
        at_[key] = order_.insert(order_.end(), key);
        return false;
    }

  private:
    std::size_t capacity_;
    std::list<std::uint64_t> order_;
    std::unordered_map<std::uint64_t, std::list<std::uint64_t>::iterator> at_;
};

/// W-TinyLFU (Einziger et al., 2017): a window of 1 % in front of a segmented LRU; a count-min
/// sketch, halved at intervals, decides which keys enter the LRU.
class WTinyLfu {
  public:
    explicit WTinyLfu(std::size_t capacity)
        : window_(std::max<std::size_t>(1, capacity / 100)),
          main_(capacity - window_),
          sketch_(4 * 4096) {}

    bool access(std::uint64_t key) {
        count(key);
        const auto it = at_.find(key);
        if (it != at_.end()) {
            Where& w = it->second;
            if (w.segment == 0) {
                lists_[0].splice(lists_[0].end(), lists_[0], w.at);
            } else {
                lists_[2].splice(lists_[2].end(), lists_[w.segment], w.at);
                w.segment = 2;
                if (lists_[2].size() > main_ * 8 / 10) {
                    const std::uint64_t down = lists_[2].front();
                    lists_[1].splice(lists_[1].end(), lists_[2], lists_[2].begin());
                    at_[down].segment = 1;
                }
            }
            return true;
        }
        at_[key] = {0, lists_[0].insert(lists_[0].end(), key)};
        if (lists_[0].size() > window_) admit();
        return false;
    }

  private:
    struct Where {
        int segment;
        std::list<std::uint64_t>::iterator at;
    };
    void admit() {
        const std::uint64_t candidate = lists_[0].front();
        if (lists_[1].size() + lists_[2].size() < main_) {
            move_to_probation(candidate);
            return;
        }
        auto& from = lists_[1].empty() ? lists_[2] : lists_[1];
        const std::uint64_t victim = from.front();
        if (estimate(candidate) > estimate(victim)) {
            from.pop_front();
            at_.erase(victim);
            move_to_probation(candidate);
        } else {
            lists_[0].pop_front();
            at_.erase(candidate);
        }
    }
    void move_to_probation(std::uint64_t key) {
        lists_[1].splice(lists_[1].end(), lists_[0], at_[key].at);
        at_[key].segment = 1;
    }
    std::size_t cell(std::uint64_t key, unsigned row) const {
        std::uint64_t x = (key + row * 0x9e3779b97f4a7c15ull) * 0xbf58476d1ce4e5b9ull;
        return row * 4096 + ((x ^ (x >> 29)) & 4095);
    }
    void count(std::uint64_t key) {
        for (unsigned r = 0; r < 4; ++r) {
            auto& c = sketch_[cell(key, r)];
            if (c < 15) ++c;
        }
        if (++counted_ == 10 * (window_ + main_)) {
            for (auto& c : sketch_) c = static_cast<std::uint8_t>(c / 2);
            counted_ = 0;
        }
    }
    std::uint8_t estimate(std::uint64_t key) const {
        std::uint8_t least = 255;
        for (unsigned r = 0; r < 4; ++r) least = std::min(least, sketch_[cell(key, r)]);
        return least;
    }
    std::size_t window_, main_;
    std::vector<std::uint8_t> sketch_;
    std::size_t counted_ = 0;
    std::list<std::uint64_t> lists_[3];  // window, probation, protected
    std::unordered_map<std::uint64_t, Where> at_;
};

/// Belady's bound: evicts the key whose next request is furthest in the future.
inline double belady_hit_rate(const Trace& trace, std::size_t capacity) {
    const std::size_t n = trace.size();
    std::vector<std::size_t> next(n);
    std::unordered_map<std::uint64_t, std::size_t> seen;
    for (std::size_t i = n; i-- > 0;) {
        const auto it = seen.find(trace[i]);
        next[i] = it == seen.end() ? n + i : it->second;
        seen[trace[i]] = i;
    }
    std::set<std::pair<std::size_t, std::uint64_t>> by_next;
    std::unordered_map<std::uint64_t, std::size_t> held;
    std::size_t hits = 0;
    for (std::size_t i = 0; i < n; ++i) {
        if (const auto it = held.find(trace[i]); it != held.end()) {
            ++hits;
            by_next.erase({it->second, trace[i]});
        } else if (held.size() == capacity) {
            const auto last = std::prev(by_next.end());
            if (last->first < next[i]) continue;  // not worth keeping: bypass
            held.erase(last->second);
            by_next.erase(last);
        }
        held[trace[i]] = next[i];
        by_next.insert({next[i], trace[i]});
    }
    return static_cast<double>(hits) / static_cast<double>(n);
}

template <typename Policy>
double hit_rate(const Trace& trace, std::size_t capacity) {
    Policy policy(capacity);
    std::size_t hits = 0;
    for (std::uint64_t key : trace) hits += policy.access(key);
    return static_cast<double>(hits) / static_cast<double>(trace.size());
}

}  // namespace bench
