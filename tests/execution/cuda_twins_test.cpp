// The GPU's alpha blend and state table, compared with the CPU's. Without a GPU only the error
// kNoDevice can be tested.
#include <gtest/gtest.h>

#if defined(ESPER_HAS_CUDA)

#include <cmath>
#include <limits>

#include "esper/base/random.h"
#include "esper/engine/kernels/bf16.h"
#include "esper/execution/cuda/alpha_blend.h"
#include "esper/execution/cuda/state_table.h"
#include "esper/execution/states/state_layout.h"

namespace esper::execution::cuda {
namespace {

using enum contracts::SeedState;

#define ESPER_NEEDS_GPU() \
    if (const auto gpu = device_name(); !gpu) GTEST_SKIP() << gpu.error().to_string()

template <typename T>
std::vector<T> drawn(std::size_t n, std::uint32_t stream) {
    RandomStream random(1, "cuda twins", 0, stream);
    std::vector<T> values(n);
    for (T& v : values) {
        const auto x = static_cast<float>(random.uniform() * 4 - 2);
        if constexpr (std::is_same_v<T, float>) {
            v = x;
        } else {
            v = vector::narrow(x);
        }
    }
    return values;
}

float wide(float x) { return x; }
float wide(Bf16 x) { return vector::widen(x); }
void put(float& to, float x) { to = x; }
void put(Bf16& to, float x) { to = vector::narrow(x); }

/// What the GPU must give, to the bit but for dα.
template <typename T>
struct Blend {
    std::vector<T> out, ds;
    double dalpha = 0;
    Blend(const std::vector<T>& y, const std::vector<T>& s, float alpha)
        : out(y.size()), ds(y.size()) {
        for (std::size_t i = 0; i < y.size(); ++i) {
            put(out[i], std::fma(alpha, wide(s[i]), wide(y[i])));
            put(ds[i], alpha * wide(y[i]));
            dalpha += static_cast<double>(wide(y[i])) * static_cast<double>(wide(s[i]));
        }
    }
};

template <typename T>
DeviceMemory on_gpu(const std::vector<T>& values) {
    return value_or_throw(DeviceMemory::copy_of(values.data(), values.size() * sizeof(T)));
}

template <typename T>
std::vector<T> from_gpu(const DeviceMemory& memory) {
    std::vector<T> values(memory.bytes() / sizeof(T));
    value_or_throw(memory.read(values.data(), memory.bytes()));
    return values;
}

TEST(CudaTwins, WithoutAGpuEverythingSaysSoAndNothingCrashes) {
    if (device_name()) GTEST_SKIP() << "there is a GPU";
    EXPECT_TRUE(device_name().error().is(CudaError::kNoDevice)) << device_name().error().message();
    EXPECT_TRUE(DeviceMemory::allocate(16).error().is(CudaError::kNoDevice));
    EXPECT_TRUE(
        DeviceStateTable::create(StateTable(4).snapshot()).error().is(CudaError::kNoDevice));
    EXPECT_TRUE(alpha_blend(static_cast<const float*>(nullptr), nullptr, 1, nullptr, 16)
                    .error()
                    .is(CudaError::kNoDevice));
}

TEST(CudaTwins, MoreMemoryThanThereIsFails) {
    ESPER_NEEDS_GPU();
    EXPECT_TRUE(DeviceMemory::allocate(std::size_t{1} << 50).error().is(CudaError::kFailed));
}

template <typename T>
void expect_same_blend(std::size_t n) {
    auto y = drawn<T>(n, 0);
    const auto s = drawn<T>(n, 1);
    if constexpr (std::is_same_v<T, float>) {
        if (n > 3) y[3] = std::numeric_limits<float>::infinity();
    }
    const Blend<T> want(y, s, 0.3f);
    const DeviceMemory gy = on_gpu(y), gs = on_gpu(s), gout = on_gpu(y), gds = on_gpu(y),
                       gdy = on_gpu(s);
    const auto sum = on_gpu(std::vector<double>(1)),
               scratch = on_gpu(std::vector<double>(kBackwardScratch));
    value_or_throw(cuda::alpha_blend(gy.as<T>(), gs.as<T>(), 0.3f, gout.as<T>(), n));
    EXPECT_EQ(from_gpu<T>(gout), want.out);
    value_or_throw(cuda::alpha_blend_backward(gy.as<T>(), gs.as<T>(), 0.3f, gds.as<T>(),
                                              gdy.as<T>(), n, sum.as<double>(),
                                              scratch.as<double>()));
    EXPECT_EQ(from_gpu<T>(gds), want.ds);
    EXPECT_EQ(from_gpu<T>(gdy), y);
    if (std::isfinite(want.dalpha)) {
        EXPECT_NEAR(from_gpu<double>(sum)[0], want.dalpha, 1e-9 * static_cast<double>(n));
    }
}

TEST(CudaTwins, TheBlendGivesTheCpusBits) {
    ESPER_NEEDS_GPU();
    for (std::size_t n : {1u, 7u, 8u, 1000u, 1u << 20, (1u << 20) + 5}) {
        expect_same_blend<float>(n);
        expect_same_blend<Bf16>(n);
    }
}

TEST(CudaTwins, TheTableJudgesAndMovesAsTheCpusDoes) {
    ESPER_NEEDS_GPU();
    constexpr std::uint32_t kSeeds = 1000;
    StateTable table(kSeeds);
    auto twin = value_or_throw(DeviceStateTable::create(table.snapshot()));
    RandomStream random(2, "cuda moves");
    for (std::uint32_t round = 0; round < 200; ++round) {
        std::vector<Transition> moves;
        std::vector<Sample> samples;
        std::vector<Outcome> expected;
        for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
            const std::uint64_t r = random.next_u64();
            const Transition move{.seed = seed,
                                  .to = static_cast<SeedState>(r % 13),
                                  .actor = static_cast<ComponentType>((r >> 8) % 11),
                                  .epoch = round,
                                  .kernel_id = (r >> 16) % 3,
                                  .embargo_epochs = static_cast<std::uint32_t>((r >> 24) % 4)};
            moves.push_back(move);
            expected.push_back(table.transition(move) ? Outcome::kApplied : Outcome::kRefused);
            samples.push_back({seed, static_cast<float>(random.uniform()), 7 + seed, round});
        }
        moves.push_back({.seed = kSeeds, .to = kGerminated, .kernel_id = 1});
        expected.push_back(Outcome::kNoSuchSeed);
        ASSERT_EQ(value_or_throw(twin.transition(moves)), expected);
        value_or_throw(twin.record(samples));
        for (const Sample& s : samples) {
            value_or_throw(table.record(s.seed, s.health, s.latency_us, s.epoch));
        }
        ASSERT_EQ(value_or_throw(twin.snapshot()), table.snapshot()) << "round " << round;
    }
}

TEST(CudaTwins, ManyCommandsForOneSeedLoseNothing) {
    ESPER_NEEDS_GPU();
    auto twin = value_or_throw(DeviceStateTable::create(StateTable(1).snapshot()));
    const std::vector<Transition> moves(10'000, {.seed = 0, .to = kGerminated, .kernel_id = 1});
    std::size_t applied = 0;
    for (Outcome o : value_or_throw(twin.transition(moves))) applied += o == Outcome::kApplied;
    EXPECT_EQ(applied, 1u);
    EXPECT_EQ(value_or_throw(twin.snapshot()).version[0], 2u);
}

}  // namespace
}  // namespace esper::execution::cuda

#else

TEST(CudaTwins, AreBuiltWithNvcc) { GTEST_SKIP() << "this build had no nvcc"; }

#endif
