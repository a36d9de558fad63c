#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace esper {

/// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel Random Numbers: As Easy
/// as 1, 2, 3" (SC 2011), section 3.3. A pure function of counter and key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// A stream of random numbers, determined by its name (seed, purpose, step, index). A resumed run
/// makes the same stream again from the name, so no state is saved. Streams with different names
/// are independent. After 2^34 words a stream repeats.
class RandomStream {
  public:
    RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t step = 0,
                 std::uint32_t index = 0);

    std::uint32_t next_u32();
    std::uint64_t next_u64();
    /// Uniform in [0, 1), 53 random bits.
    double uniform();
    double uniform(double lowest, double highest);
    /// Standard normal (Box-Muller).
    double normal();
    /// Uniform integer in [0, bound), unbiased; 0 when bound is 0.
    std::uint64_t below(std::uint64_t bound);

  private:
    std::array<std::uint32_t, 4> counter_;
    std::array<std::uint32_t, 2> key_;
    std::array<std::uint32_t, 4> block_{};
    int used_ = 4;
    bool has_spare_ = false;
    double spare_ = 0;
};

/// A uniform random permutation of 0 … n-1 (Fisher-Yates) drawn from the stream.
std::vector<std::uint32_t> random_permutation(RandomStream& stream, std::uint32_t n);

}  // namespace esper
