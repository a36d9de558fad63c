#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace esper {

/// An integer type that does not convert to other integer types: `using SeedIndex =
/// StrongId<struct SeedIndexTag>`.
template <typename Tag, typename Rep = std::uint32_t>
class StrongId {
  public:
    using rep = Rep;
    constexpr StrongId() = default;
    constexpr explicit StrongId(Rep value) : value_(value) {}
    constexpr Rep value() const { return value_; }
    auto operator<=>(const StrongId&) const = default;

  private:
    Rep value_ = 0;
};

}  // namespace esper

template <typename Tag, typename Rep>
struct std::hash<esper::StrongId<Tag, Rep>> {
    std::size_t operator()(esper::StrongId<Tag, Rep> id) const noexcept {
        return std::hash<Rep>{}(id.value());
    }
};
