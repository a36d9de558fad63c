#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace esper {

/// Positions of the items in the order of their names, a member `name` each. Reads a name's bytes
/// once where names differ within eight bytes after what all of them begin with: of a large model's
/// names that is so, and looking at two names for each comparison takes several times as long.
template <typename Items>
std::vector<std::uint32_t> order_by_name(const Items& items) {
    const auto name_of = [&](std::uint32_t i) { return std::string_view(items[i].name); };
    std::string_view shared = items.empty() ? std::string_view() : name_of(0);
    for (const auto& item : items) {
        const std::string_view name = item.name;
        const auto end = std::min(shared.size(), name.size());
        const auto differ = std::mismatch(shared.begin(), shared.begin() + end, name.begin());
        shared = shared.substr(0, static_cast<std::size_t>(differ.first - shared.begin()));
    }
    struct Key {
        std::uint64_t next = 0;  ///< the eight bytes, the first one in the highest place
        std::uint32_t item = 0;
    };
    std::vector<Key> keys(items.size());
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        const auto next = name_of(i).substr(shared.size(), 8);
        keys[i].item = i;
        for (std::size_t k = 0; k < 8; ++k)
            keys[i].next =
                keys[i].next << 8U | (k < next.size() ? static_cast<unsigned char>(next[k]) : 0U);
    }
    std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
        return a.next != b.next ? a.next < b.next : name_of(a.item) < name_of(b.item);
    });
    std::vector<std::uint32_t> order(keys.size());
    std::transform(keys.begin(), keys.end(), order.begin(),
                   [](const Key& key) { return key.item; });
    return order;
}

}  // namespace esper
