#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <vector>

namespace esper {

/// Eight bytes of a name, the first one in the highest place, and whose they are.
struct NameKey {
    std::uint64_t bytes = 0;
    std::uint32_t item = 0;
};

/// Sorts by the bytes. Of many keys: byte by byte from the last one (radix sort), without looking
/// at bytes that are the same in all.
inline void sort_keys(std::vector<NameKey>& keys) {
    constexpr std::size_t kFew = 256;
    if (keys.size() < kFew) {
        std::sort(keys.begin(), keys.end(),
                  [](const NameKey& a, const NameKey& b) { return a.bytes < b.bytes; });
        return;
    }
    std::uint64_t differ = 0;
    for (const auto& key : keys) differ |= key.bytes ^ keys[0].bytes;
    std::vector<NameKey> sorted(keys.size());
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if ((differ >> shift & 0xffU) == 0) continue;
        std::array<std::uint32_t, 257> begin{};
        for (const auto& key : keys) ++begin[(key.bytes >> shift & 0xffU) + 1];
        std::partial_sum(begin.begin(), begin.end(), begin.begin());
        for (const auto& key : keys) sorted[begin[key.bytes >> shift & 0xffU]++] = key;
        keys.swap(sorted);
    }
}

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
    std::vector<NameKey> keys(items.size());
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
        const auto next = name_of(i).substr(shared.size(), 8);
        std::array<unsigned char, 8> bytes{};
        std::copy(next.begin(), next.end(), bytes.begin());
        keys[i].item = i;
        for (const auto byte : bytes) keys[i].bytes = keys[i].bytes << 8U | byte;
    }
    sort_keys(keys);
    // What the eight bytes do not tell apart.
    for (auto begin = keys.begin(); begin != keys.end();) {
        const auto end = std::find_if(
            begin, keys.end(), [&](const NameKey& key) { return key.bytes != begin->bytes; });
        if (end - begin > 1)
            std::sort(begin, end, [&](const NameKey& a, const NameKey& b) {
                return name_of(a.item) < name_of(b.item);
            });
        begin = end;
    }
    std::vector<std::uint32_t> order(keys.size());
    std::transform(keys.begin(), keys.end(), order.begin(),
                   [](const NameKey& key) { return key.item; });
    return order;
}

}  // namespace esper
