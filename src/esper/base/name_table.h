#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace esper {

/// Finds numbers by names. Holds hashes and numbers, 8 bytes for each place of the table, and no
/// name: a function of the caller, `name_of`, gives the name of a number that was added. It must
/// give the same names at every call. Open addressing with linear probing (Knuth, volume 3, 6.4).
class NameTable {
  public:
    /// Makes room for as many names in all.
    void reserve(std::size_t names) {
        std::size_t places = kFewest;
        while (3 * places < 4 * names) places *= 2;
        if (places > places_.size()) grow(places);
    }

    /// The number that stands for `name`, and true if it is `number`, which was added; else an
    /// equal name is there. `name_of` is asked for numbers that were added before. Numbers are
    /// below 2³² - 1.
    template <typename NameOf>
    std::pair<std::uint32_t, bool> add(std::string_view name, std::uint32_t number,
                                       const NameOf& name_of) {
        if (4 * (size_ + 1) > 3 * places_.size()) grow(2 * places_.size());
        const auto hash = hash_of(name);
        auto& place = places_[place_of(hash, name, name_of)];
        if (place.number != kEmpty) return {place.number, false};
        place = {hash, number};
        ++size_;
        return {number, true};
    }

    template <typename NameOf>
    std::optional<std::uint32_t> find(std::string_view name, const NameOf& name_of) const {
        if (places_.empty()) return std::nullopt;
        const auto& place = places_[place_of(hash_of(name), name, name_of)];
        return place.number == kEmpty ? std::nullopt : std::optional(place.number);
    }

  private:
    static constexpr std::size_t kFewest = 8;
    static constexpr auto kEmpty = ~std::uint32_t{0};
    struct Place {
        std::uint32_t hash = 0;
        std::uint32_t number = kEmpty;
    };

    static std::uint32_t hash_of(std::string_view name) {
        const auto hash = std::hash<std::string_view>{}(name);
        return static_cast<std::uint32_t>(hash ^ hash >> 32U);
    }

    /// Where the name stands, or would.
    template <typename NameOf>
    std::size_t place_of(std::uint32_t hash, std::string_view name, const NameOf& name_of) const {
        const auto mask = places_.size() - 1;
        auto at = hash & mask;
        while (places_[at].number != kEmpty &&
               (places_[at].hash != hash || name_of(places_[at].number) != name))
            at = (at + 1) & mask;
        return at;
    }

    void grow(std::size_t places) {
        std::vector<Place> before(places < kFewest ? kFewest : places);
        before.swap(places_);
        const auto mask = places_.size() - 1;
        for (const auto& place : before) {
            if (place.number == kEmpty) continue;
            auto at = place.hash & mask;
            while (places_[at].number != kEmpty) at = (at + 1) & mask;
            places_[at] = place;
        }
    }

    std::vector<Place> places_;  ///< a power of two of them, at most three quarters in use
    std::size_t size_ = 0;
};

}  // namespace esper
